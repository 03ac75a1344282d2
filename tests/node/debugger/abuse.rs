//! What an editor, a script or a second adapter does that none should, harms nobody.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::fd::FromRawFd;
use std::process::Command;

use serde_json::json;

use super::{Debugged, stopped_at};
use crate::tools::editor::Editor;
use crate::tools::run;

/// More than a text for people has, and less than twice that.
const MOST: usize = 100 * 1024;

pub(super) fn evaluate(editor: &mut Editor, thread: u64, text: &str) -> Result<String, String> {
    let top = editor.top(thread);
    editor.evaluate(top, text)
}

#[test]
fn an_expression_that_closes_its_coroutine_is_told_so() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_closed", "inside", "add 1 2");
    for text in [
        "coroutine.close()",
        "pcall(function() coroutine.close() end)",
        "(function() local x <close> = setmetatable({}, { __close = function() end }) coroutine.close() end)()",
        "(function() setmetatable({}, { __gc = function() coroutine.close() end }) collectgarbage() end)()",
    ] {
        let why = evaluate(&mut editor, thread, text).unwrap_err();
        assert_eq!(why, "the coroutine in which this runs was closed", "{text}");
    }
    for (text, expected) in [("n + by", "3"), ("collectgarbage 'isrunning'", "true")] {
        let shown = evaluate(&mut editor, thread, text);
        assert_eq!(shown.as_deref(), Ok(expected), "all is as before");
    }
    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 3");
}

#[test]
fn no_finalizer_runs_while_somebody_looks_around() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_finalizers", "litters", "litter");
    let top = editor.top(thread);
    let finalized = |editor: &mut Editor| {
        let (_, upvalues) = editor.scope(top, "Upvalues");
        let found = upvalues.iter().find(|(name, _)| name == "finalized");
        found.unwrap().1.parse::<u32>().unwrap()
    };
    let before = finalized(&mut editor);
    let scopes = editor.get("scopes", json!({ "frameId": top }));
    let globals = scopes["scopes"][2]["variablesReference"].as_u64().unwrap();
    for _ in 0..50 {
        editor.variables(globals);
    }
    assert_eq!(finalized(&mut editor), before);
    // The collector is as it was, here and later.
    for text in ["collectgarbage() and nil", "collectgarbage 'isrunning'"] {
        let expected = if text.contains("nil") { "nil" } else { "true" };
        assert_eq!(editor.evaluate(top, text).as_deref(), Ok(expected));
    }
    let after = finalized(&mut editor);
    assert!(
        after > 900,
        "{after} of 1000; Lua may still hold one in a register"
    );
    editor.go("continue", thread);
    debugged.node.wait("litter: true").types("stop").ends();
}

#[test]
fn texts_of_many_megabytes_are_shown_in_part() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_long", "inside", "add 1 2");
    for text in [
        "error(string.rep('x', 1 << 24))",
        "error(setmetatable({}, { __name = string.rep('x', 1 << 24) }))",
        "('", // does not compile
    ] {
        let text = match text {
            "('" => format!("1 + '{}", "x".repeat(1 << 20)),
            other => other.to_owned(),
        };
        let why = evaluate(&mut editor, thread, &text).unwrap_err();
        assert!(why.len() < MOST, "{} bytes", why.len());
    }
    for text in [
        "string.rep('\\u{4e2d}', 1 << 22)",
        "string.rep('\\xff', 1 << 24)",
        "table.unpack(setmetatable({}, { __index = function() return string.rep('x', 1 << 20) end }), 1, 200)",
    ] {
        let shown = evaluate(&mut editor, thread, text).unwrap();
        assert!(shown.len() < 5 * MOST, "{} bytes of {text}", shown.len());
        assert!(!shown.contains('\u{fffd}'), "whole characters: {text}");
    }
    let top = editor.top(thread);
    let name = "{ [string.rep('k', 1 << 22)] = 1 }";
    let arguments = json!({ "expression": name, "frameId": top, "context": "watch" });
    let table = editor.get("evaluate", arguments)["variablesReference"].as_u64();
    let inside = editor.variables(table.unwrap());
    assert!(inside[0].0.len() < 2048 && inside[0].1 == "1");
    let set = json!({ "variablesReference": table, "name": inside[0].0, "value": "2" });
    assert_eq!(
        editor.ask("setVariable", set).unwrap_err(),
        "it cannot be changed"
    );

    let (file, line) = (
        debugged.file("main.lua"),
        debugged.line("main.lua", "inside"),
    );
    let log = "{string.rep('x', 1 << 24)}{error(string.rep('y', 1 << 24))}".repeat(20);
    editor.breakpoints(&file, &json!([{ "line": line, "logMessage": log }]));
    editor.go("continue", thread);
    debugged.node.types("add 3 4").wait("add 3 4: 7");
    let line = editor.event("output", |body| body["category"] == "console");
    assert!(line["output"].as_str().unwrap().len() < 2 * MOST);

    editor.breakpoints(&file, &json!([]));
    editor.get(
        "setExceptionBreakpoints",
        json!({ "filters": ["uncaught"] }),
    );
    debugged.node.types("long");
    let stopped = editor.event("stopped", |body| body["reason"] == "exception");
    assert!(stopped["text"].as_str().unwrap().len() < MOST);
    let thread = stopped["threadId"].as_u64().unwrap();
    let info = editor.get("exceptionInfo", json!({ "threadId": thread }));
    assert!(info.to_string().len() < 3 * MOST);
    editor.go("continue", thread);
    debugged.node.wait("long: failed");
}

