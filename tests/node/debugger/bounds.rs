//! What a service, or a breakpoint, cannot do to the debugger and to the node.

use serde_json::{Value, json};

#[cfg(target_os = "linux")]
use super::processes::until;
use super::{Debugged, stopped_at};
use crate::tools::editor::Editor;

fn shows_the_stack_and_values(debugged: &Debugged, editor: &mut Editor, thread: u64) {
    let stack = editor.stack(thread);
    let inside = debugged.line("main.lua", "inside");
    assert_eq!(stack[0], ("add".into(), "main.lua".into(), inside));
    let top = editor.top(thread);
    let (_, locals) = editor.scope(top, "Locals");
    assert_eq!(locals[0], ("n".into(), "1".into()));
    let (_, globals) = editor.scope(top, "Globals");
    assert!(globals.iter().any(|(name, _)| name == "_VERSION"));
}

/// What the layer itself needs is put back by the last of them.
#[test]
fn a_service_whose_libraries_are_changed_is_looked_into_as_ever() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_libraries", "inside", "add 1 2");
    let top = editor.top(thread);
    for text in [
        "(function() own = {} for k, v in pairs(_G) do own[k] = v end own.meta = debug.getmetatable('').__index end)()",
        "(function() pcall, next, type, tostring, select, ipairs = error, error, error, error, error, error end)()",
        "(function() debug.setmetatable('', { __index = error, __len = error }) end)()",
        "(function() string, table, debug, coroutine, utf8, math = {}, {}, {}, {}, {}, {} end)()",
    ] {
        editor.evaluate(top, text).unwrap();
        shows_the_stack_and_values(&debugged, &mut editor, thread);
    }
    // It is the service's libraries that an expression sees.
    assert_eq!(editor.evaluate(top, "string.find").as_deref(), Ok("nil"));
    let back = "(function() for k, v in own.next, own do _G[k] = v end debug.setmetatable('', { __index = own.meta }) end)()";
    editor.evaluate(top, back).unwrap();
    assert_eq!(
        editor.evaluate(top, "('x'):rep(2)").as_deref(),
        Ok("\"xx\"")
    );
    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 3");
}

/// The agent is loaded when a service stops for the first time.
#[test]
fn a_service_that_has_libraries_of_its_own_keeps_them() {
    let mut debugged = Debugged::start("debug_own_libraries", &[]);
    let mut editor = debugged.editor(&[], &["inside"]);
    debugged.node.types("own");
    debugged.node.wait("own: true");
    debugged.node.types("add 1 2");
    let (thread, _) = editor.stopped();
    shows_the_stack_and_values(&debugged, &mut editor, thread);
    let top = editor.top(thread);
    let kept = "pcall == own_pcall, ('x').mine";
    assert_eq!(editor.evaluate(top, kept).as_deref(), Ok("true, \"yes\""));
    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 3");
}

/// The threads of workers that the node has.
#[cfg(target_os = "linux")]
fn workers_of(debugged: &Debugged) -> usize {
    let tasks = format!("/proc/{}/task", debugged.node.id());
    let threads = std::fs::read_dir(tasks).unwrap();
    let names = threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")));
    // One that has just ended has no name.
    names
        .flatten()
        .filter(|name| name.starts_with("worker"))
        .count()
}

