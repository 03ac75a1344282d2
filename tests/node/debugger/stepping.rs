//! Steps and pauses.

use serde_json::json;

use super::{Debugged, stopped_at};

#[test]
fn a_step_over_a_call_ends_behind_the_answer_in_the_same_task() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_call", "asks", "ask 7");
    editor.breakpoints(&debugged.file("main.lua"), &json!([]));
    // Messages for other tasks come while it waits for the answer.
    debugged.node.types("send 20");
    editor.go("next", thread);
    assert_eq!(editor.stopped(), (thread, "step".into()));
    let answered = debugged.line("main.lua", "answered");
    assert_eq!(
        editor.stack(thread)[0],
        ("ask".into(), "main.lua".into(), answered)
    );
    let top = editor.top(thread);
    assert_eq!(editor.evaluate(top, "n, answer").as_deref(), Ok("7, 107"));
    editor.go("continue", thread);
    debugged.node.wait("ask 7: asking107");
}

#[test]
fn steps_lead_into_functions_and_out_of_them_and_not_into_the_lua_layer() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_steps", "calls", "add 1 2");
    let mut step = |command: &str| {
        editor.go(command, thread);
        assert_eq!(editor.stopped(), (thread, "step".into()));
        let (name, _, line) = editor.stack(thread)[0].clone();
        (name, line)
    };
    let (inside, returned) = (
        debugged.line("main.lua", "inside"),
        debugged.line("main.lua", "returned"),
    );
    assert_eq!(step("stepIn"), ("add".into(), inside - 1));
    assert_eq!(step("next"), ("add".into(), inside));
    assert_eq!(step("stepOut").1, returned);
    step("next"); // the handler, behind the call
    // Its end is the layer's: the step ends with it, and the service waits for the next message.
    editor.go("stepIn", thread);
    debugged.node.wait("add 1 2: 3");
    editor.breakpoints(&debugged.file("main.lua"), &json!([]));
    debugged.node.types("loop 3").wait("loop 3: 6");
    assert!(!editor.has_stopped());
}

