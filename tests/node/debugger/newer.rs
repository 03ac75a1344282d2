//! What Lua 5.5 has new: vararg parameters with a name, declarations of globals; constants, and environments.

use std::fs;

use serde_json::json;

use super::{Debugged, line_of, pair};

/// Written by the test, as no formatter reads it yet.
const SOURCE: &str = r#"
global <const> *
local function is_large(n)
	return n > 6
end
local limit <const> = tonumber "9"
local bit <const>, size <const> = math.max(3, 4), 1 << 4 -- 'local size <const> = 0'
local function read(first, ...rest)
	local sum = first + rest[1] -- reads
	return sum + rest[1], rest.n, is_large, limit
end
local function change(...rest)
	rest[1] = "changed"
	return rest -- changes
end
local function inside(_ENV)
	local seen = mine -- environment
	return seen
end
do
	global shown
	shown = 40
end
change "whole"
inside { mine = "yes" }
return read(1, 5, 6) + read(1, 7)
"#;

#[test]
fn what_lua_5_5_has_new_is_shown_and_evaluated_as_it_is() {
    let mut debugged = Debugged::start("debug_newer", &[]);
    let path = debugged.folder.join("newer.lua");
    fs::write(&path, SOURCE).unwrap();
    let mut editor = debugged.editor(&[], &[]);
    let at = |comment: &str| line_of(&path, comment);
    let lines = json!([
        { "line": at("changes") },
        { "line": at("environment") },
        { "line": at("reads"), "condition": "is_large(rest[1]) and rest.n == 1 and limit == 9 and size == 16" },
    ]);
    editor.breakpoints(&path.display().to_string(), &lines);
    debugged.node.types("run newer.lua");

    // A parameter that is a table ...
    let (thread, _) = editor.stopped();
    let top = editor.top(thread);
    let (scope, locals) = editor.scope(top, "Locals");
    assert_eq!(locals, [pair("rest", r#"{"changed", n = 1}"#)]);
    let set = json!({ "variablesReference": scope, "name": "rest", "value": "1" });
    assert!(editor.ask("setVariable", set).is_err());
    editor.go("continue", thread);

    // Globals of a local environment.
    editor.stopped();
    let top = editor.top(thread);
    let (_, globals) = editor.scope(top, "Globals");
    assert_eq!(globals, [pair("mine", "\"yes\"")]);
    assert_eq!(editor.evaluate(top, "mine").as_deref(), Ok("\"yes\""));
    editor.go("continue", thread);

    // ... and one that is none as far as the function is concerned.
    editor.stopped();
    let top = editor.top(thread);
    let (scope, locals) = editor.scope(top, "Locals");
    let expected = [
        pair("first", "1"),
        pair("rest", "{7, n = 1}"),
        pair("...[1]", "7"),
    ];
    assert_eq!(locals, expected);
    // The table is made for the reader.
    let list = editor.get("variables", json!({ "variablesReference": scope }));
    let rest = &list["variables"][1]["variablesReference"];
    let set = json!({ "variablesReference": rest, "name": "[1]", "value": "8" });
    assert!(editor.ask("setVariable", set).is_err());
    let why = "attempt to assign to const variable 'rest'";
    assert_eq!(editor.evaluate(top, "rest = {}").unwrap_err(), why);
    assert_eq!(editor.evaluate(top, "size + 1").as_deref(), Ok("17"));
    let why = "attempt to assign to const variable 'size'";
    assert_eq!(editor.evaluate(top, "size = 1").unwrap_err(), why);
    let set = json!({ "variablesReference": scope, "name": "...[1]", "value": "8" });
    assert_eq!(editor.get("setVariable", set)["value"], "8");
    assert_eq!(
        editor.evaluate(top, "rest[1], #rest").as_deref(),
        Ok("8, 1")
    );
    assert_eq!(editor.evaluate(top, "rest[1] = 30").as_deref(), Ok(""));
    assert_eq!(editor.evaluate(top, "...").as_deref(), Ok("30"));
    assert_eq!(editor.evaluate(top, "shown").as_deref(), Ok("40"));
    editor.go("continue", thread);
    // 1 + 5 + 5, and 1 + 30 + 30.
    debugged.node.wait("run newer.lua: 72");
}
