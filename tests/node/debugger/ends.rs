//! The node ends in order while an editor debugs it: services can do what they have to at the end.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::processes::{debug, editor_of};
use super::{EXE, line_of};
use crate::tools::editor::Editor;
use crate::tools::running::Node;
use crate::tools::scratch;

const MAIN: &str = r#"
local skynet = require "skynet"
local function save()
	print "saved" -- saves
end
skynet.start(function()
	skynet.on_shutdown(save)
	skynet.fork(function()
		while true do
			skynet.sleep(1)
			local awake = true -- wakes
		end
	end)
end)
"#;

/// An editor that has stopped the service of such a node.
fn stop(mut editor: Editor, folder: &Path, request: &str) -> Editor {
    let file = folder.join("main.lua");
    let lines = ["wakes", "saves"].map(|comment| json!({ "line": line_of(&file, comment) }));
    let breakpoints = [(file.to_str().unwrap(), json!(lines))];
    editor.attach(request, json!({}), &[], &breakpoints);
    editor.stopped();
    editor
}

#[test]
fn a_node_that_is_told_to_end_lets_go_on_what_is_stopped() {
    let folder = scratch("debug_ends");
    fs::write(folder.join("main.lua"), MAIN).unwrap();
    for how in ["SIGTERM", "terminate", "disconnect"] {
        let mut command = Command::new(EXE);
        command.args(["run", ".", "--set", "debug_adapter=0"]);
        let mut node = Node::spawn(command.current_dir(&folder));
        let line = node.wait("Debug adapter at ").last();
        let port = line.rsplit_once(':').unwrap().1.parse().unwrap();
        let mut editor = stop(Editor::connect(port), &folder, "attach");
        match how {
            "SIGTERM" => node.signal("TERM"),
            _ => drop(editor.get(how, json!({ "terminateDebuggee": true }))),
        }
        let lines = node.ends();
        assert!(lines.iter().any(|line| line == "saved"), "{how}: {lines:?}");
    }
}

#[test]
fn the_end_of_a_session_ends_the_node_in_order() {
    let folder = scratch("debug_session_ends");
    fs::write(folder.join("main.lua"), MAIN).unwrap();
    for how in ["terminate", "disconnect"] {
        let mut child = debug(&folder, ".").spawn().unwrap();
        let mut editor = stop(editor_of(&mut child), &folder, "launch");
        editor.get(how, json!({}));
        editor.event("output", |body| body["output"] == "saved\n");
        assert_eq!(editor.event("exited", |_| true)["exitCode"], 0, "{how}");
        child.wait().unwrap();
    }
}
