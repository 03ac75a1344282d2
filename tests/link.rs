//! An executable of a project of its own (`test-c/host`) with a Lua of its own, over `libskynet`.
#![cfg(target_os = "linux")]

mod tools;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tools::{compiler, library, lua_sources, root, run, scratch, symbols};

/// Folder with `liblua.a` and the services of the host.
fn parts() -> &'static Path {
    static PARTS: OnceLock<PathBuf> = OnceLock::new();
    PARTS.get_or_init(|| {
        let folder = scratch("host");
        let lua = lua_sources();
        let mut objects = Vec::new();
        for entry in std::fs::read_dir(&lua).expect("sources of Lua").flatten() {
            let path = entry.path();
            let stem = path.file_stem().unwrap_or_default().to_os_string();
            if path.extension().is_some_and(|end| end == "c") && stem != "lua" && stem != "luac" {
                objects.push((folder.join(&stem).with_extension("o"), path));
            }
        }
        run(Command::new("cc")
            .current_dir(&folder)
            .args(["-O1", "-DLUA_USE_LINUX", "-c"])
            .args(objects.iter().map(|(_, source)| source)));
        run(Command::new("ar")
            .arg("rcs")
            .arg(folder.join("liblua.a"))
            .args(objects.iter().map(|(object, _)| object)));
        for service in ["host_log", "host_doubler", "host_asker"] {
            run(compiler("c")
                .args(["-shared", "-fPIC", "-O1"])
                .arg(root().join(format!("test-c/host/{service}.c")))
                .arg("-o")
                .arg(folder.join(format!("{service}.so"))));
        }
        folder
    })
}

/// Links the host with `core` (options for the linker), runs it and reads its log.
fn host(name: &str, core: &[&str]) {
    let folder = parts();
    let program = folder.join(name);
    run(compiler("c")
        .arg("-I")
        .arg(lua_sources())
        .arg(root().join("test-c/host/host.c"))
        // What follows are libraries, not sources.
        .args(["-x", "none", "-o"])
        .arg(&program)
        .arg("-L")
        .arg(library())
        .args(core)
        .arg(folder.join("liblua.a"))
        // The services find the core and Lua in the executable.
        .args(["-rdynamic", "-pthread", "-lm", "-ldl"]));
    // Cargo points it to this build, which has a libskynet.so too.
    let output = run(Command::new(&program)
        .arg(folder)
        .env_remove("LD_LIBRARY_PATH"));
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(
        log.contains("LAUNCH host_doubler"),
        "the host's own log service writes the log: {log}"
    );
}

#[test]
fn a_host_with_its_own_lua_runs_over_the_archive() {
    host(
        "host-archive",
        &[
            "-Wl,--whole-archive",
            "-l:libskynet.a",
            "-Wl,--no-whole-archive",
        ],
    );
}

#[test]
fn a_host_with_its_own_lua_runs_over_the_shared_library() {
    let rpath = format!("-Wl,-rpath,{}", library().display());
    host("host-shared", &["-l:libskynet.so", &rpath]);
}

#[test]
fn the_library_without_features_has_neither_lua_nor_an_allocator() {
    let foreign = |name: &String| {
        name.starts_with("lua_")
            || name.starts_with("luaL_")
            || name.starts_with("luaopen_")
            || name.starts_with("snlua_")
            || name.contains("mallctl") && name.starts_with("je_")
            || matches!(name.as_str(), "malloc" | "free" | "calloc" | "realloc")
    };
    let archive = symbols(&library().join("libskynet.a"), &["--defined-only"]);
    let shared = symbols(&library().join("libskynet.so"), &["-D", "--defined-only"]);
    let found: Vec<&String> = archive
        .iter()
        .chain(&shared)
        .filter(|name| foreign(name))
        .collect();
    assert!(found.is_empty(), "{found:?}");
    assert!(
        archive.iter().any(|name| name == "skynet_start"),
        "the archive has the core"
    );
}