/// Two rounds: threads that have ended leave their places to others.
#[test]
#[cfg(target_os = "linux")]
fn threads_in_the_place_of_stopped_ones_end_when_they_are_not_needed_any_more() {
    let mut debugged = Debugged::start("debug_spares", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let line = debugged.line("same.lua", "starts");
    editor.breakpoints(&debugged.file("same.lua"), &json!([{ "line": line }]));
    for _ in 0..2 {
        debugged.node.types("many 8");
        let threads: Vec<u64> = (0..8).map(|_| editor.stopped().0).collect();
        assert_eq!(workers_of(&debugged), 10);
        for thread in threads {
            editor.go("continue", thread);
            debugged.node.wait("same started");
        }
        until("spare workers that stay", || workers_of(&debugged) == 2);
    }
    debugged.node.types("add 1 1").wait("add 1 1: 2");
}

const ENDLESS: &str =
    "(function() while true do pcall(function() while true do end end) end end)()";

fn event_of(editor: &mut Editor, breakpoint: &Value) -> String {
    let event = editor.event("breakpoint", |body| {
        body["breakpoint"]["id"] == breakpoint["id"]
    });
    assert_eq!(event["breakpoint"]["verified"], false);
    event["breakpoint"]["message"].as_str().unwrap().to_owned()
}

/// It runs in the place of the service, at each hit.
#[test]
fn a_breakpoint_whose_condition_or_log_message_takes_too_long_is_off_until_it_is_set_anew() {
    let mut debugged = Debugged::start("debug_disarmed", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let file = debugged.file("main.lua");
    let line = debugged.line("main.lua", "loops");
    for (field, text, expected) in [
        ("condition", ENDLESS.to_owned(), "the condition takes"),
        (
            "logMessage",
            format!("{{{ENDLESS}}}{{{ENDLESS}}}"),
            "the log message takes",
        ),
    ] {
        let set = editor.breakpoints(&file, &json!([{ "line": line, field: text }]));
        assert_eq!(set[0]["verified"], true);
        // 1000 hits.
        debugged.node.types("loop 1000").wait("loop 1000: 500500");
        let why = event_of(&mut editor, &set[0]);
        assert!(why.starts_with(expected), "{why}");
        let said = editor.event("output", |body| body["category"] == "stderr");
        assert!(said["output"].as_str().unwrap().contains(expected));
    }
    assert!(!editor.has_stopped());
    editor.breakpoints(&file, &json!([{ "line": line, "condition": "i == 999" }]));
    debugged.node.types("loop 1000");
    let (thread, _) = editor.stopped();
    editor.go("continue", thread);
    debugged.node.wait("loop 1000: 500500");
}

/// The node keeps all of them, and a bound for each file is none for an editor with many files.
#[test]
fn breakpoints_of_all_files_have_a_bound_in_number_and_in_bytes() {
    let mut debugged = Debugged::start("debug_all_files", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let mut set = |file: &str, count: usize, condition: &str| {
        let one = |line| json!({ "line": line, "condition": condition });
        let list: Value = (1..=count).map(one).collect();
        let answered = editor.breakpoints(&format!("/nonexistent/{file}.lua"), &list);
        assert_eq!(answered.len(), count);
        let is_set = |one: &&Value| one["verified"] == true;
        let refused = answered.iter().find(|one| !is_set(one));
        let why = refused.map(|one| one["message"].as_str().unwrap().to_owned());
        (answered.iter().filter(is_set).count(), why)
    };
    for file in ["a", "b"] {
        assert_eq!(set(file, 10_000, ""), (10_000, None));
    }
    let (taken, why) = set("c", 2, "");
    assert_eq!(taken, 0);
    assert!(why.unwrap().contains("20000 breakpoints in all"));
    for file in ["a", "b"] {
        assert_eq!(set(file, 0, ""), (0, None));
    }
    let (taken, why) = set("c", 1, &"x".repeat(20_000));
    assert_eq!(taken, 0);
    assert!(why.unwrap().contains("a condition of more than 16384"));
    let long = "x".repeat(16_000);
    let (taken, why) = set("c", 300, &long);
    assert_eq!(taken, 262);
    assert!(why.unwrap().contains("bytes in all"));
    assert_eq!(set("d", 1, &long).0, 0);
    assert_eq!(set("c", 1, ""), (1, None));
    assert_eq!(set("d", 1, &long), (1, None));
    debugged.node.types("add 1 2").wait("add 1 2: 3");
}

/// Matching and compiling take more time than a text is long, and nothing stops them.
#[test]
fn texts_that_would_hold_the_adapter_or_a_service_are_refused() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_texts", "inside", "add 1 2");
    let top = editor.top(thread);
    let folder = format!("/{}/y.lua", "x".repeat(2_000_000));
    let arguments = json!({ "source": { "path": folder }, "breakpoints": [{ "line": 1 }] });
    let why = editor.ask("setBreakpoints", arguments).unwrap_err();
    assert!(why.contains("at most 4096 bytes"), "{why}");
    let file = debugged.file("main.lua");
    let line = debugged.line("main.lua", "loops");
    for (field, text) in [
        ("condition", format!("x == -1{}", " and x".repeat(200_000))),
        ("hitCondition", format!("{}x", " ".repeat(500_000))),
        ("logMessage", "{".repeat(500_000)),
    ] {
        let set = editor.breakpoints(&file, &json!([{ "line": line, field: text }]));
        assert_eq!(set[0]["verified"], false);
        let why = set[0]["message"].as_str().unwrap();
        assert!(why.contains("of more than"), "{why}");
    }
    let why = editor.evaluate(top, &format!("n{}", " and n".repeat(200_000)));
    assert!(why.unwrap_err().contains("bytes"));
    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 3");
}