/// The other calls of the function pass the same lines.
#[test]
fn a_step_over_a_call_of_itself_stays_in_the_same_call() {
    let mut debugged = Debugged::start("debug_recursion", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let file = debugged.file("main.lua");
    let line = debugged.line("main.lua", "descends");
    let breakpoint = json!([{ "line": line, "condition": "n == 3" }]);
    editor.breakpoints(&file, &breakpoint);
    debugged.node.types("sum 5");
    let (thread, _) = editor.stopped();
    let at = |comment: &str| debugged.line("main.lua", comment);
    for (command, place, n) in [
        ("next", at("ascends"), "3"),
        ("stepOut", at("ascends"), "4"),
        ("next", at("ascends"), "5"),
    ] {
        editor.go(command, thread);
        assert_eq!(editor.stopped(), (thread, "step".into()));
        assert_eq!(editor.stack(thread)[0].2, place);
        let top = editor.top(thread);
        assert_eq!(editor.evaluate(top, "n").as_deref(), Ok(n));
    }
    editor.go("continue", thread);
    debugged.node.wait("sum 5: 15");
}

#[test]
fn a_step_ends_with_its_coroutine_also_if_that_is_dropped_where_it_waits() {
    let mut debugged = Debugged::start("debug_drop", &[]);
    for (command, told) in [("next", "drop 100"), ("next", "drop 100 closed")] {
        let mut editor = debugged.editor(&[], &["drops"]);
        debugged.node.types(told);
        let (thread, _) = editor.stopped();
        editor.breakpoints(&debugged.file("main.lua"), &json!([]));
        editor.go(command, thread);
        debugged.node.wait(&format!("{told}: 100"));
        editor.get("threads", json!({}));
        assert!(!editor.has_stopped(), "{command}, {told}");
        editor.get("disconnect", json!({}));
    }
}

/// A generator is to who makes steps what a function is that returns. What waits in it, or is called by it, is no end of it.
#[test]
fn a_step_at_a_yield_and_at_the_end_of_a_coroutine_ends_in_the_code_that_has_resumed_it() {
    let mut debugged = Debugged::start("debug_yields", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let file = debugged.file("main.lua");
    for kind in ["lua", "skynet"] {
        for (from, command, to) in [
            ("sleeps", "next", "yields"),
            ("yields", "next", "has a"),
            ("yields", "stepIn", "has a"),
            ("yields", "stepOut", "has a"),
            ("hands on", "next", "ends"),
            ("passes", "next", "has b"),
            ("passes", "stepOut", "ends"),
            ("ends", "next", "has c"),
            ("ends", "stepIn", "has c"),
            ("ends", "stepOut", "has c"),
        ] {
            if kind == "lua" && from == "sleeps" {
                continue;
            }
            editor.breakpoints(&file, &json!([{ "line": debugged.line("main.lua", from) }]));
            debugged.node.types(&format!("produce {kind}"));
            let (thread, _) = editor.stopped();
            editor.breakpoints(&file, &json!([]));
            editor.go(command, thread);
            assert_eq!(editor.stopped(), (thread, "step".into()));
            let line = editor.stack(thread)[0].2;
            assert_eq!(
                line,
                debugged.line("main.lua", to),
                "{kind}: {from}, {command}"
            );
            editor.go("continue", thread);
            debugged.node.wait(&format!("produce {kind}: 6"));
        }
    }
}

/// To set a hook costs as much as the stack is deep: it is not done at each call.
#[test]
fn what_a_breakpoint_costs_grows_with_the_calls_and_not_with_their_depth() {
    let mut debugged = Debugged::start("debug_depths", &[]);
    let _editor = debugged.editor(&[], &["never"]);
    debugged.node.types("depths 0").wait("depths 0: ");
    let (_, times) = debugged.node.last().rsplit_once(' ').unwrap();
    // 8, or 64 if each call costs what those around it do.
    let times: f64 = times.parse().unwrap();
    assert!(times < 24.0, "{times}");
}

/// Of a stack that has many functions not all are looked at each time.
#[test]
fn a_breakpoint_behind_a_deep_call_stops_and_costs_no_more_than_others() {
    let mut debugged = Debugged::start("debug_behind", &[]);
    let mut editor = debugged.editor(&[], &["measured"]);
    debugged.node.types("depths");
    let (thread, _) = editor.stopped();
    let top = editor.top(thread);
    let times: f64 = editor.evaluate(top, "ratio").unwrap().parse().unwrap();
    assert!(times < 24.0, "{times}");
    editor.go("continue", thread);
    debugged.node.wait("depths: ");
}

#[test]
fn a_service_stops_also_where_no_coroutine_could_yield() {
    let mut debugged = Debugged::start("debug_anywhere", &["debug_adapter_wait=true"]);
    let mut editor = debugged.editor(&[], &["main chunk", "compares", "generates"]);
    let (thread, _) = editor.stopped();
    assert_eq!(editor.stack(thread)[0].0, "main chunk");
    editor.go("continue", thread);
    debugged.node.types("sort");
    let (thread, _) = editor.stopped();
    let frames = editor.frames(thread);
    assert_eq!(frames[1]["name"], "[C] sort", "{frames:?}");
    assert_eq!(
        editor
            .evaluate(frames[0]["id"].as_u64().unwrap(), "type(a)")
            .as_deref(),
        Ok("\"number\"")
    );
    let lines = json!([{ "line": debugged.line("main.lua", "generates") }]);
    editor.breakpoints(&debugged.file("main.lua"), &lines);
    editor.go("continue", thread);
    debugged.node.wait("sort: 1 2 3").types("generate");
    for expected in ["1", "2", "3"] {
        let (thread, _) = editor.stopped();
        let frames = editor.frames(thread);
        assert_eq!(frames[1]["name"], "[C] for iterator", "who has resumed it");
        assert_eq!(frames[2]["source"]["name"], "main.lua");
        assert_eq!(
            editor
                .evaluate(frames[0]["id"].as_u64().unwrap(), "i")
                .as_deref(),
            Ok(expected)
        );
        editor.go("continue", thread);
    }
    debugged.node.wait("generate: 14");
}

/// Lua calls no hooks there, but those that ask for it.
#[test]
fn a_breakpoint_in_a_finalizer_stops_and_a_step_into_functions_passes_over_it() {
    let mut debugged = Debugged::start("debug_finalizer", &[]);
    let mut editor = debugged.editor(&[], &["sweeps"]);
    debugged.node.types("sweep");
    let (thread, reason) = editor.stopped();
    assert_eq!(reason, "breakpoint");
    let [sweeps, collects, collected] =
        ["sweeps", "collects", "collected"].map(|comment| debugged.line("main.lua", comment));
    assert_eq!(editor.stack(thread)[0].2, sweeps);
    let file = debugged.file("main.lua");
    editor.breakpoints(&file, &json!([]));
    editor.go("stepOut", thread);
    assert_eq!(editor.stopped(), (thread, "step".into()));
    assert_eq!(editor.stack(thread)[0].2, collected);
    editor.breakpoints(&file, &json!([{ "line": collects }]));
    editor.go("continue", thread);
    debugged.node.wait("sweep: true").types("sweep");
    editor.stopped();
    editor.go("stepIn", thread);
    assert_eq!(editor.stopped(), (thread, "step".into()));
    assert_eq!(editor.stack(thread)[0].2, collected);
    editor.go("continue", thread);
    debugged.node.wait("sweep: true");
}

#[test]
fn a_breakpoint_behind_a_hook_of_the_service_s_own_stops() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_unhooked", "unhooked", "unhook");
    editor.go("continue", thread);
    debugged.node.wait("unhook: true");
}

/// It has no line to step from.
#[test]
fn a_step_from_where_a_service_waits_ends_at_the_first_line_of_the_application() {
    let mut debugged = Debugged::start("debug_idle", &[]);
    let mut editor = debugged.editor(&[], &[]);
    debugged.node.types("ask 1").wait("ask 1: asking101");
    let threads = editor.get("threads", json!({}));
    let all = threads["threads"].as_array().unwrap();
    let worker = all
        .iter()
        .find(|one| one["name"].as_str().unwrap().ends_with(" worker"));
    let worker = worker.unwrap()["id"].as_u64().unwrap();
    for command in ["next", "stepIn", "stepOut"] {
        editor.go("pause", worker);
        assert_eq!(editor.stopped(), (worker, "pause".into()));
        editor.go(command, worker);
        debugged.node.types("ask 1");
        assert_eq!(editor.stopped(), (worker, "step".into()), "{command}");
        let works = debugged.line("worker.lua", "works");
        assert_eq!(editor.stack(worker)[0].2, works, "{command}");
        editor.go("continue", worker);
        debugged.node.wait("ask 1: asking101");
    }
}

#[test]
fn a_pause_that_has_been_met_does_not_stop_once_more() {
    let mut debugged = Debugged::start("debug_pauses", &[]);
    let mut editor = debugged.editor(&[], &[]);
    debugged.node.types("spin");
    let threads = editor.get("threads", json!({}));
    let all = threads["threads"].as_array().unwrap();
    let main = all
        .iter()
        .find(|one| one["name"].as_str().unwrap().ends_with(" main"));
    let main = main.unwrap()["id"].as_u64().unwrap();
    for _ in 0..5 {
        editor.go("pause", main);
        assert_eq!(editor.stopped().0, main);
        editor.go("continue", main);
    }
    // By the third one every timer of those above is over.
    for _ in 0..3 {
        debugged.node.types("wait").wait("waited");
        assert!(!editor.has_stopped());
        editor.get("threads", json!({}));
    }
    debugged.node.types("kill").wait("killed");
}

#[test]
fn a_loop_without_an_end_is_paused_and_so_is_a_service_that_waits() {
    let mut debugged = Debugged::start("debug_pause", &[]);
    let mut editor = debugged.editor(&[], &[]);
    debugged
        .node
        .types("add 1 1")
        .wait("add 1 1: 2")
        .types("spin");
    let threads = editor.get("threads", json!({}));
    let number = |name: &str| {
        let all = threads["threads"].as_array().unwrap();
        let found = all
            .iter()
            .find(|one| one["name"].as_str().unwrap().ends_with(name));
        found.unwrap()["id"].as_u64().unwrap()
    };
    let (main, worker) = (number(" main"), number(" worker"));
    editor.go("pause", main);
    assert_eq!(editor.stopped(), (main, "pause".into()));
    let top = editor.top(main);
    assert_eq!(editor.evaluate(top, "spinning = false"), Ok(String::new()));
    editor.go("continue", main);
    debugged.node.wait("spin: true");

    editor.go("pause", worker);
    assert_eq!(editor.stopped(), (worker, "pause".into()));
    assert_eq!(editor.frames(worker)[0]["presentationHint"], "label");
    editor.go("continue", worker);
    debugged.node.types("ask 1").wait("ask 1: asking101");
}
