//! Errors that stop a service.

use serde_json::json;

use super::Debugged;

#[test]
fn errors_stop_a_service_where_they_are_raised() {
    let mut debugged = Debugged::start("debug_errors", &[]);
    let mut editor = debugged.editor(&["uncaught"], &[]);
    debugged
        .node
        .types("catch")
        .wait("catch: false")
        .types("fail");
    let (thread, reason) = editor.stopped();
    assert_eq!(reason, "exception");
    assert_eq!(
        editor.stack(thread)[0].2,
        debugged.line("main.lua", "fails")
    );
    let info = editor.get("exceptionInfo", json!({ "threadId": thread }));
    assert_eq!(info["breakMode"], "unhandled");
    assert!(
        info["description"]
            .as_str()
            .unwrap()
            .contains("attempt to index a nil value"),
        "{info}"
    );
    editor.go("continue", thread);
    debugged.node.wait("fail: failed");

    editor.get("setExceptionBreakpoints", json!({ "filters": ["caught"] }));
    debugged.node.types("fail");
    // The driver catches what its call has raised.
    let (driver, _) = editor.stopped();
    assert_eq!(editor.stack(driver)[0].1, "driver.lua");
    editor.go("continue", driver);
    debugged.node.wait("fail: failed").types("catch");
    let (thread, _) = editor.stopped();
    let stack = editor.frames(thread);
    assert_eq!(stack[0]["name"], "[C] error");
    let raised = stack[1]["id"].as_u64().unwrap();
    assert_eq!(
        editor.evaluate(raised, "wrong").as_deref(),
        Ok("\"caught\"")
    );
    // A step leads to who has caught it.
    editor.breakpoints(&debugged.file("main.lua"), &json!([]));
    editor.go("next", thread);
    assert_eq!(editor.stopped(), (thread, "step".into()));
    let top = editor.top(thread);
    assert_eq!(editor.evaluate(top, "ok").as_deref(), Ok("false"));
    editor.go("continue", thread);
    debugged.node.wait("catch: false");
}

/// It is caught where it is caught, however deep it was raised.
#[test]
fn errors_of_a_deep_stack_are_known_for_what_they_are() {
    let mut debugged = Debugged::start("debug_deep", &[]);
    let mut editor = debugged.editor(&["uncaught"], &[]);
    debugged
        .node
        .types("deep 150000")
        .wait("deep 150000: false");
    editor.get("threads", json!({}));
    assert!(!editor.has_stopped());
    editor.get("setExceptionBreakpoints", json!({ "filters": ["caught"] }));
    debugged.node.types("deep 150000");
    let (thread, reason) = editor.stopped();
    assert_eq!(reason, "exception");
    editor.go("continue", thread);
    debugged.node.wait("deep 150000: false");
}

#[test]
fn an_error_that_the_layer_raises_once_more_stops_once_and_as_what_it_is() {
    let mut debugged = Debugged::start("debug_queue", &[]);
    let mut editor = debugged.editor(&["uncaught"], &[]);
    debugged.node.types("queue true").wait("queue true: false");
    editor.get("threads", json!({}));
    assert!(!editor.has_stopped());
    let both = json!({ "filters": ["caught", "uncaught"] });
    editor.get("setExceptionBreakpoints", both);
    let queued = debugged.line("main.lua", "queued");
    for (told, end, mode) in [
        ("queue true", "queue true: false", "always"),
        ("queue", "", "unhandled"),
        ("queue", "", "unhandled"),
    ] {
        debugged.node.types(told);
        let (thread, reason) = editor.stopped();
        assert_eq!(reason, "exception");
        assert_eq!(editor.stack(thread)[0].2, queued);
        let info = editor.get("exceptionInfo", json!({ "threadId": thread }));
        assert_eq!(info["breakMode"], mode);
        editor.go("continue", thread);
        if end.is_empty() {
            // The next is that of the driver, whose call fails.
            let (driver, _) = editor.stopped();
            assert_ne!(driver, thread);
            editor.go("continue", driver);
            debugged.node.wait("queue: failed");
        } else {
            debugged.node.wait(end);
        }
    }
}

/// Who resumes a coroutine gets its error, and who calls one raises it once more.
#[test]
fn an_error_in_a_coroutine_of_the_layer_is_caught_by_who_resumes_it() {
    let mut debugged = Debugged::start("debug_attempt", &[]);
    let mut editor = debugged.editor(&["uncaught"], &[]);
    for told in ["attempt", "attempt true"] {
        debugged.node.types(told).wait(&format!("{told}: false"));
        editor.get("threads", json!({}));
        assert!(!editor.has_stopped(), "{told}");
    }
    editor.get("setExceptionBreakpoints", json!({ "filters": ["caught"] }));
    for told in ["attempt", "attempt true"] {
        debugged.node.types(told);
        let (thread, reason) = editor.stopped();
        assert_eq!(reason, "exception");
        let line = debugged.line("main.lua", "attempted");
        let lines = editor.stack(thread);
        assert!(lines.iter().any(|frame| frame.2 == line), "{lines:?}");
        editor.go("continue", thread);
        debugged.node.wait(&format!("{told}: false"));
        editor.get("threads", json!({}));
        assert!(!editor.has_stopped(), "{told}");
    }
}

/// Lua calls the handler for its own error, and for the error in that, until the stack overflows.
#[test]
fn an_error_of_a_message_handler_stops_once() {
    let mut debugged = Debugged::start("debug_handler", &[]);
    let mut editor = debugged.editor(&["caught"], &[]);
    debugged.node.types("handle");
    for place in ["fails in xpcall", "handles"] {
        let (thread, reason) = editor.stopped();
        assert_eq!(reason, "exception");
        assert_eq!(editor.stack(thread)[0].2, debugged.line("main.lua", place));
        editor.go("continue", thread);
    }
    debugged.node.wait("handle: false");
    editor.get("threads", json!({}));
    assert!(!editor.has_stopped());
}

/// There is no room to look around.
#[test]
fn a_stack_overflow_stops_nothing() {
    let mut debugged = Debugged::start("debug_overflow", &[]);
    let mut editor = debugged.editor(&["caught", "uncaught"], &[]);
    debugged.node.types("overflow").wait("overflow: false");
    editor.get("threads", json!({}));
    assert!(!editor.has_stopped());
    // Behind it errors stop as ever.
    debugged.node.types("catch");
    let (thread, reason) = editor.stopped();
    assert_eq!(reason, "exception");
    editor.go("continue", thread);
    debugged.node.wait("catch: false");
}
