//! What an editor lets run in a stopped service ends, whatever it is.

use serde_json::{Value, json};

use super::Debugged;
use crate::tools::editor::Editor;

/// Texts that do not end, and catch what would end them, or keep Lua from calling the hook that would.
const ENDLESS: [&str; 9] = [
    "(function() while true do pcall(function() while true do end end) end end)()",
    "(function() while true do pcall(string.rep, 'x', -1) end end)()",
    "coroutine.resume(forever), (function() while true do end end)()",
    "(function() while true do coroutine.resume(coroutine.create(function() while true do pcall(error) end end)) end end)()",
    "(function() debug.sethook() while true do end end)()",
    "(function() while true do pcall(function() debug.sethook() while true do end end) end end)()",
    "(function() setmetatable({}, { __gc = function() while true do pcall(function() while true do end end) end end }) collectgarbage() end)()",
    "(function() debug.sethook(function() while true do pcall(function() while true do end end) end end, 'l') local x = 1\n local y = 2 end)()",
    "coroutine.wrap(function() debug.sethook(function() while true do end end, '', 1) while true do end end)()",
];

/// A stopped service, and its innermost frame.
fn stopped(debugged: &mut Debugged, editor: &mut Editor) -> (u64, u64) {
    debugged.node.types("resume");
    let (thread, _) = editor.stopped();
    let top = editor.top(thread);
    (thread, top)
}

#[test]
fn what_does_not_end_by_itself_ends_when_the_service_is_to_go_on() {
    let mut debugged = Debugged::start("debug_endless", &[]);
    let mut editor = debugged.editor(&[], &["resumes"]);
    for text in ENDLESS {
        let (thread, top) = stopped(&mut debugged, &mut editor);
        let arguments = json!({ "expression": text, "frameId": top, "context": "repl" });
        editor.send("evaluate", arguments);
        editor.go("continue", thread);
        debugged.node.wait("resume: ");
    }
    // ... and when the editor leaves.
    let (_, top) = stopped(&mut debugged, &mut editor);
    let arguments = json!({ "expression": ENDLESS[0], "frameId": top, "context": "repl" });
    editor.send("evaluate", arguments);
    editor.get("disconnect", json!({}));
    debugged.node.wait("resume: ");
    debugged
        .node
        .types("add 1 1")
        .wait("add 1 1: 2")
        .types("hook")
        .wait("hook: nil");
}

#[test]
fn what_does_not_end_by_itself_ends_with_its_service() {
    let mut debugged = Debugged::start("debug_endless_killed", &[]);
    let mut editor = debugged.editor(&[], &["resumes"]);
    let (thread, top) = stopped(&mut debugged, &mut editor);
    let text = "(function() debug.sethook() while true do pcall(string.rep, 'x', -1) end end)()";
    let arguments = json!({ "expression": text, "frameId": top, "context": "repl" });
    editor.send("evaluate", arguments);
    debugged.node.types("kill").wait("killed");
    editor.event("thread", |body: &Value| {
        body["threadId"] == thread && body["reason"] == "exited"
    });
}

/// The time of one is not another's.
#[test]
fn what_takes_too_long_is_ended_and_the_next_runs() {
    let mut debugged = Debugged::start("debug_too_long", &[]);
    let mut editor = debugged.editor(&[], &["resumes"]);
    let (thread, top) = stopped(&mut debugged, &mut editor);
    let why = editor
        .evaluate(top, "(function() coroutine.resume(forever) while true do pcall(coroutine.resume, forever) end end)()")
        .unwrap_err();
    assert!(why.contains("too long"), "{why}");
    let why = editor
        .evaluate(top, "(function() debug.sethook() while true do end end)()")
        .unwrap_err();
    assert!(why.contains("too long"), "{why}");
    assert_eq!(editor.evaluate(top, "1 + 1").as_deref(), Ok("2"));
    editor.go("continue", thread);
    debugged.node.wait("resume: dead");
}

/// In a coroutine of the text's own a function could yield; what waits for an answer is refused before it asks.
#[test]
fn what_is_refused_in_a_coroutine_has_sent_nothing() {
    let mut debugged = Debugged::start("debug_refused", &[]);
    let mut editor = debugged.editor(&[], &["counts"]);
    let mut before = 0;
    for n in 0..2 {
        debugged.node.types("count 1");
        let (thread, _) = editor.stopped();
        let frames = editor.frames(thread);
        let handler = frames[1]["id"].as_u64().unwrap();
        let now: u32 = editor.evaluate(handler, "asked").unwrap().parse().unwrap();
        assert!(n == 0 || now == before + 1, "{now}, {before}");
        before = now;
        for wait in ["call(skynet.self(), 'lua', 'loop', 1)", "sleep(1)"] {
            let text = format!(
                "(function() local skynet = require 'skynet' return require('skynet.coroutine').wrap(function() return skynet.{wait} end)() end)()"
            );
            assert_eq!(
                editor.evaluate(handler, &text).unwrap_err(),
                "nothing can wait while the service is stopped"
            );
        }
        let text = "(function() local sum = 0 for n in coroutine.wrap(function() coroutine.yield(1) coroutine.yield(2) end) do sum = sum + n end return sum end)()";
        assert_eq!(editor.evaluate(handler, text).as_deref(), Ok("3"));
        editor.go("continue", thread);
        debugged.node.wait("count 1: 1");
    }
}

/// It is not undone by what is written back of the frame's variables.
#[test]
fn what_a_condition_calls_may_change_variables_of_the_frame() {
    let mut debugged = Debugged::start("debug_calls", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let line = debugged.line("main.lua", "counts");
    let file = debugged.file("main.lua");
    editor.breakpoints(
        &file,
        &json!([{ "line": line, "condition": "count() == 100" }]),
    );
    debugged.node.types("count 5").wait("count 5: 10");
    editor.breakpoints(&file, &json!([{ "line": line }]));
    debugged.node.types("count 1");
    let (thread, _) = editor.stopped();
    let top = editor.top(thread);
    for (text, expected) in [
        ("count()", "1"),
        ("count()", "2"),
        ("seen", "2"),
        ("seen = 5", ""),
        ("seen", "5"),
    ] {
        assert_eq!(
            editor.evaluate(top, text).as_deref(),
            Ok(expected),
            "{text}"
        );
    }
    editor.go("continue", thread);
    debugged.node.wait("count 1: 6");
}
