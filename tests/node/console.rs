//! `skynet console`: commands of scripts, and what becomes of them.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::tools::peer::free_port;
use crate::tools::running::Node;
use crate::tools::scratch;

/// Status, standard output, standard error.
fn console(node: &str, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_skynet"))
        .args(["console", node])
        .args(arguments)
        .env("SKYNET_CONSOLE_PASSWORD", "open sesame")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn node(folder: &Path, port: u16) -> Node {
    let main = format!(
        "local skynet = require 'skynet'
skynet.start(function() skynet.newservice('debug_console', {port}) print 'the console is there' end)"
    );
    fs::write(folder.join("main.lua"), main).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.args(["run", ".", "--set", "debug_console_password=open sesame"]);
    let mut node = Node::spawn(command.current_dir(folder));
    node.wait("the console is there");
    node
}

#[test]
fn scripts_ask_a_node_by_its_port_or_its_process() {
    let port = free_port();
    let node = node(&scratch("console"), port);
    let process = node.id().to_string();
    for place in [&format!("127.0.0.1:{port}"), &port.to_string(), &process] {
        let (status, out, problem) = console(place, &["list"], "");
        assert_eq!(status, Some(0), "{place}: {out}{problem}");
        assert!(out.contains("\tsnlua main\n"), "{out}");
        assert!(!out.contains("<CMD"), "{out}");
    }
    let place = port.to_string();
    let (status, out, problem) = console(&place, &[], "list\nnosuch\n\nstat\n");
    assert_eq!(status, Some(1), "{out}{problem}");
    assert!(
        out.contains("\tsnlua main\n") && out.contains("\tmqlen:"),
        "{out}"
    );
    assert!(problem.contains("Invalid command"), "{problem}");
    let (status, out, _) = console(&place, &["--table", "stat"], "");
    assert_eq!(status, Some(0), "{out}");
    let heading = out.lines().next().unwrap_or_default();
    assert!(heading.contains("cpu") && !out.contains("mqlen:"), "{out}");
}

#[test]
fn what_is_no_console_is_told_with_status_2() {
    let nobody = free_port().to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let other = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"220 mail\r\n").unwrap();
    });
    let own = std::process::id().to_string();
    for (place, told) in [
        (nobody.as_str(), "Connection refused"),
        (port.as_str(), "no debug console of skynet"),
        ("nonsense", "a node is HOST:PORT"),
        ("999999999", "there is no such process"),
    ] {
        let (status, out, problem) = console(place, &["list"], "");
        assert_eq!(status, Some(2), "{place}: {out}{problem}");
        assert!(problem.contains(told), "{place}: {problem}");
    }
    other.join().unwrap();
    let (status, _, problem) = console(&own, &["list"], "");
    assert_eq!(status, Some(2), "{problem}");
    assert!(
        problem.contains("no debug console on the ports"),
        "{problem}"
    );
}
