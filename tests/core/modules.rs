//! Modules: how they are found, and which functions they need.

use std::process::Command;

use crate::node::{Setup, compile, ours};

fn facts(list: &str) -> Vec<String> {
    Setup::new(&format!("modules {list}")).start().facts()
}

#[test]
fn symbols_begin_after_the_last_dot() {
    assert_eq!(
        facts("part.dotted a b"),
        ["dotted a b", "launch part.dotted a b works"]
    );
}

#[test]
fn create_is_optional_and_init_is_not() {
    assert_eq!(
        facts("plain x"),
        ["instance 1 argument x", "launch plain x works"]
    );
    assert_eq!(facts("noinit"), ["launch noinit fails"]);
    assert_eq!(facts("nocreate"), ["launch nocreate fails"]);
}

#[test]
fn a_missing_module_is_named_on_standard_error() {
    let node = Setup::new("modules nosuch,plain").start();
    assert_eq!(
        node.facts(),
        [
            "launch nosuch fails",
            "instance 1 argument (null)",
            "launch plain works"
        ]
    );
    node.wait_stderr("try open nosuch failed : ");
}

#[test]
fn a_module_that_does_not_load_says_what_to_do() {
    if !ours() {
        return; // the C core gives the last place alone, and of what lacks a function nothing
    }
    let setup = Setup::new("modules other,nosuch,plain").cpath_first("./first-?.so;./second/?.so");
    // As a file that was renamed.
    let other = setup.dir().join("first-other.so");
    std::fs::copy(crate::node::services().join("plain.so"), other).unwrap();
    let node = setup.start();
    assert_eq!(
        node.facts(),
        [
            "launch other fails",
            "launch nosuch fails",
            "instance 1 argument (null)",
            "launch plain works"
        ]
    );
    node.wait_stderr(
        "try open other failed : ./first-other.so: no function other_init in it; it has the service plain\n",
    );
    node.wait_stderr("try open nosuch failed : ");
    node.wait_stderr("no such file: ./first-nosuch.so, ./second/nosuch.so, ");
}

/// Whoever opens a pipe waits for who writes it, and all that look for a module would wait with it.
#[test]
fn a_pipe_is_no_module_and_keeps_nobody_waiting() {
    if !ours() {
        return; // the C core waits
    }
    let setup = Setup::new("modules pipe,plain").cpath_first("./?.so");
    let pipe = setup.dir().join("pipe.so");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let node = setup.start();
    assert_eq!(
        node.facts(),
        [
            "launch pipe fails",
            "instance 1 argument (null)",
            "launch plain works"
        ]
    );
    node.wait_stderr("try open pipe failed : ./pipe.so is no regular file");
}

#[test]
fn the_path_is_searched_in_order() {
    let setup = Setup::new("modules plain").cpath_first("./first-?.so;;./second/?.so");
    let source = setup.dir().join("plain.c");
    let body = "#include <skynet.h>\nint plain_init(void *i, struct skynet_context *c, const char *p) {\n\
                (void)i; (void)p; skynet_error(c, \"fact from WHERE\"); return 0; }\n";
    std::fs::create_dir(setup.dir().join("second")).unwrap();
    std::fs::write(&source, body.replace("WHERE", "second")).unwrap();
    compile(&source, &setup.dir().join("second/plain.so"));
    assert_eq!(setup.start().facts(), ["from second", "launch plain works"]);
    std::fs::write(&source, body.replace("WHERE", "first")).unwrap();
    compile(&source, &setup.dir().join("first-plain.so"));
    assert_eq!(setup.start().facts(), ["from first", "launch plain works"]);
}

#[test]
fn a_path_without_a_question_mark_ends_the_process() {
    let setup = Setup::new("modules plain").line("cpath = './nothing'");
    let ended = setup.start().exit();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("Invalid C service path\n"),
        "{ended:?}"
    );
}

#[test]
fn the_number_of_modules_has_no_limit() {
    if !ours() {
        return;
    }
    let names: Vec<_> = (0..100).map(|i| format!("copy{i}.plain")).collect();
    let setup = Setup::new(&format!("modules {}", names.join(","))).cpath_first("./?.so");
    for name in &names {
        let file = setup.dir().join(format!("{name}.so"));
        std::fs::copy(crate::node::services().join("plain.so"), file).unwrap();
    }
    let facts = setup.start().facts();
    assert_eq!(
        facts.iter().filter(|f| f.ends_with(" works")).count(),
        100,
        "{facts:?}"
    );
}
