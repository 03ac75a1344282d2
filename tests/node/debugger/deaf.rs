//! An editor that does not read for a while: the node goes on.

use std::fs;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::processes::{debug, until};
use crate::tools::editor::Editor;
use crate::tools::scratch;

const MAIN: &str = r#"
local skynet = require "skynet"
skynet.start(function()
	skynet.fork(function()
		while not io.open "begin" do
			skynet.sleep(1)
		end
		local line = string.rep("x", 1024)
		for _ = 1, 40 * 1024 do
			print(line)
		end
		print "the last"
		io.open("done", "w"):close()
	end)
end)
"#;

/// Reads while nobody else has the lock.
struct Gate<R>(Arc<Mutex<()>>, R);

impl<R: Read> Read for Gate<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        drop(self.0.lock().unwrap());
        self.1.read(buffer)
    }
}

#[test]
fn a_node_does_not_wait_for_an_editor_that_does_not_read() {
    let folder = scratch("debug_deaf");
    fs::write(folder.join("main.lua"), MAIN).unwrap();
    let mut child = debug(&folder, ".").spawn().unwrap();
    let gate = Arc::new(Mutex::new(()));
    let input = Gate(Arc::clone(&gate), child.stdout.take().unwrap());
    let mut editor = Editor::over(input, child.stdin.take().unwrap());
    editor.attach("launch", json!({}), &[], &[]);
    let closed = gate.lock().unwrap();
    fs::write(folder.join("begin"), "").unwrap();
    until("the node waits", || folder.join("done").exists());
    drop(closed);
    editor.event("output", |body| {
        let text = body["output"].as_str().unwrap();
        text.starts_with("skynet debug: ") && text.contains(" lines are left out: ")
    });
    editor.get("disconnect", json!({}));
    child.wait().unwrap();
}
