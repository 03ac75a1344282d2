//! What the executable and the library export: names that compiled services and host programs look for.
#![cfg(target_os = "linux")]

use crate::tools::{exports, library, symbols};
use std::collections::BTreeSet;
use std::path::Path;

fn absent(wanted: &[&str], file: &Path, options: &[&str]) -> Vec<String> {
    let found: BTreeSet<String> = symbols(file, options).into_iter().collect();
    wanted
        .iter()
        .flat_map(|list| exports(list))
        .filter(|name| !found.contains(name))
        .collect()
}

#[test]
fn the_core_and_its_main_program_have_142_symbols() {
    assert_eq!(exports("core").len() + exports("main").len(), 142);
}

#[test]
fn jemalloc_has_its_24_names_of_the_c_core() {
    let names = exports("jemalloc");
    assert_eq!(names.len(), 24);
    assert!(names.iter().all(|name| name.starts_with("je_")));
}

#[test]
fn the_library_exports_the_core() {
    let folder = library();
    assert_eq!(
        absent(
            &["core", "older"],
            &folder.join("libskynet.a"),
            &["--defined-only", "--extern-only"]
        ),
        [""; 0]
    );
    assert_eq!(
        absent(
            &["core", "older"],
            &folder.join("libskynet.so"),
            &["-D", "--defined-only"]
        ),
        [""; 0]
    );
}

#[cfg(all(feature = "lua", feature = "jemalloc"))]
#[test]
fn the_executable_exports_the_lists_and_nothing_else() {
    let lists = ["core", "main", "older", "lua", "malloc", "jemalloc"];
    let executable = Path::new(env!("CARGO_BIN_EXE_skynet"));
    let wanted: BTreeSet<String> = lists.iter().flat_map(|list| exports(list)).collect();
    let found: BTreeSet<String> = symbols(executable, &["-D", "--defined-only"])
        .into_iter()
        .collect();
    let missing: Vec<&String> = wanted.difference(&found).collect();
    assert!(missing.is_empty(), "not exported: {missing:?}");
    // Linkers also export what stands in place of the C library's own: data copied into the executable, and the
    // functions of the allocator that nobody lists because nobody calls them.
    let system = [
        "environ",
        "__environ",
        "stderr",
        "stdout",
        "stdin",
        "malloc_usable_size",
        "valloc",
        "pvalloc",
    ];
    let more: Vec<&String> = found
        .difference(&wanted)
        .filter(|name| !system.contains(&name.as_str()))
        .collect();
    assert!(
        more.is_empty(),
        "exported without being on a list: {more:?}"
    );
}
