//! What an editor may not do to a service: take all memory, change what is to be closed, stop what has ended.

use serde_json::json;

use super::{Debugged, stopped_at};
use crate::tools::editor::Editor;

/// Pages of memory that the node has.
#[cfg(target_os = "linux")]
const RESIDENT: &str = "(function() local f = io.open '/proc/self/statm' local _, n = f:read('n', 'n') f:close() return n end)()";

/// The collector is stopped in a finalizer.
#[test]
#[cfg(target_os = "linux")]
fn garbage_of_expressions_goes_also_in_a_finalizer() {
    let mut debugged = Debugged::start("debug_finalizer_memory", &[]);
    let mut editor = debugged.editor(&["uncaught"], &[]);
    debugged.node.types("finalize");
    let (thread, _) = editor.stopped();
    let top = editor.top(thread);
    let fills = "(function() for _ = 1, 5 do string.rep('x', 40 << 20) end return 1 end)()";
    let joins = "(function() local s = string.rep('x', 8 << 20) for i = 1, 60 do local t = s .. i end return 1 end)()";
    for text in [fills, fills, fills, fills, joins, fills] {
        assert_eq!(editor.evaluate(top, text).as_deref(), Ok("1"), "{text}");
    }
    let pages: u64 = editor.evaluate(top, RESIDENT).unwrap().parse().unwrap();
    assert!(pages * 4096 < 512 << 20, "{pages} pages");
    editor.go("continue", thread);
    debugged.node.wait("finalize: true");
}

#[test]
fn an_expression_may_take_some_memory_and_no_more() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_memory", "inside", "add 1 2");
    let top = editor.top(thread);
    let takes = "(function() local t = {} for i = 1, 100 do t[i] = string.rep('x', 16 << 20) end return #t end)()";
    for text in ["string.rep('x', 1 << 40)", takes] {
        let why = editor.evaluate(top, text).unwrap_err();
        assert!(why.starts_with("not enough memory (256 MiB"), "{why}");
        assert_eq!(
            editor.evaluate(top, "#string.rep('x', 128 << 20)"),
            Ok("134217728".into())
        );
    }
    let drops = "(function() for _ = 1, 8 do string.rep('x', 40 << 20) end return 1 end)()";
    assert_eq!(editor.evaluate(top, drops).as_deref(), Ok("1"));
    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 3");
}

fn refusal(editor: &mut Editor, command: &str, arguments: serde_json::Value) -> String {
    editor.ask(command, arguments).unwrap_err()
}

#[test]
fn a_variable_that_is_to_be_closed_cannot_be_changed() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_closes", "holds", "hold");
    let frames = editor.frames(thread);
    for (place, scope) in [(0, "Upvalues"), (1, "Locals")] {
        let frame = frames[place]["id"].as_u64().unwrap();
        let (reference, variables) = editor.scope(frame, scope);
        assert!(
            variables.iter().any(|(name, _)| name == "held"),
            "{variables:?}"
        );
        let set = json!({ "variablesReference": reference, "name": "held", "value": "nil" });
        assert_eq!(
            refusal(&mut editor, "setVariable", set),
            "it cannot be changed"
        );
        let set = json!({ "expression": "held", "value": "5", "frameId": frame });
        let why = "attempt to assign to const variable 'held'";
        assert_eq!(refusal(&mut editor, "setExpression", set), why);
        assert_eq!(editor.evaluate(frame, "held = nil").unwrap_err(), why);
        assert_eq!(editor.evaluate(frame, "held ~= nil").as_deref(), Ok("true"));
    }
    let caller = frames[1]["id"].as_u64().unwrap();
    assert_eq!(editor.evaluate(caller, "count = 1 + 0").as_deref(), Ok(""));
    editor.go("continue", thread);
    debugged.node.wait("hold: true");
}

#[test]
fn a_service_that_has_exited_does_not_stop() {
    let mut debugged = Debugged::start("debug_exits", &[]);
    let mut editor = debugged.editor(&[], &["closing"]);
    debugged
        .node
        .types("exit")
        .wait_all(&["closing", "exit: failed"]);
    editor.get("threads", json!({}));
    assert!(!editor.has_stopped());
}

#[test]
fn an_error_of_a_reader_is_one_that_load_catches() {
    let mut debugged = Debugged::start("debug_reader", &[]);
    let mut editor = debugged.editor(&["uncaught"], &[]);
    debugged.node.types("read").wait("read: true");
    editor.get("threads", json!({}));
    assert!(!editor.has_stopped());
    editor.get("setExceptionBreakpoints", json!({ "filters": ["caught"] }));
    debugged.node.types("read");
    let (thread, reason) = editor.stopped();
    assert_eq!(reason, "exception");
    assert_eq!(
        editor.stack(thread)[0].2,
        debugged.line("main.lua", "reads")
    );
    editor.go("continue", thread);
    debugged.node.wait("read: true");
}

/// Windows has two signs between folders, and letters of drives in both cases.
#[test]
fn paths_of_an_editor_on_windows_are_mapped() {
    let mut debugged = Debugged::start("debug_windows", &[]);
    let line = debugged.line("main.lua", "inside");
    for (root, file, shown) in [
        (r"C:\w", r"C:\w\main.lua", r"C:\w\main.lua"),
        (r"C:\w\", r"c:/w/main.lua", r"C:\w\main.lua"),
        ("c:/w", r"C:\w\main.lua", "c:/w/main.lua"),
        (r"\\host\w", r"\\host\w\main.lua", r"\\host\w\main.lua"),
    ] {
        let mut editor = Editor::connect(debugged.port);
        let mapping = json!([{ "localRoot": root, "remoteRoot": debugged.folder }]);
        let list = json!([{ "line": line }]);
        let arguments = json!({ "pathMappings": mapping });
        editor.attach("attach", arguments, &["uncaught"], &[(file, list)]);
        debugged.node.types("add 1 2");
        let (thread, _) = editor.stopped();
        assert_eq!(
            editor.frames(thread)[0]["source"]["path"],
            file,
            "as it was written"
        );
        editor.get("disconnect", json!({}));
        debugged.node.wait("add 1 2: 3");

        let mut editor = Editor::connect(debugged.port);
        let mapping = json!([{ "localRoot": root, "remoteRoot": debugged.folder }]);
        let arguments = json!({ "pathMappings": mapping });
        editor.attach("attach", arguments, &["uncaught"], &[]);
        debugged.node.types("fail");
        let (thread, _) = editor.stopped();
        assert_eq!(editor.frames(thread)[0]["source"]["path"], shown, "{root}");
        editor.get("disconnect", json!({}));
        debugged.node.wait("fail: failed");
    }
}

#[test]
fn numbers_of_requests_that_count_have_a_range() {
    let (_debugged, mut editor, thread) = stopped_at("debug_range", "inside", "add 1 2");
    for (name, number) in [
        ("startFrame", i64::MIN),
        ("levels", -1),
        ("startFrame", i64::MAX),
    ] {
        let arguments = json!({ "threadId": thread, name: number });
        let why = format!("the argument {name} is not a whole number from 0 to 2147483647");
        assert_eq!(refusal(&mut editor, "stackTrace", arguments), why);
    }
    assert!(!editor.frames(thread).is_empty());
}
