//! `skynet console`: commands of scripts, and what becomes of them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::tools::peer::free_port;
use crate::tools::running::Node;
use crate::tools::scratch;
use crate::tools::terminal::Terminal;

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

#[test]
fn a_console_that_lies_does_not_steer_the_terminal() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let liar = std::thread::spawn(move || {
        for end in ["OK", "Error"] {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut stream = stream;
            stream.write_all(b"Welcome to skynet console\n").unwrap();
            while let Some(Ok(line)) = lines.next() {
                let answer = match line.as_str() {
                    "list" => {
                        format!("a\tb \x1b]0;title\x07\x1b[2J\r\u{9b}A\u{202e}\n<CMD {end}>\n")
                    }
                    _ => "<CMD OK>\n".into(),
                };
                if stream.write_all(answer.as_bytes()).is_err() {
                    break;
                }
            }
        }
    });
    let shown = r"a	b \x1b]0;title\x07\x1b[2J\x0d\xc2\x9bA\xe2\x80\xae";
    let (status, out, problem) = console(&port, &["list"], "");
    assert_eq!(status, Some(0), "{problem}");
    assert_eq!(out, format!("{shown}\n"));
    let (status, out, problem) = console(&port, &["list"], "");
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert_eq!(problem, format!("{shown}\n"));
    liar.join().unwrap();
}

/// The console on a terminal, with a history in that folder.
#[test]
fn an_answer_without_end_is_not_taken_in() {
    // Lines without end, and a line without end.
    for piece in ["{}\n", "x"] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let liar = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            stream.write_all(b"Welcome to skynet console\n").unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), "help");
            stream.write_all(b"<CMD OK>\n").unwrap();
            assert_eq!(lines.next().unwrap().unwrap(), "list");
            // Until the other end has had enough.
            while stream.write_all(piece.repeat(1 << 16).as_bytes()).is_ok() {}
        });
        let (status, out, problem) = console(&port, &["list"], "");
        assert_eq!((status, out.as_str()), (Some(2), ""), "{problem}");
        assert!(
            problem.contains("the answer to `list` is larger than 32 MiB"),
            "{problem}"
        );
        liar.join().unwrap();
    }
}

fn on_terminal(folder: &Path, place: &str) -> Terminal {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.args(["console", place]);
    command.env_remove("SKYNET_CONSOLE_PASSWORD");
    command.env("XDG_STATE_HOME", folder.join("state"));
    Terminal::spawn(&mut command, 80, 24)
}

#[test]
fn a_terminal_is_asked_for_the_password_and_does_not_show_it() {
    let folder = scratch("console-password");
    let port = free_port();
    let _node = node(&folder, port);
    let place = format!(":{port}");
    let mut console = on_terminal(&folder, &place);
    console.wait("password of ").types("open sesame\n");
    console.wait("`help` lists the commands").wait("skynet> ");
    // What a tab makes of the begin of a word.
    console.types("getenv thr").types("ead\r").wait("thread");
    console.types("netst\t\r").wait("LISTEN").wait("skynet> ");
    console.types("\x04");
    assert!(console.ends().success());
    assert!(console.is_cooked() && !console.seen().contains("sesame"));
    let mut console = on_terminal(&folder, &place);
    console.wait("password of ").types("wrong\n");
    console.wait("the password is wrong");
    assert_eq!(console.ends().code(), Some(2));
}

#[test]
fn a_session_outlives_its_node_and_its_history_outlives_the_session() {
    let folder = scratch("console-history");
    let port = free_port();
    let first = node(&folder, port);
    let place = port.to_string();
    let mut console = on_terminal(&folder, &place);
    console.wait("password of ").types("open sesame\n");
    console
        .wait("skynet> ")
        .types("getenv \\\rharbor\r")
        .wait("harbor");
    console.wait("skynet> ");
    drop(first);
    console.types("list\r").wait("not connected> ");
    console.types("list\r").wait("refused");
    let second = node(&folder, port);
    console.types("list\r").wait("snlua main").wait("skynet> ");
    // The session does not end by itself.
    drop(console);
    let mut console = on_terminal(&folder, &place);
    console.wait("password of ").types("open sesame\n");
    console.wait("skynet> ").types("\x1b[A\x1b[A\x1b[A\x1b[A\r");
    console.wait("harbor").wait("0");
    drop(second);
}