#[test]
fn a_second_adapter_ends_and_the_first_goes_on() {
    let mut debugged = Debugged::start("debug_second", &[]);
    let mut editor = debugged.editor(&[], &["inside"]);
    debugged
        .node
        .types("second")
        .wait_all(&["the node has one already, which goes on", "second ended"]);
    debugged.node.types("add 1 2");
    let (thread, _) = editor.stopped();
    for call in [
        "attach()",
        "detach()",
        "ready()",
        "options {}",
        "breakpoints('/x', {})",
        "pause(1)",
        "post(1, '')",
        "waiting()",
        "next()",
    ] {
        let text = format!("require('skynet.debugger').{call}");
        let why = evaluate(&mut editor, thread, &text).unwrap_err();
        assert_eq!(
            why, "this service is not the debug adapter of the node",
            "{call}"
        );
    }
    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 3").types("add 3 4");
    editor.stopped();
    editor.get("disconnect", json!({}));
    debugged.node.wait("add 3 4: 7");
}

#[test]
fn what_is_asked_late_about_a_stop_is_not_about_the_next_one() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_late", "inside", "add 1 2");
    let top = editor.top(thread);
    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 3").types("add 3 4");
    editor.stopped();
    let next = editor.top(thread);
    assert!(
        editor.ask("scopes", json!({ "frameId": top })).is_err(),
        "{top} is not {next}"
    );
    assert!(editor.evaluate(top, "n").is_err());
    assert_eq!(editor.evaluate(next, "n").as_deref(), Ok("3"));
}

#[test]
fn silent_strangers_do_not_end_the_connection_of_an_editor_that_has_spoken() {
    let debugged = Debugged::start("debug_spoken", &["debug_adapter_password=sesame"]);
    let mut editor = Editor::connect(debugged.port);
    editor.get("initialize", json!({}));
    let strangers: Vec<TcpStream> = (0..100)
        .map(|_| TcpStream::connect(("127.0.0.1", debugged.port)).unwrap())
        .collect();
    let mut last = Editor::connect(debugged.port);
    last.get("initialize", json!({}));
    editor.attach("attach", json!({ "password": "sesame" }), &[], &[]);
    drop(strangers);
}

/// A connection to a port of 127.0.0.1 that comes from 127.66.0.1.
fn from_elsewhere(port: u16) -> TcpStream {
    let address = |host: [u8; 4], port: u16| libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: port.to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(host),
        },
        sin_zero: [0; 8],
    };
    let size = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the addresses live as long as the calls, and the descriptor is this function's.
    unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0);
        let (from, to) = (address([127, 66, 0, 1], 0), address([127, 0, 0, 1], port));
        assert_eq!(libc::bind(fd, (&raw const from).cast(), size), 0);
        assert_eq!(libc::connect(fd, (&raw const to).cast(), size), 0);
        TcpStream::from_raw_fd(fd)
    }
}

#[test]
fn strangers_of_another_address_leave_an_editor_the_time_to_attach() {
    let debugged = Debugged::start("debug_elsewhere", &[]);
    let mut editor = Editor::connect(debugged.port);
    editor.get("initialize", json!({}));
    let hello = r#"{"seq":1,"type":"request","command":"initialize","arguments":{}}"#;
    let mut strangers: Vec<TcpStream> = (0..100).map(|_| from_elsewhere(debugged.port)).collect();
    for stranger in &mut strangers {
        // Those that are turned away meanwhile cannot be written to, or read from.
        let _ = write!(stranger, "Content-Length: {}\r\n\r\n{hello}", hello.len());
        let _ = stranger.read(&mut [0; 64]);
    }
    editor.attach("attach", json!({}), &[], &[]);
    drop(strangers);
}

