//! Editors come, start nodes, are turned away and go.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use super::processes::{debug, editor_of};
use super::{Debugged, EXE, copy_project, line_of};
use crate::tools::editor::Editor;
use crate::tools::peer::program;
use crate::tools::{root, run, scratch};

#[test]
fn paths_of_another_machine_are_mapped() {
    let mut debugged = Debugged::start("debug_paths", &[]);
    let mut editor = Editor::connect(debugged.port);
    let mappings =
        json!({ "pathMappings": [{ "localRoot": "/there", "remoteRoot": debugged.folder }] });
    let line = json!([{ "line": debugged.line("main.lua", "inside") }]);
    editor.attach("attach", mappings, &[], &[("/there/main.lua", line)]);
    debugged.node.types("add 1 1");
    let (thread, _) = editor.stopped();
    assert_eq!(
        editor.frames(thread)[0]["source"]["path"],
        "/there/main.lua"
    );
}

#[test]
fn a_lost_editor_lets_everything_run() {
    let mut debugged = Debugged::start("debug_lost", &[]);
    let mut editor = debugged.editor(&[], &["inside"]);
    debugged.node.types("add 1 1");
    editor.stopped();
    drop(editor);
    debugged
        .node
        .wait("add 1 1: 2")
        .types("add 2 2")
        .wait("add 2 2: 4");
    // Another one finds no breakpoint of the first.
    let mut editor = debugged.editor(&[], &[]);
    debugged.node.types("add 3 3").wait("add 3 3: 6");
    editor.get("disconnect", json!({}));
}

/// Whoever has not given the password can end nothing but the own connection.
#[test]
fn requests_of_strangers_have_no_effect() {
    let mut debugged = Debugged::start("debug_unknown", &["debug_adapter_password=sesame"]);
    let end = json!({ "terminateDebuggee": true });
    for request in [
        "disconnect",
        "terminate",
        "configurationDone",
        "attach",
        "launch",
        "setBreakpoints",
        "setExceptionBreakpoints",
        "threads",
        "pause",
        "evaluate",
        "source",
    ] {
        for initialized in [false, true] {
            let mut editor = Editor::connect(debugged.port);
            if initialized {
                editor.get("initialize", json!({}));
            }
            let answer = editor.ask(request, end.clone());
            assert_eq!(answer.is_ok(), request == "disconnect", "{request}");
        }
    }
    debugged.node.types("add 1 2").wait("add 1 2: 3");
}

