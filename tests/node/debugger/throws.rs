//! A C module that raises an error past what the debugger does, or closes what waits for it.

use std::fs;

use serde_json::json;

use super::Debugged;
use super::abuse::evaluate;
use crate::tools::{compiler, run};

/// A module that calls its first argument in the coroutine that is the second one, or in a new one that nothing protects: an error of
/// that Lua raises in the main one.
const THROWS: &str = "typedef struct lua_State lua_State;
lua_State *lua_newthread(lua_State *L), *lua_tothread(lua_State *L, int index);
void lua_pushvalue(lua_State *L, int index), lua_xmove(lua_State *from, lua_State *to, int n);
void lua_callk(lua_State *L, int args, int results, long context, void *k);
int luaopen_throws(lua_State *L)
{
	lua_State *other = lua_tothread(L, 2);
	if (!other)
		other = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, other, 1);
	lua_callk(other, 0, 0, 0, 0);
	return 0;
}
";

/// The text of a call of it.
fn throws(debugged: &Debugged, arguments: &str) -> String {
    let (source, module) = (debugged.file("throws.c"), debugged.file("throws.so"));
    fs::write(&source, THROWS).unwrap();
    let mut cc = compiler("c");
    run(cc.args(["-fPIC", "-shared", "-o", &module]).arg(&source));
    format!("package.loadlib('{module}', 'luaopen_throws')({arguments})")
}

/// More often than services may be stopped at a time: nothing of such a stop is left behind.
#[test]
fn an_error_out_of_all_protected_calls_lets_the_service_go_on() {
    let mut debugged = Debugged::start("debug_throws", &[]);
    let text = throws(&debugged, "function() error 'thrown' end");
    let closes = throws(&debugged, "function() coroutine.close() end");
    let mut editor = debugged.editor(&[], &["inside"]);
    for n in 1..=40 {
        debugged.node.types(&format!("add {n} 0"));
        let (thread, reason) = editor.stopped();
        assert_eq!(reason, "breakpoint", "{n}");
        // Every other time without an error.
        let text = if n % 2 == 0 { &text } else { &closes };
        let why = evaluate(&mut editor, thread, text).unwrap_err();
        assert_eq!(why, "the service runs again");
        debugged
            .node
            .wait_all(&["the agent failed: ", &format!("add {n} 0: {n}")]);
    }
    // Also where the main coroutine itself is stopped, and in a condition.
    let (file, line) = (
        debugged.file("main.lua"),
        debugged.line("main.lua", "inside"),
    );
    let condition = json!([{ "line": line, "condition": text }]);
    editor.breakpoints(&file, &condition);
    debugged
        .node
        .types("add 1 1")
        .wait_all(&["the agent failed: ", "add 1 1: 2"]);
    let line = debugged.line("same.lua", "starts");
    editor.breakpoints(&debugged.file("same.lua"), &json!([{ "line": line }]));
    debugged.node.types("many 1");
    let (thread, _) = editor.stopped();
    assert!(evaluate(&mut editor, thread, &text).is_err());
    debugged.node.wait("same started");
    editor.breakpoints(&file, &json!([]));
    debugged.node.types("spin");
    editor.get("disconnect", json!({}));
    debugged.node.types("kill").wait("killed");
}

/// As if a `pcall` of the agent's had caught it, whichever coroutine raises it: what waits goes on, and so does its message.
#[test]
fn an_error_in_a_coroutine_that_waits_for_the_stopped_one_is_no_error_of_that() {
    let mut debugged = Debugged::start("debug_in_waiting", &["thread=1"]);
    let waits = "require('skynet.internal.kernel').running";
    let main = "debug.getregistry()[3]";
    let mut editor = debugged.editor(&[], &["generates"]);
    for other in [waits, main] {
        let text = throws(
            &debugged,
            &format!("function() error 'thrown' end, {other}"),
        );
        debugged.node.types("generate");
        for n in 1..=3 {
            let (thread, _) = editor.stopped();
            let why = evaluate(&mut editor, thread, &text).unwrap_err();
            assert_eq!(why, "the service runs again", "{other}");
            let lines = ["the agent failed: ", "generate: 14"];
            debugged.node.wait_all(&lines[..n / 3 + 1]);
        }
    }
}

#[test]
fn what_ends_a_coroutine_that_waits_for_the_stopped_one_lets_the_service_go_on() {
    let mut debugged = Debugged::start("debug_escapes", &["thread=1"]);
    let waits = "require('skynet.internal.kernel').running";
    let ends = throws(
        &debugged,
        &format!("function() coroutine.close() end, {waits}"),
    );
    let mut editor = debugged.editor(&[], &["generates", "inside"]);
    for n in 1..=40 {
        debugged.node.types("generate");
        let (thread, reason) = editor.stopped();
        assert_eq!(reason, "breakpoint", "{n}");
        let why = evaluate(&mut editor, thread, &ends).unwrap_err();
        assert_eq!(why, "the service runs again");
        debugged.node.wait("has ended the stop");
    }
    debugged.node.types("add 1 2");
    let (thread, _) = editor.stopped();
    let collects = evaluate(&mut editor, thread, "collectgarbage 'isrunning'");
    assert_eq!(collects.as_deref(), Ok("true"));
    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 3");
    editor.get("disconnect", json!({}));
    debugged
        .node
        .types("add 3 4")
        .wait("add 3 4: 7")
        .types("hook")
        .wait("hook: nil");
}
