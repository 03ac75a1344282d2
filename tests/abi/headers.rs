//! The headers of `include/`: what old projects compile against.

use crate::tools::{GENERATIONS, RELEASES, compiler, root, run, scratch};
use std::process::Command;

/// Compiles `text` without linking, in C11 and C++17, for every generation of the interface.
fn compiles_everywhere(test: &str, text: &str) {
    compiles_for(GENERATIONS, test, text);
}

/// The same for some releases.
fn compiles_for(releases: &[u32], test: &str, text: &str) {
    let folder = scratch(test);
    // malloc_hook.h wants Lua's header; all it needs of it is this name.
    std::fs::write(
        folder.join("lua.h"),
        "typedef struct lua_State lua_State;\n",
    )
    .expect("lua.h");
    let source = folder.join("unit.c");
    std::fs::write(&source, text).expect("source");
    for language in ["c", "c++"] {
        for generation in releases {
            run(compiler(language)
                .arg(format!("-DSKYNET_API_VERSION={generation}"))
                .arg("-fsyntax-only")
                .arg("-I")
                .arg(&folder)
                .arg(&source));
        }
    }
}

fn header_names() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("include")).expect("include");
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".h"))
        .collect();
    names.sort();
    // Parts of socket_poll.h for one system each.
    names.retain(|name| name != "socket_kqueue.h" && name != "socket_epoll.h");
    names
}

#[test]
fn every_header_stands_alone_and_may_come_twice() {
    for name in header_names() {
        let include = format!("#include \"{name}\"\n");
        compiles_everywhere("alone", &format!("{include}{include}"));
    }
}

#[test]
fn all_headers_go_together_in_either_order() {
    let forward: String = header_names()
        .iter()
        .map(|name| format!("#include \"{name}\"\n"))
        .collect();
    let backward: String = header_names()
        .iter()
        .rev()
        .map(|name| format!("#include \"{name}\"\n"))
        .collect();
    compiles_for(RELEASES, "forward", &forward);
    compiles_everywhere("backward", &backward);
}

#[test]
fn layouts_and_constants_are_those_that_compiled_services_carry() {
    for file in ["layout.c", "locks.c", "values.c"] {
        let text = std::fs::read_to_string(root().join("test-c/layout").join(file)).expect(file);
        compiles_everywhere(file, &text);
    }
}

#[test]
fn functions_answer_what_they_did_in_each_release() {
    let file = root().join("test-c/layout/results.c");
    let text = std::fs::read_to_string(file).expect("results.c");
    compiles_for(RELEASES, "results.c", &text);
}

#[test]
fn atomics_that_are_gone_say_what_to_do() {
    let folder = scratch("gone");
    let source = folder.join("gone.c");
    let text = "#include \"atomic.h\"\nint next(int *n) { return ATOM_INC(n); }\n";
    std::fs::write(&source, text).expect("source");
    let compiled = |generation: u32, text: &str| {
        std::fs::write(&source, text).expect("source");
        compiler("c")
            .arg(format!("-DSKYNET_API_VERSION={generation}"))
            .args(["-O1", "-c", "-o"])
            .arg(folder.join("gone.o"))
            .arg(&source)
            .output()
            .expect("a compiler")
    };
    assert!(compiled(10400, text).status.success());
    let refused = compiled(10500, text);
    let reason = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(reason.contains("-DSKYNET_API_VERSION=10400"), "{reason}");
    // A project that brought its own keeps it.
    let own = text.replace("int next", "#define ATOM_INC(p) (++*(p))\nint next");
    let output = compiled(99999, &own);
    assert!(output.status.success(), "{output:?}");
}

/// Builds and runs a program of `test-c/headers` in both languages.
fn runs(test: &str, file: &str, options: &[&str]) {
    let program = scratch(test).join("program");
    for language in ["c", "c++"] {
        run(compiler(language)
            .args(options)
            .args(["-O2", "-pthread", "-o"])
            .arg(&program)
            .arg(root().join("test-c/headers").join(file)));
        run(&mut Command::new(&program));
    }
}

#[test]
fn locks_lose_nothing_over_standard_atomics() {
    runs("locks-standard", "locks.c", &[]);
}

#[test]
fn locks_lose_nothing_over_compiler_builtins() {
    runs("locks-builtin", "locks.c", &["-D__STDC_NO_ATOMICS__"]);
    runs("locks-old", "locks.c", &["-DSKYNET_API_VERSION=10300"]);
}

#[test]
fn locks_lose_nothing_over_pthread() {
    runs("locks-pthread", "locks.c", &["-DUSE_PTHREAD_LOCK"]);
}

#[test]
fn polling_reports_what_happened_and_nothing_else() {
    runs("poll", "poll.c", &[]);
}
