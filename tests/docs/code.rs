//! The code in the documents is Lua of this version, and the recipes print what stands behind their `-->`.

use std::fs;

use super::links::documents;
use super::markdown::blocks;
use crate::tools::node::run_node;
use crate::tools::{root, scratch};

/// Recipes that end by themselves.
const PROGRAMS: usize = 19;

/// The config of a node that runs `main.lua`.
const CONFIG: &str = "thread = 2\nharbor = 0\nluaservice = \"./?.lua\"\n";

/// Compiles the files `N.lua`, and says what is wrong with them.
const COMPILER: &str = r#"
local skynet = require "skynet.manager"
skynet.start(function()
	for number = 1, tonumber(skynet.getenv "blocks") do
		local chunk, problem = loadfile(number .. ".lua")
		print(number, chunk and "compiles" or problem)
	end
	skynet.abort()
end)
"#;

#[test]
fn lua_in_the_documents_compiles() {
    let place = scratch("documents-lua");
    let mut places = Vec::new();
    // The reference writes `...` for what is left out.
    let reference = root().join("docs/lua-api.md");
    for file in documents().into_iter().filter(|file| *file != reference) {
        let text = fs::read_to_string(&file).expect("a text file");
        for (_, code) in blocks(&text).iter().filter(|(kind, _)| *kind == "lua") {
            places.push(format!("{}: {code}", file.display()));
            fs::write(place.join(format!("{}.lua", places.len())), code).expect("a block");
        }
    }
    assert!(places.len() > 100, "{} blocks", places.len());
    fs::write(place.join("main.lua"), COMPILER).expect("the compiler");
    let config = format!("{CONFIG}blocks = {}\n", places.len());
    fs::write(place.join("config"), config).expect("a config");
    let (status, output) = run_node(&place, "config");
    assert!(status.success(), "{status}\n{output}");
    let refused: Vec<_> = places
        .iter()
        .enumerate()
        .map(|(number, code)| (format!("{}\t", number + 1), code))
        .filter_map(|(number, code)| {
            let said = output.lines().find_map(|line| line.strip_prefix(&number));
            (said != Some("compiles")).then_some((said, code))
        })
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

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
        fs::write(place.join("main.lua"), code).expect("a program");
        fs::write(place.join("config"), CONFIG).expect("a config");
        let (status, output) = run_node(&place, "config");
        assert!(status.success(), "{status}\n{code}\n{output}");
        for line in promised {
            let found = output.lines().any(|printed| printed.ends_with(line));
            assert!(found, "no {line:?}\n{code}\n{output}");
        }
    }
    assert_eq!(programs, PROGRAMS, "recipes with a result");
}
