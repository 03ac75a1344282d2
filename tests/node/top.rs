//! `skynet top`: printed for scripts, and on a terminal, which gets back what it was.

use std::fs;
use std::process::{Command, Output};

use crate::tools::peer::free_port;
use crate::tools::running::Node;
use crate::tools::scratch;
use crate::tools::terminal::{Terminal, ended_by};

const MAIN: &str = "local skynet = require 'skynet'
skynet.start(function()
	skynet.newservice('debug_console', PORT)
	skynet.newservice('worker', 'one')
	print 'the console is there'
end)";

/// It has always something to do, and a task that waits.
const WORKER: &str = "local skynet = require 'skynet'
skynet.info_func(function() return 'what the worker tells' end)
skynet.start(function()
	skynet.fork(function() while true do for _ = 1, 1000 do end skynet.yield() end end)
	skynet.fork(function() while true do skynet.sleep(1000) end end)
end)";

fn node(name: &str, password: Option<&str>) -> (Node, String) {
    let folder = scratch(name);
    let port = free_port().to_string();
    fs::write(folder.join("main.lua"), MAIN.replace("PORT", &port)).unwrap();
    fs::write(folder.join("worker.lua"), WORKER).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.args(["run", ".", "--set", "thread=2"]);
    if let Some(password) = password {
        command.args(["--set", &format!("debug_console_password={password}")]);
    }
    let mut node = Node::spawn(command.current_dir(folder));
    node.wait("the console is there");
    (node, port)
}

fn top(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.arg("top").args(arguments);
    command.env_remove("SKYNET_CONSOLE_PASSWORD");
    command
}

fn printed(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = top(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn scripts_get_a_table_or_json() {
    let (node, port) = node("top-once", None);
    let (status, out, problem) = printed(&[&port, "--once", "--interval", "0.3"]);
    assert_eq!((status, problem.as_str()), (Some(0), ""), "{out}");
    let lines: Vec<_> = out.lines().collect();
    let titles = lines.iter().position(|line| line.starts_with("ADDRESS"));
    let first = lines[titles.expect("titles") + 1];
    // The busiest is the first.
    assert!(first.ends_with("  snlua worker one"), "{out}");
    let (status, out, problem) = printed(&[
        &node.id().to_string(),
        "--json",
        "-i",
        "0.3",
        "--filter",
        "worker",
    ]);
    assert_eq!((status, problem.as_str()), (Some(0), ""), "{out}");
    let object: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(object["pid"], node.id());
    let services = object["services"].as_array().unwrap();
    assert_eq!(services.len(), 1, "{out}");
    assert!(
        services[0]["messages_per_second"].as_f64() > Some(0.0),
        "{out}"
    );
    assert!(services[0]["lua"].as_u64() > Some(1000), "{out}");
    let (_, out, _) = printed(&[&port, "--once", "--sockets", "-i", "0.1"]);
    assert!(out.contains(&format!("127.0.0.1:{port}")), "{out}");
}

#[test]
fn what_cannot_be_looked_at_is_told_with_status_2() {
    let (_node, port) = node("top-refused", Some("open sesame"));
    let nobody = free_port().to_string();
    for (arguments, told) in [
        (&[nobody.as_str(), "--once"][..], "Connection refused"),
        (
            &[&port, "--once"],
            "wants a password: give it in SKYNET_CONSOLE_PASSWORD",
        ),
        (&[&port], "the output is no terminal"),
    ] {
        // No terminal that could be asked for the password.
        let mut command = top(arguments);
        let output = without_terminal(&mut command).output().unwrap();
        let problem = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{problem}");
        assert!(problem.contains(told), "{problem}");
    }
    let mut command = top(&[&port, "--once"]);
    command.env("SKYNET_CONSOLE_PASSWORD", "wrong");
    let problem = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(problem.contains("the password is wrong"), "{problem}");
}

fn without_terminal(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt;
    // SAFETY: one system call that touches no memory.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        })
    }
}

/// What a terminal is told at the end of a screen.
const BACK: &str = "\x1b[?1049l";

/// ^L: everything is drawn, not only what has changed.
const REDRAW: &str = "\x0c";

#[test]
fn a_screen_shows_the_node_and_gives_the_terminal_back() {
    let (_node, port) = node("top-screen", None);
    let mut screen = Terminal::spawn(&mut top(&[&port, "-i", "0.2"]), 80, 24);
    screen.wait("\x1b[?1049h").wait("HANDLED").wait("worker");
    assert!(!screen.is_cooked());
    // Sockets, then the service of the console by the one that listens.
    screen.types("2").shows(REDRAW, "PEER");
    screen.shows(REDRAW, &port);
    screen
        .types("1")
        .types("/worker\r")
        .shows(REDRAW, "\"worker\"");
    screen.types("\r").shows(REDRAW, "traceback:");
    screen.shows(REDRAW, "worker.lua:");
    // The end of what there is.
    screen.types("\x1b[F").shows(REDRAW, "tells");
    screen.types("\x7f").resize(140, 40).shows(REDRAW, "LUA");
    screen.types("q").wait(BACK);
    assert!(screen.ends().success());
    assert!(screen.is_cooked());
}

#[test]
fn signals_end_and_stop_a_screen_as_any_program() {
    let (_node, port) = node("top-signals", None);
    let mut screen = Terminal::spawn(&mut top(&[&port, "-i", "0.2"]), 80, 24);
    screen.wait("HANDLED");
    screen.signal(libc::SIGTSTP).wait(BACK).stops();
    assert!(screen.is_cooked());
    screen
        .signal(libc::SIGCONT)
        .wait("\x1b[?1049h")
        .wait("HANDLED");
    assert!(!screen.is_cooked());
    screen.types("\x1a").wait(BACK).stops();
    screen
        .signal(libc::SIGCONT)
        .wait("\x1b[?1049h")
        .wait("HANDLED");
    screen.signal(libc::SIGTERM).wait(BACK);
    assert_eq!(ended_by(screen.ends()), Some(libc::SIGTERM));
    assert!(screen.is_cooked());
}

#[test]
fn a_node_that_goes_is_told_and_kill_is_a_question() {
    let (node, port) = node("top-gone", None);
    let mut screen = Terminal::spawn(&mut top(&[&port, "-i", "0.2"]), 80, 24);
    screen.wait("HANDLED").types("/worker\r").wait("\"worker\"");
    screen.types("K").wait("(y/n)").types("y").wait("done");
    drop(node);
    screen.wait("refused");
    screen.types("q").wait(BACK);
    assert!(screen.ends().success());
}
