//! The library of services, and nodes that run it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::tools::{compiler, node, root, run, scratch};

/// The services of the library.
const NAMES: &[&str] = &["rs_counter", "rs_probe", "rs_sockets", "rs_values"];

/// The folder with the library under the names of its services; built once.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("rust-services");
        run(Command::new(env!("CARGO"))
            .current_dir(root())
            // What cargo told this test about its own build does not concern that one.
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .args(["build", "--quiet", "--package", "rust-services"])
            .arg("--target-dir")
            .arg(&target));
        let folder = scratch("rust-services-folder");
        for name in NAMES {
            let link = folder.join(format!("{name}.so"));
            std::os::unix::fs::symlink(target.join("debug/librust_services.so"), link)
                .expect("a link");
        }
        // And one in C beside them.
        run(compiler("c")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(folder.join("counter.so"))
            .arg(root().join("examples/cservice/counter.c")));
        folder
    })
}

/// Runs the cases of a Lua file of this folder.
fn cases(name: &str) -> String {
    let cpath = format!(
        "cpath = \"{}/?.so;\" .. (cpath or \"\")",
        folder().display()
    );
    node::run_test("rust", name, &cpath)
}

#[test]
fn lua_calls_a_service_in_rust_by_names() {
    cases("counter");
}

#[test]
fn values_have_the_bytes_that_lua_gives_them() {
    cases("values");
}

#[test]
fn rust_c_and_lua_services_ask_each_other() {
    cases("mixed");
}

#[test]
fn sockets_of_a_service_in_rust_are_those_of_the_node() {
    cases("sockets");
}