/// The service that an editor has stopped goes on when the editor's machine has gone without a word.
#[test]
#[cfg(target_os = "linux")]
fn the_connection_of_an_editor_is_probed() {
    let debugged = Debugged::start("debug_probed", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let local = format!(":{:04X} ", debugged.port);
    // Until all that was sent is acknowledged, another timer runs (Linux, Documentation/networking/proc_net_tcp.rst).
    let timer = std::iter::repeat_with(|| {
        assert!(editor.get("threads", json!({}))["threads"].is_array());
        let table = fs::read_to_string("/proc/net/tcp").unwrap();
        let connection = |line: &&str| line.contains(&local) && line.contains(" 01 ");
        let line = table.lines().filter(connection).find(|line| {
            line.split_whitespace()
                .nth(1)
                .is_some_and(|address| format!("{address} ").ends_with(&local))
        });
        line.and_then(|line| {
            let field = line.split_whitespace().nth(5)?;
            let (kind, when) = field.split_once(':')?;
            let ticks = u64::from_str_radix(when, 16).ok()?;
            (kind == "02").then_some(ticks)
        })
    })
    .flatten()
    .next();
    assert!(timer.unwrap() <= 60 * 100, "in 1/100 s");
}

/// In a coroutine of which a profile takes samples faster than it runs instructions.
#[test]
fn what_does_not_end_by_itself_ends_while_a_profile_is_taken() {
    let mut debugged = Debugged::start("debug_profiled", &[]);
    let mut editor = debugged.editor(&[], &["resumes"]);
    debugged.node.types("profile").wait("profile begun");
    for text in [
        "(function() while true do string.rep('x', 1 << 22) end end)()",
        "(function() while true do pcall(string.rep, 'x', 1 << 22) end end)()",
    ] {
        debugged.node.types("resume");
        let (thread, _) = editor.stopped();
        let top = editor.top(thread);
        let arguments = json!({ "expression": text, "frameId": top, "context": "repl" });
        editor.send("evaluate", arguments);
        editor.go("continue", thread);
        debugged.node.wait("resume: ");
    }
}

#[test]
fn an_error_of_a_finalizer_is_one_that_nobody_catches() {
    let mut debugged = Debugged::start("debug_finalizer_fails", &[]);
    let mut editor = debugged.editor(&["caught"], &[]);
    debugged.node.types("finalize").wait("finalize: true");
    editor.get("threads", json!({}));
    assert!(!editor.has_stopped());
    editor.get(
        "setExceptionBreakpoints",
        json!({ "filters": ["uncaught"] }),
    );
    debugged.node.types("finalize");
    let (thread, reason) = editor.stopped();
    assert_eq!(reason, "exception");
    let line = debugged.line("main.lua", "finalizes");
    assert_eq!(editor.stack(thread)[0].2, line);
    editor.go("continue", thread);
    debugged.node.wait("finalize: true");
}

/// Also one that came while a service was still about to leave the stop of the editor before.
#[test]
fn a_pause_right_after_another_editor_has_come_is_met() {
    let mut debugged = Debugged::start("debug_pause_next", &[]);
    debugged.node.types("spin");
    let mut editor = debugged.editor(&[], &["spins"]);
    for _ in 0..20 {
        let (thread, _) = editor.stopped();
        let mut next = Editor::connect(debugged.port);
        editor.get("disconnect", json!({}));
        next.get("initialize", json!({}));
        next.get("attach", json!({}));
        next.go("pause", thread);
        assert_eq!(next.stopped(), (thread, "pause".into()));
        let list = json!([{ "line": debugged.line("main.lua", "spins") }]);
        next.breakpoints(&debugged.file("main.lua"), &list);
        next.go("continue", thread);
        editor = next;
    }
    debugged.node.types("kill").wait("killed");
}

#[test]
fn a_node_that_waits_for_an_editor_ends_when_none_can_come() {
    let folder = super::copy_project("debug_no_port");
    let mut command = std::process::Command::new(super::EXE);
    command.args(["run", ".", "--set", "debug_adapter=65536"]);
    command.args(["--set", "debug_adapter_wait=true"]);
    let mut node = crate::tools::running::Node::spawn(command.current_dir(&folder));
    let written = node.ends().join("\n");
    for text in ["65536 is no port", "no editor can come, so the node ends"] {
        assert!(written.contains(text), "{written}");
    }
}

/// A pipe without a writer, a device, a folder, a file without an end: the adapter waits for none, and reads none.
#[test]
fn a_source_that_is_no_file_of_some_size_is_not_read() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_no_source", "inside", "add 1 2");
    let (pipe, long) = (debugged.file("pipe"), debugged.file("long.lua"));
    run(Command::new("mkfifo").arg(&pipe));
    fs::File::create(&long).unwrap().set_len(1 << 40).unwrap();
    for (path, why) in [
        (&*pipe, "it is no regular file"),
        ("/dev/zero", "it is no regular file"),
        ("/", "it is no regular file"),
        (&long, "it has more than 16 MiB"),
        ("/nosuch", "No such file or directory (os error 2)"),
    ] {
        let set = editor.breakpoints(path, &json!([{ "line": 1 }]));
        let message = format!("the node cannot read this file ({why}): the line is taken as it is");
        assert_eq!(
            (&set[0]["verified"], &set[0]["message"]),
            (&json!(true), &json!(message))
        );
        let source = json!({ "source": { "path": path } });
        assert_eq!(editor.ask("source", source).unwrap_err(), why, "{path}");
    }
    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 3");
}

