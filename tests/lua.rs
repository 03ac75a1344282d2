//! The Lua layer: runs `tests/lua/*.lua` and the examples on the executable, in an empty folder, so that everything but the
//! test itself comes from inside of the executable.
#![cfg(feature = "lua")]

mod tools;

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use tools::{root, scratch};

/// How long a node may take before it counts as stuck.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the executable to its end; returns its status and what it printed.
fn run_node(folder: &Path, config: &str) -> (ExitStatus, String) {
    let mut node = Command::new(env!("CARGO_BIN_EXE_skynet"))
        .arg(config)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the executable starts");
    let mut stdout = node.stdout.take().expect("stdout is a pipe");
    let (done, finished) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let result = stdout.read_to_end(&mut bytes);
        // Nobody receives when the node was stuck.
        let _ = done.send(result.map(|_| String::from_utf8_lossy(&bytes).into_owned()));
    });
    let output = finished.recv_timeout(LIMIT);
    if output.is_err() {
        node.kill().expect("the node can be killed");
    }
    let status = node.wait().expect("the node's status");
    let output = output
        .unwrap_or_else(|_| panic!("{config} still runs after {LIMIT:?}"))
        .expect("readable output");
    (status, output)
}

/// Runs one Lua test; every case of it has to pass.
fn run_test(name: &str) {
    let folder = scratch(&format!("lua-{name}"));
    let scripts = root().join("tests/lua");
    let scripts = scripts.display();
    let config = format!(
        "thread = 2\nharbor = 0\nstart = {name:?}\nluaservice = \"{scripts}/?.lua\"\nlua_path = \"{scripts}/?.lua\"\n"
    );
    std::fs::write(folder.join("config"), config).expect("config");
    let (status, output) = run_node(&folder, "config");
    assert!(status.success(), "{status}\n{output}");
    assert!(!output.contains("\nFAILED "), "{output}");
    assert!(
        output
            .lines()
            .any(|line| line.ends_with(" cases, 0 failed")),
        "{output}"
    );
}

#[test]
fn calls_answer_or_fail_as_documented() {
    run_test("calls");
}

#[test]
fn tasks_are_scheduled_as_documented() {
    run_test("tasks");
}

#[test]
fn sessions_in_use_are_not_given_out_again() {
    run_test("sessions");
}

#[test]
fn services_start_are_found_and_answer_the_console() {
    run_test("services");
}

#[test]
fn messages_have_the_bytes_that_other_nodes_read() {
    run_test("serialise");
}

#[test]
fn services_can_be_interrupted_limited_and_profiled() {
    run_test("machine");
}

#[test]
fn hello_plays_and_ends_by_itself() {
    let (status, output) = run_node(root(), "examples/hello/config");
    assert!(status.success(), "{status}\n{output}");
    for line in ["Hello Alice, I am Bob.", "pong has counted\t10001"] {
        assert!(output.contains(line), "no {line:?} in\n{output}");
    }
    assert!(output.contains("hello is done"), "{output}");
}
