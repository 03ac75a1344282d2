//! The programs in `c/` with the patched Lua, with Lua's assertions, under AddressSanitizer (with leak check) and ThreadSanitizer.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn build_and_run(name: &str, flags: &[&str]) {
    let scratch = tempfile::tempdir().expect("a scratch directory");
    let program = scratch.path().join(name);
    let include = PathBuf::from(skynet_lua::include_dir());
    let mut sources: Vec<PathBuf> = fs::read_dir(&include)
        .expect("the patched tree")
        .map(|entry| entry.expect("directory entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "c"))
        .collect();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c");
    let names = [
        "harness.c",
        "sharing.c",
        "snapshots.c",
        "collisions.c",
        "strings.c",
        "together.c",
        "pieces.c",
        "numbers.c",
        "tables.c",
        "concat.c",
        "yields.c",
    ];
    sources.extend(names.map(|name| tests.join(name)));
    let compiler = env::var("CC").unwrap_or_else(|_| String::from("cc"));
    let built = Command::new(&compiler)
        .args([
            "-std=gnu99",
            "-g",
            "-O1",
            "-DLUA_USE_LINUX",
            "-DLUAI_ASSERT",
            "-DLUA_USE_APICHECK",
        ])
        .args(flags)
        .arg("-I")
        .arg(&include)
        .args(&sources)
        .arg("-o")
        .arg(&program)
        .args(["-lm", "-ldl", "-lpthread"])
        .output()
        .expect("a C compiler");
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    let ran = Command::new(&program)
        .arg(scratch.path())
        .output()
        .expect("the program starts");
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{:?}\n{errors}", ran.status);
    assert_eq!(ran.stdout, b"ok\n");
    assert_eq!(errors, "");
}

#[test]
fn no_invalid_access_and_no_leak() {
    build_and_run(
        "asan",
        &[
            "-fsanitize=address,undefined",
            "-fno-sanitize=alignment,shift",
        ],
    );
}

#[test]
fn no_data_race() {
    build_and_run("tsan", &["-fsanitize=thread"]);
}