/// What the compiler says has the line in it, and what is in a file need not be UTF-8.
#[test]
fn what_is_wrong_with_a_source_is_told_in_short() {
    let debugged = Debugged::start("debug_wrong_source", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let (wrong, other) = (debugged.file("wrong.lua"), debugged.file("other.lua"));
    fs::write(&wrong, [b"x = '".as_slice(), &vec![0xe4; 1 << 20]].concat()).unwrap();
    let many: Vec<_> = (1..=100).map(|line| json!({ "line": line })).collect();
    let set = editor.breakpoints(&wrong, &json!(many));
    assert_eq!(set[99]["verified"], false);
    let message = set[99]["message"].as_str().unwrap();
    assert!(
        message.contains("unfinished string") && message.len() < 4096,
        "{message}"
    );
    fs::write(&other, b"x = '\xe4' -- \xff\xfe").unwrap();
    let text = editor.get("source", json!({ "source": { "path": other } }));
    assert_eq!(text["content"], "x = '\u{fffd}' -- \u{fffd}\u{fffd}");
}

/// Sends text to an adapter and reads nothing until it says no more; what came until then.
fn shouted(port: u16, texts: impl Iterator<Item = String>) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for text in texts {
        let message = format!("Content-Length: {}\r\n\r\n{text}", text.len());
        if stream.write_all(message.as_bytes()).is_err() {
            break; // it was closed
        }
    }
    let mut read = Vec::new();
    // What was sent after the end resets the connection.
    let _ = stream.read_to_end(&mut read);
    String::from_utf8(read).unwrap()
}

#[test]
fn a_stranger_is_answered_a_hundred_times_and_in_short() {
    let mut debugged = Debugged::start("debug_stranger", &["debug_adapter_password=sesame"]);
    let request = |command: &str| json!({ "seq": 1, "type": "request", "command": command });
    let long = request(&"x".repeat(60_000)).to_string();
    let begin = std::iter::once(request("initialize").to_string());
    let answers = shouted(
        debugged.port,
        begin.chain(std::iter::repeat_n(long.clone(), 99)),
    );
    assert_eq!(answers.matches("\"type\":\"response\"").count(), 100);
    assert!(answers.len() < MOST, "{} bytes", answers.len());
    debugged.node.wait("it asks, and does not attach");

    // Who is there already has no such limit; who comes second is told so.
    let mut editor = Editor::connect(debugged.port);
    editor.attach("attach", json!({ "password": "sesame" }), &[], &[]);
    for _ in 0..150 {
        let why = editor.ask("nosuch", json!({})).unwrap_err();
        assert_eq!(why, "this adapter has no request nosuch");
    }
    let answer = shouted(debugged.port, std::iter::once(long));
    assert!(answer.contains("another editor is attached"), "{answer}");
    assert!(answer.len() < 1024, "{} bytes", answer.len());
}

/// In a file of as many lines, which the adapter must not go through for each of them.
#[test]
fn ten_thousand_breakpoints_are_set_in_a_file_and_no_more() {
    let debugged = Debugged::start("debug_many_breakpoints", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let file = debugged.file("many.lua");
    fs::write(&file, "local x = 1\n\n".repeat(100)).unwrap();
    let list = |count: u64| {
        json!(
            (1..=count)
                .map(|n| json!({ "line": n }))
                .collect::<Vec<_>>()
        )
    };
    let set = editor.breakpoints(&file, &list(10_000));
    let place = |n: usize| (&set[n - 1]["verified"], &set[n - 1]["line"]);
    for (wanted, line) in [(1, 1), (2, 3), (3, 3), (198, 199), (199, 199)] {
        assert_eq!(place(wanted), (&json!(true), &json!(line)), "{wanted}");
    }
    for wanted in [200, 201, 10_000] {
        assert_eq!(place(wanted), (&json!(false), &json!(wanted)));
    }
    let arguments = json!({ "source": { "path": file }, "breakpoints": list(10_001) });
    let why = editor.ask("setBreakpoints", arguments).unwrap_err();
    assert_eq!(why, "more than 10000 breakpoints in a file");
}
