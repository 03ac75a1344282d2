//! The debugger: an editor attaches to a node, stops services and looks into them, while everything else runs on.

mod abuse;
mod bounds;
mod deaf;
mod ends;
mod errors;
mod evaluations;
mod limits;
mod newer;
mod processes;
mod sessions;
mod stepping;
mod tables;
mod throws;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::tools::editor::Editor;
use crate::tools::running::Node;
use crate::tools::{root, scratch};

const EXE: &str = env!("CARGO_BIN_EXE_skynet");

/// A node of `project/`, with an adapter.
struct Debugged {
    folder: PathBuf,
    node: Node,
    port: u16,
}

fn copy_project(test: &str) -> PathBuf {
    let folder = scratch(test);
    for file in fs::read_dir(root().join("tests/node/debugger/project")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), folder.join(file.file_name())).unwrap();
    }
    folder
}

impl Debugged {
    fn start(test: &str, settings: &[&str]) -> Debugged {
        let folder = copy_project(test);
        let mut command = Command::new(EXE);
        command.args(["run", ".", "--set", "debug_adapter=0", "--set", "thread=2"]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let mut node = Node::spawn(command.current_dir(&folder));
        let line = node.wait("Debug adapter at ").last();
        let port = line.rsplit_once(':').unwrap().1.parse().unwrap();
        Debugged { folder, node, port }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The line that ends with that comment.
    fn line(&self, file: &str, comment: &str) -> u64 {
        line_of(&self.folder.join(file), comment)
    }

    /// An editor with a breakpoint at such a line of main.lua.
    fn editor(&self, filters: &[&str], comments: &[&str]) -> Editor {
        let mut editor = Editor::connect(self.port);
        let lines: Vec<Value> = comments
            .iter()
            .map(|comment| json!({ "line": self.line("main.lua", comment) }))
            .collect();
        let list = [(&*self.file("main.lua"), Value::from(lines))];
        editor.attach("attach", json!({}), filters, &list);
        editor
    }
}

/// A node that was told something, and has stopped at the line with that comment.
fn stopped_at(test: &str, comment: &str, told: &str) -> (Debugged, Editor, u64) {
    let mut debugged = Debugged::start(test, &[]);
    let mut editor = debugged.editor(&[], &[comment]);
    debugged.node.types(told);
    let (thread, _) = editor.stopped();
    (debugged, editor, thread)
}

fn line_of(file: &Path, comment: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap();
    let end = format!("-- {comment}");
    let found = text.lines().position(|line| line.ends_with(&end));
    found.unwrap_or_else(|| panic!("no line {comment}")) as u64 + 1
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.into(), value.into())
}

#[test]
fn a_breakpoint_shows_the_stack_and_the_values_of_a_service_and_lets_them_be_changed() {
    let mut debugged = Debugged::start("debug_breakpoint", &[]);
    let mut editor = debugged.editor(&[], &["inside"]);
    debugged.node.types("add 1 2");
    let (thread, reason) = editor.stopped();
    assert_eq!(reason, "breakpoint");

    let (inside, calls) = (
        debugged.line("main.lua", "inside"),
        debugged.line("main.lua", "calls"),
    );
    let stack = editor.stack(thread);
    assert_eq!(stack[0], ("add".into(), "main.lua".into(), inside));
    assert_eq!(stack[1].2, calls);
    assert_eq!(stack.len(), 3, "the handler is the last: {stack:?}");
    let handler = format!("main.lua:{}>", debugged.line("main.lua", "handler"));
    assert!(
        stack[2].0.starts_with("function <") && stack[2].0.ends_with(&handler),
        "not as a variable of the layer: {stack:?}"
    );

    let frames = editor.frames(thread);
    let (top, caller) = (
        frames[0]["id"].as_u64().unwrap(),
        frames[1]["id"].as_u64().unwrap(),
    );
    let (scope, locals) = editor.scope(top, "Locals");
    let expected = [
        pair("n", "1"),
        pair("by", "2"),
        pair("before", "1"),
        pair("...[1]", "\"extra\""),
    ];
    assert_eq!(locals, expected);
    let (_, upvalues) = editor.scope(frames[2]["id"].as_u64().unwrap(), "Upvalues");
    assert!(upvalues.contains(&pair("asked", "1")), "{upvalues:?}");
    let (_, globals) = editor.scope(caller, "Globals");
    assert!(
        globals.iter().any(|(name, _)| name == "_VERSION"),
        "{globals:?}"
    );

    assert_eq!(
        editor.evaluate(top, "before + by * 10").as_deref(),
        Ok("21")
    );
    // Also to nil, and back.
    for (text, expected) in [("by = nil", "nil"), ("by = 2", "2")] {
        assert!(editor.evaluate(top, text).is_ok());
        assert_eq!(editor.evaluate(top, "by").as_deref(), Ok(expected));
    }
    assert_eq!(editor.evaluate(top, "...").as_deref(), Ok("\"extra\""));
    assert_eq!(editor.evaluate(caller, "n, by").as_deref(), Ok("1, 2"));
    assert!(
        editor
            .evaluate(top, "nothing.field")
            .unwrap_err()
            .contains("nil value")
    );
    assert!(
        editor
            .evaluate(top, "1 +")
            .unwrap_err()
            .contains("unexpected symbol")
    );
    assert_eq!(
        editor
            .evaluate(top, "require 'skynet'.sleep(1)")
            .unwrap_err(),
        "nothing can wait while the service is stopped"
    );
    let set = json!({ "variablesReference": scope, "name": "before", "value": "n + 40" });
    assert_eq!(editor.get("setVariable", set)["value"], "41");
    assert_eq!(editor.evaluate(top, "by = 100"), Ok(String::new()));

    editor.go("continue", thread);
    debugged.node.wait("add 1 2: 141");
    // An editor asks for what it still shows.
    assert!(editor.variables(scope).is_empty());
}

#[test]
fn tables_are_opened_step_by_step_and_tasks_that_wait_have_stacks() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_tables", "answered", "ask 5");
    let top = editor.top(thread);
    let (_, upvalues) = editor.scope(top, "Upvalues");
    let players = upvalues.iter().find(|(name, _)| name == "players").unwrap();
    assert_eq!(players.1, r#"{"ann", "bob", limit = 3}"#);

    let arguments = json!({ "expression": "players", "frameId": top, "context": "watch" });
    let reference = editor.get("evaluate", arguments)["variablesReference"]
        .as_u64()
        .unwrap();
    let inside = [
        pair("[1]", "\"ann\""),
        pair("[2]", "\"bob\""),
        pair("limit", "3"),
    ];
    assert_eq!(editor.variables(reference), inside);
    let set = json!({ "variablesReference": reference, "name": "[2]", "value": "{ 'x' }" });
    assert_eq!(editor.get("setVariable", set)["value"], r#"{"x"}"#);
    assert_eq!(
        editor.evaluate(top, "players[2][1]").as_deref(),
        Ok("\"x\"")
    );

    let threads = editor.get("threads", json!({}));
    let threads = threads["threads"].as_array().unwrap();
    let task = threads
        .iter()
        .find(|one| one["name"].as_str().unwrap().contains("task"))
        .unwrap();
    let task = task["id"].as_u64().unwrap();
    let stack = editor.stack(task);
    assert_eq!(stack.last().unwrap().1, "main.lua", "{stack:?}");
    editor.event("stopped", |body| body["threadId"] == task);
    // Any of its threads lets the service go on.
    editor.go("continue", task);
    editor.event("thread", |body| {
        body["threadId"] == task && body["reason"] == "exited"
    });
    debugged.node.wait("ask 5: asking105");
}

#[test]
fn others_run_and_no_message_is_lost_while_a_service_is_stopped() {
    let mut debugged = Debugged::start("debug_others", &["thread=1"]);
    let mut editor = debugged.editor(&[], &["inside"]);
    debugged.node.types("add 1 1");
    let (thread, _) = editor.stopped();
    // The driver and the adapter share the only worker that the config has.
    debugged.node.types("send 500").wait("sent 500");
    editor.breakpoints(&debugged.file("main.lua"), &json!([]));
    editor.go("continue", thread);
    debugged.node.wait("add 1 1: 2");
    for n in 1..=500 {
        debugged.node.wait(&format!("add {n} 0: {n}"));
    }
}

#[test]
fn more_services_than_workers_stop_at_the_same_line() {
    let mut debugged = Debugged::start("debug_many", &["thread=1"]);
    let mut editor = debugged.editor(&[], &[]);
    let line = debugged.line("same.lua", "starts");
    editor.breakpoints(&debugged.file("same.lua"), &json!([{ "line": line }]));
    debugged.node.types("many 5");
    let threads: Vec<u64> = (0..5).map(|_| editor.stopped().0).collect();
    debugged.node.types("add 1 1").wait("add 1 1: 2");
    for thread in threads {
        assert_eq!(editor.stack(thread)[0].2, line);
        editor.go("continue", thread);
        debugged.node.wait("same started");
    }
}

#[test]
fn conditions_numbers_of_hits_and_log_messages_decide_whether_a_breakpoint_stops() {
    let mut debugged = Debugged::start("debug_conditions", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let (file, line) = (
        debugged.file("main.lua"),
        debugged.line("main.lua", "loops"),
    );
    let mut stops = |editor: &mut Editor, breakpoint: Value, count: u32| {
        let mut breakpoint = breakpoint;
        breakpoint["line"] = json!(line);
        editor.breakpoints(&file, &json!([breakpoint]));
        debugged.node.types("loop 10");
        let mut seen = Vec::new();
        for _ in 0..count {
            let (thread, _) = editor.stopped();
            let top = editor.top(thread);
            seen.push(editor.evaluate(top, "i").unwrap());
            editor.go("continue", thread);
        }
        debugged.node.wait("loop 10: 55");
        seen
    };
    assert_eq!(
        stops(&mut editor, json!({ "condition": "i > 7" }), 3),
        ["8", "9", "10"]
    );
    assert_eq!(stops(&mut editor, json!({ "hitCondition": "4" }), 1), ["4"]);
    assert_eq!(
        stops(&mut editor, json!({ "hitCondition": "% 5" }), 2),
        ["5", "10"]
    );
    let both = json!({ "condition": "i % 2 == 0", "hitCondition": ">= 5" });
    assert_eq!(stops(&mut editor, both, 1), ["10"]);
    assert_eq!(
        stops(&mut editor, json!({ "condition": "i.x.y" }), 10).len(),
        10
    );
    for hits in ["abc", "% 0"] {
        let seen = stops(&mut editor, json!({ "hitCondition": hits }), 10);
        assert_eq!(seen.len(), 10);
        editor.event("output", |body| {
            let text = body["output"].as_str().unwrap();
            text.contains(&format!("\"{hits}\" is no condition of hits"))
        });
    }
    let reason = editor.event("output", |_| true);
    assert!(
        reason["output"]
            .as_str()
            .unwrap()
            .contains("attempt to index"),
        "{reason}"
    );

    let log = json!({ "logMessage": "i is {i}, {sum + i} so far", "condition": "i <= 2" });
    assert!(stops(&mut editor, log, 0).is_empty());
    for expected in [" i is 1, 1 so far\n", " i is 2, 3 so far\n"] {
        let line = editor.event("output", |body| body["category"] == "console");
        let text = line["output"].as_str().unwrap();
        let (service, rest) = text.split_at(9);
        assert!(service.starts_with(":000000"), "who has written it: {text}");
        assert_eq!(rest, expected);
    }
}

/// Such a service tells of each line, as fast as it can.
#[test]
fn a_log_message_in_a_loop_can_be_taken_back() {
    let mut debugged = Debugged::start("debug_flood", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let file = debugged.file("main.lua");
    let line = debugged.line("main.lua", "loops");
    editor.breakpoints(&file, &json!([{ "line": line, "logMessage": "{i}" }]));
    debugged.node.types("loop 1000000000");
    editor.event("output", |body| {
        body["output"].as_str().unwrap().ends_with(" 1\n")
    });
    let taken_back = editor.breakpoints(&file, &json!([]));
    assert!(taken_back.is_empty());
    // It does not reach its end before it is killed.
    debugged.node.types("kill").wait("killed");
}

#[test]
fn sources_inside_of_the_executable_are_shown_and_stop() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_inside", "answered", "ask 1");
    let frames = editor.frames(thread);
    let inner = frames
        .iter()
        .find(|frame| frame["source"]["sourceReference"].is_u64())
        .unwrap();
    let source = &inner["source"];
    let text = editor.get(
        "source",
        json!({ "source": source, "sourceReference": source["sourceReference"] }),
    );
    let text = text["content"].as_str().unwrap();
    let on_disk = Path::new(source["path"].as_str().unwrap())
        .strip_prefix("embedded")
        .unwrap();
    assert_eq!(text, fs::read_to_string(root().join(on_disk)).unwrap());

    let line = text
        .lines()
        .position(|line| line.starts_with("local function task_main"))
        .unwrap()
        + 2;
    let arguments = json!({ "source": source, "breakpoints": [{ "line": line }] });
    let set = editor.get("setBreakpoints", arguments);
    assert_eq!(set["breakpoints"][0]["verified"], true, "{set}");
    editor.go("continue", thread);
    debugged.node.types("send 300");
    let (thread, _) = editor.stopped();
    assert_eq!(
        editor.frames(thread)[0]["line"].as_u64().unwrap(),
        line as u64
    );
    editor.get("disconnect", json!({}));
    debugged.node.wait("add 300 0: 300");
}

#[test]
fn a_breakpoint_moves_to_the_next_line_with_code_or_says_why_it_cannot_be() {
    let debugged = Debugged::start("debug_lines", &[]);
    let mut editor = debugged.editor(&[], &[]);
    let set = editor.breakpoints(
        &debugged.file("main.lua"),
        &json!([{ "line": 1 }, { "line": 9999 }]),
    );
    assert_eq!(set[0]["line"], 3, "{set:?}");
    assert_eq!(set[0]["verified"], true);
    assert_eq!(set[1]["verified"], false);
    let wrong = json!([{ "line": 3, "condition": "x = 1" }, { "line": 3, "condition": "..." }]);
    let set = editor.breakpoints(&debugged.file("main.lua"), &wrong);
    assert_eq!(set[0]["verified"], false);
    let message = set[0]["message"].as_str().unwrap();
    assert!(message.starts_with("the condition: "), "{message}");
    assert!(message.contains("near '='"), "{message}");
    assert_eq!(set[1]["verified"], true);
    fs::write(debugged.folder.join("wrong.lua"), "local = 1\n").unwrap();
    let set = editor.breakpoints(&debugged.file("wrong.lua"), &json!([{ "line": 1 }]));
    assert_eq!(set[0]["verified"], false);
    assert!(
        set[0]["message"]
            .as_str()
            .unwrap()
            .contains("<name> expected"),
        "{set:?}"
    );
}

#[test]
fn a_stopped_service_can_be_killed_and_a_node_with_one_can_end() {
    let (mut debugged, mut editor, thread) = stopped_at("debug_killed", "inside", "add 1 1");
    debugged.node.types("kill").wait("killed");
    editor.event("thread", |body| {
        body["threadId"] == thread && body["reason"] == "exited"
    });
    assert!(
        editor
            .ask("stackTrace", json!({ "threadId": thread }))
            .is_err()
    );

    let line = debugged.line("same.lua", "starts");
    editor.breakpoints(&debugged.file("same.lua"), &json!([{ "line": line }]));
    debugged.node.types("many 1");
    editor.stopped();
    debugged.node.types("stop").ends();
}

#[test]
fn a_service_has_a_hook_only_while_something_is_watched_for() {
    let mut debugged = Debugged::start("debug_hooks", &[]);
    debugged.node.types("hook").wait("hook: nil");
    let mut editor = debugged.editor(&["uncaught", "caught"], &[]);
    debugged.node.types("hook").wait("hook: nil");
    let lines = json!([{ "line": debugged.line("main.lua", "inside") }]);
    editor.breakpoints(&debugged.file("main.lua"), &lines);
    debugged.node.types("hook").wait("hook: external hook");
    editor.breakpoints(&debugged.file("main.lua"), &json!([]));
    debugged
        .node
        .types("add 1 1")
        .wait("add 1 1: 2")
        .types("hook")
        .wait("hook: nil");
    editor.breakpoints(&debugged.file("main.lua"), &lines);
    editor.get("disconnect", json!({}));
    debugged
        .node
        .types("add 1 1")
        .wait("add 1 1: 2")
        .types("hook")
        .wait("hook: nil");
}
