//! The programs of the recipes print what stands behind their `-->`.

use std::fs;

use super::markdown::blocks;
use crate::tools::node::run_node;
use crate::tools::{root, scratch};

/// Those that end by themselves.
const PROGRAMS: usize = 19;

#[test]
fn recipes_print_what_they_say() {
    let text = fs::read_to_string(root().join("docs/recipes.md")).expect("the recipes");
    let mut programs = 0;
    for (_, code) in blocks(&text).iter().filter(|(kind, _)| *kind == "lua") {
        let promised: Vec<_> = code
            .lines()
            .filter_map(|line| line.split_once("--> "))
            .map(|(_, printed)| printed)
            .collect();
        if promised.is_empty() {
            continue;
        }
        programs += 1;
        let place = scratch("recipe");
        fs::write(place.join("recipe.lua"), code).expect("a program");
        let config = "thread = 2\nharbor = 0\nstart = \"recipe\"\nluaservice = \"./?.lua\"\n";
        fs::write(place.join("config"), config).expect("a config");
        let (status, output) = run_node(&place, "config");
        assert!(status.success(), "{status}\n{code}\n{output}");
        for line in promised {
            let found = output.lines().any(|printed| printed.ends_with(line));
            assert!(found, "no {line:?}\n{code}\n{output}");
        }
    }
    assert_eq!(programs, PROGRAMS, "recipes with a result");
}