#[test]
fn only_one_editor_at_a_time_with_the_password_and_no_browser() {
    let debugged = Debugged::start("debug_strangers", &["debug_adapter_password=sesame"]);
    let mut editor = Editor::connect(debugged.port);
    assert!(
        editor
            .ask("attach", json!({}))
            .unwrap_err()
            .contains("initialize")
    );
    editor.get("initialize", json!({}));
    assert!(
        editor
            .ask("threads", json!({}))
            .unwrap_err()
            .contains("attach")
    );
    let wrong = editor
        .ask("attach", json!({ "password": "Sesame" }))
        .unwrap_err();
    assert!(wrong.contains("password"), "{wrong}");
    editor.get("attach", json!({ "password": "sesame" }));

    let mut second = Editor::connect(debugged.port);
    let refused = second.ask("initialize", json!({})).unwrap_err();
    assert!(
        refused.contains("another editor is attached, from 127.0.0.1"),
        "{refused}"
    );

    for stranger in [
        &b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"[..],
        b"Content-Length: 99999999\r\n\r\n",
        b"Content-Length: 4\r\n\r\nnull",
        b"Content-Length: 2\r\nHost: x\r\n\r\n{}",
        b"\0\0\0\0\0\0\0\0",
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", debugged.port)).unwrap();
        stream.write_all(stranger).unwrap();
        let mut answer = Vec::new();
        // It is closed, or reset with what was not read.
        let _ = stream.read_to_end(&mut answer);
        assert!(
            !answer.starts_with(b"HTTP"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
    }
    assert!(editor.get("threads", json!({}))["threads"].is_array());
}

#[test]
fn an_editor_starts_a_node_and_gets_what_it_writes_and_how_it_ends() {
    let folder = copy_project("debug_started");
    fs::write(
        folder.join("once.lua"),
        "local skynet = require 'skynet.manager'\nlocal word = 'written'\nskynet.start(function()\n\tprint(word)\n\tskynet.abort()\nend)\n",
    )
    .unwrap();
    let mut child = debug(&folder, "once.lua").spawn().unwrap();
    let mut editor = editor_of(&mut child);
    let file = folder.join("once.lua").display().to_string();
    editor.attach(
        "launch",
        json!({ "stopOnEntry": true }),
        &[],
        &[(&*file, json!([{ "line": 4 }]))],
    );
    let (thread, reason) = editor.stopped();
    assert_eq!(reason, "entry");
    assert_eq!(editor.stack(thread)[0].2, 1);
    editor.go("continue", thread);
    let (thread, _) = editor.stopped();
    let top = editor.top(thread);
    assert_eq!(
        editor.evaluate(top, "word = word .. '!'"),
        Ok(String::new())
    );
    editor.go("continue", thread);
    let line = editor.event("output", |body| body["output"] == "written!\n");
    assert_eq!(line["category"], "stdout");
    assert_eq!(editor.event("exited", |_| true)["exitCode"], 0);
    editor.event("terminated", |_| true);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_node_that_cannot_start_tells_the_editor_why() {
    let folder = scratch("debug_refused");
    fs::write(folder.join("config"), "thread = {").unwrap();
    let mut child = debug(&folder, "config").spawn().unwrap();
    let mut editor = editor_of(&mut child);
    let why = editor.ask("initialize", json!({})).unwrap_err();
    assert!(
        why.contains("status 1") && why.contains("config:1"),
        "{why}"
    );
    child.wait().unwrap();
}

#[test]
fn an_editor_that_comes_at_once_finds_nothing_stopped() {
    let mut debugged = Debugged::start("debug_succession", &[]);
    let line = json!([{ "line": debugged.line("same.lua", "starts") }]);
    let file = debugged.file("same.lua");
    let mut editor = debugged.editor(&[], &[]);
    for _ in 0..3 {
        editor.breakpoints(&file, &line);
        debugged.node.types("many 8");
        for _ in 0..8 {
            editor.stopped();
        }
        // It has been told who the next one is before anybody that is stopped looks.
        let mut next = Editor::connect(debugged.port);
        editor.get("disconnect", json!({}));
        next.attach("attach", json!({}), &[], &[]);
        for _ in 0..8 {
            debugged.node.wait("same started");
        }
        assert!(!next.has_stopped(), "what it has not asked for");
        editor = next;
    }
}

#[test]
fn silent_strangers_do_not_keep_an_editor_out() {
    let debugged = Debugged::start("debug_silent", &["debug_adapter_password=sesame"]);
    let _strangers: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(("127.0.0.1", debugged.port)).unwrap())
        .collect();
    let mut editor = Editor::connect(debugged.port);
    editor.attach("attach", json!({ "password": "sesame" }), &[], &[]);
    let _more: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(("127.0.0.1", debugged.port)).unwrap())
        .collect();
    assert!(editor.get("threads", json!({}))["threads"].is_array());
}

#[test]
fn a_request_without_an_argument_is_told_which_one() {
    let debugged = Debugged::start("debug_arguments", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let source = json!({ "path": "/x.lua" });
    for (command, arguments, expected) in [
        ("setBreakpoints", json!({}), "source is missing"),
        (
            "setBreakpoints",
            json!({ "source": source, "breakpoints": [{ "line": 1 }, {}] }),
            "breakpoints[1].line is missing",
        ),
        (
            "setBreakpoints",
            json!({ "source": source, "breakpoints": [{ "line": 1, "condition": 2 }] }),
            "breakpoints[0].condition is not a string",
        ),
        ("stackTrace", json!({}), "threadId is missing"),
        (
            "pause",
            json!({ "threadId": "x" }),
            "threadId is not a whole number",
        ),
        ("evaluate", json!(7), "expression is missing"),
        (
            "setExceptionBreakpoints",
            json!({ "filters": [{}] }),
            "filters[0] is not a string",
        ),
    ] {
        let problem = editor.ask(command, arguments).unwrap_err();
        assert_eq!(problem, format!("the argument {expected}"), "{command}");
    }
}

#[test]
fn a_killed_adapter_leaves_nothing_behind() {
    let mut debugged = Debugged::start("debug_adapter_killed", &[]);
    let line = debugged.node.last().to_owned();
    let address = line.split_once("[:").unwrap().1.split_once(']').unwrap().0;
    let address = u32::from_str_radix(address, 16).unwrap();
    let mut editor = debugged.editor(&[], &["inside"]);
    debugged.node.types("hook").wait("hook: external hook");
    debugged.node.types("add 1 1");
    editor.stopped();
    debugged
        .node
        .types(&format!("adapter {address}"))
        .wait_all(&["adapter killed", "add 1 1: 2"])
        .types("add 2 2")
        .wait("add 2 2: 4")
        .types("hook")
        .wait("hook: nil");
}

#[test]
fn a_number_that_is_no_port_is_refused() {
    let folder = copy_project("debug_port");
    let mut node = crate::tools::running::Node::spawn(
        Command::new(EXE)
            .args(["run", ".", "--set", "debug_adapter=65536"])
            .current_dir(&folder),
    );
    node.wait("65536 is no port");
}

/// The folder of npm packages that the tests of debug adapters of Visual Studio Code are in, made when first needed.
fn test_support() -> PathBuf {
    const PACKAGE: &str = "@vscode/debugadapter-testsupport@1.68.0";
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("debugadapter-testsupport");
    let modules = folder.join("node_modules");
    if !modules.join("@vscode/debugadapter-testsupport").exists() {
        fs::create_dir_all(&folder).unwrap();
        run(Command::new(program("npm", "npm"))
            .args([
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--no-save",
            ])
            .arg("--prefix")
            .arg(&folder)
            .arg(PACKAGE));
    }
    modules
}

#[test]
fn the_tests_of_adapters_for_visual_studio_code_pass() {
    let modules = test_support();
    let peer = |folder: &Path, line: u64, port: Option<u16>| {
        let mut command = Command::new(program("node", "nodejs"));
        command.arg(root().join("tests/node/debugger/peer.js"));
        command.args([Path::new(EXE), folder]).arg(line.to_string());
        command.args(port.map(|port| port.to_string()));
        run(command.env("NODE_PATH", &modules));
    };
    let folder = scratch("debug_peer");
    fs::write(
        folder.join("main.lua"),
        "local skynet = require 'skynet.manager'\n\nlocal function add(a, b)\n\tlocal sum = a + b -- adds\n\treturn sum\nend\n
skynet.start(function()\n\tprint('the sum is ' .. add(1, 2))\n\tskynet.abort()\nend)\n",
    )
    .unwrap();
    peer(&folder, line_of(&folder.join("main.lua"), "adds"), None);
    let mut debugged = Debugged::start("debug_peer_attached", &[]);
    debugged.node.types("add 1 1").wait("add 1 1: 2");
    peer(&debugged.folder, 1, Some(debugged.port));
}
