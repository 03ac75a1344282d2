//! `skynet debug` and its node are two processes: how each of them ends, and what the other one does then.

use std::cell::RefCell;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::EXE;
use crate::tools::editor::Editor;
use crate::tools::terminal::Terminal;
use crate::tools::{run, scratch};

/// How long something may take that is not told, only looked at.
const LIMIT: Duration = Duration::from_secs(60);

/// `skynet debug` in a folder, for an editor of [`editor_of`].
pub fn debug(folder: &Path, what: &str) -> Command {
    let mut command = Command::new(EXE);
    command
        .args(["debug", what])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    command
}

/// The editor of such a process.
pub fn editor_of(child: &mut Child) -> Editor {
    let (input, out) = (child.stdout.take().unwrap(), child.stdin.take().unwrap());
    Editor::over(input, out)
}

#[test]
fn who_types_it_is_told_that_an_editor_is_awaited() {
    let mut command = Command::new(EXE);
    command
        .args(["debug", "nosuch"])
        .current_dir(scratch("debug_typed"));
    let mut screen = Terminal::spawn(&mut command, 80, 24);
    screen.wait("waits for an editor");
    screen.types("nonsense\r\n\r\n");
    assert_eq!(screen.ends().code(), Some(1));
}

pub fn until(what: &str, test: impl Fn() -> bool) {
    let begin = Instant::now();
    while !test() {
        assert!(begin.elapsed() < LIMIT, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A folder with a node that tells its process's id and runs on.
fn endless_project(test: &str) -> PathBuf {
    let folder = scratch(test);
    fs::write(
        folder.join("main.lua"),
        "local skynet = require 'skynet'\nskynet.start(function()\n\tlocal stat = io.open('/proc/self/stat')\n\tprint('node ' .. stat:read('n'))\nend)\n",
    )
    .unwrap();
    folder
}

fn node_of(editor: &mut Editor) -> String {
    let line = editor.event("output", |body| {
        body["output"].as_str().unwrap().starts_with("node ")
    });
    let text = line["output"].as_str().unwrap();
    text.trim().strip_prefix("node ").unwrap().to_owned()
}

fn signal(process: u32, name: &str) {
    run(Command::new("kill").args([format!("-{name}"), process.to_string()]));
}

/// A process that has ended and that nobody has waited for yet has no program.
fn is_gone(process: &str) -> bool {
    fs::read_link(format!("/proc/{process}/exe")).is_err()
}

#[test]
#[cfg(target_os = "linux")]
fn the_node_ends_with_the_process_that_has_started_it() {
    let folder = endless_project("debug_processes");
    for name in ["TERM", "HUP", "KILL"] {
        let mut child = debug(&folder, ".").spawn().unwrap();
        let mut editor = editor_of(&mut child);
        editor.attach("launch", json!({}), &[], &[]);
        let node = node_of(&mut editor);
        signal(child.id(), name);
        if name != "KILL" {
            editor.event("exited", |_| true);
        }
        child.wait().unwrap();
        until("the node runs on", || is_gone(&node));
    }
}

#[test]
fn an_editor_that_leaves_a_config_without_an_end_ends_it() {
    let folder = scratch("debug_endless_config");
    fs::write(folder.join("config"), "while true do end").unwrap();
    let mut child = debug(&folder, "config").spawn().unwrap();
    drop(child.stdin.take());
    child.wait().unwrap();
}

#[test]
fn a_long_path_of_temporary_files_is_not_taken() {
    let folder = endless_project("debug_long_path");
    let long = folder.join("l".repeat(100));
    fs::create_dir(&long).unwrap();
    let mut child = debug(&folder, ".").env("TMPDIR", &long).spawn().unwrap();
    let mut editor = editor_of(&mut child);
    editor.attach("launch", json!({}), &[], &[]);
    editor.get("disconnect", json!({}));
    child.wait().unwrap();
}

/// The second process holds the pipes of the node.
#[test]
fn the_end_of_the_node_is_told_while_what_it_has_started_runs_on() {
    let folder = scratch("debug_grandchild");
    run(Command::new("mkfifo").arg(folder.join("fifo")));
    fs::write(
        folder.join("main.lua"),
        "local skynet = require 'skynet.manager'\nskynet.start(function()\n\tos.execute('cat fifo &')\n\tskynet.abort()\nend)\n",
    )
    .unwrap();
    let mut child = debug(&folder, ".").spawn().unwrap();
    let mut editor = editor_of(&mut child);
    editor.attach("launch", json!({}), &[], &[]);
    assert_eq!(editor.event("exited", |_| true)["exitCode"], 0);
    child.wait().unwrap();
    fs::write(folder.join("fifo"), "").unwrap(); // lets the other one end
}

/// Places of spare workers are no workers: none of those runs the log service while the only worker ends the process.
#[test]
fn what_a_service_has_logged_before_it_ends_the_process_is_there() {
    let folder = scratch("debug_last_words");
    let main = "local skynet = require 'skynet'\nskynet.start(function()\n\tskynet.error 'last words'\n\tos.exit(7)\nend)\n";
    fs::write(folder.join("main.lua"), main).unwrap();
    let mut command = Command::new(EXE);
    command.args(["run", ".", "--set", "thread=1", "--set", "debug_adapter=0"]);
    let output = command.current_dir(&folder).output().unwrap();
    assert_eq!(output.status.code(), Some(7));
    let log = String::from_utf8_lossy(&output.stdout);
    assert!(log.contains("last words"), "{log}");
}

/// The node writes without an end, and nobody reads that.
#[test]
#[cfg(target_os = "linux")]
fn an_editor_that_does_not_read_keeps_nothing_at_the_end() {
    let folder = scratch("debug_unread");
    let pid = folder.join("pid");
    let main = "local skynet = require 'skynet'\nskynet.start(function()\n\tlocal stat, file = io.open '/proc/self/stat', io.open('new', 'w')\n\tfile:write(stat:read 'n'):close()\n\tos.rename('new', 'pid')\n\twhile true do\n\t\tprint(string.rep('x', 1000))\n\t\tskynet.yield()\n\tend\nend)\n";
    fs::write(folder.join("main.lua"), main).unwrap();
    for end in ["leaves", "kills", "shouts"] {
        let _ = fs::remove_file(&pid); // of the one before
        let mut child = debug(&folder, ".").spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        for (n, command) in ["initialize", "launch", "configurationDone"]
            .iter()
            .enumerate()
        {
            let text = json!({ "seq": n + 1, "type": "request", "command": command }).to_string();
            write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).unwrap();
        }
        until("the node has not begun", || pid.exists());
        let node = fs::read_to_string(&pid).unwrap();
        match end {
            "leaves" => drop(input),
            "kills" => signal(node.parse().unwrap(), "KILL"),
            _ => input.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap(),
        }
        let child = RefCell::new(child);
        until(end, || child.borrow_mut().try_wait().unwrap().is_some());
        until("the node runs on", || is_gone(&node));
    }
}

/// What a parent does not want to know of its own children is inherited.
#[test]
#[cfg(unix)]
fn how_the_node_ends_is_known_whoever_starts_the_process() {
    let folder = scratch("debug_ignored");
    fs::write(
        folder.join("main.lua"),
        "local skynet = require 'skynet'\nskynet.start(function()\n\tos.exit(7)\nend)\n",
    )
    .unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' CHLD; exec \"$0\" debug .", EXE])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut editor = editor_of(&mut child);
    editor.attach("launch", json!({}), &[], &[]);
    assert_eq!(editor.event("exited", |_| true)["exitCode"], 7);
    child.wait().unwrap();
}

/// A folder of temporary files with a path that is short enough for a socket in it.
fn temporary(test: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("{test}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    folder
}

fn folders_in(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_no_editor_sends_is_told_and_is_a_failure() {
    let folder = endless_project("debug_garbage");
    for (text, told) in [
        (
            "hello\n",
            "\"hello\\n\" is no header of the Debug Adapter Protocol",
        ),
        ("Content-Length: 4\r\n\r\nnull", "\"null\" is no request"),
    ] {
        let mut child = debug(&folder, ".").stderr(Stdio::piped()).spawn().unwrap();
        child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
        let out = child.wait_with_output().unwrap();
        assert_eq!(out.status.code(), Some(1));
        let errors = String::from_utf8_lossy(&out.stderr);
        assert!(errors.contains(told), "{errors}");
    }
}

/// How long the node is waited for at the end: tests of the process itself say what it makes of that.
#[test]
fn a_node_notes_how_long_its_services_may_take_to_finish() {
    let (folder, place) = (endless_project("debug_grace"), temporary("grace"));
    fs::write(
        folder.join("config"),
        "shutdown_grace = 30\nluaservice = './?.lua'\nbootstrap = 'snlua main'\n",
    )
    .unwrap();
    let mut child = debug(&folder, "config")
        .env("TMPDIR", &place)
        .spawn()
        .unwrap();
    let mut editor = editor_of(&mut child);
    editor.attach("launch", json!({}), &[], &[]);
    let noted = fs::read_to_string(folders_in(&place)[0].join("grace"));
    assert_eq!(noted.unwrap(), "30");
    editor.get("disconnect", json!({}));
    child.wait().unwrap();
    fs::remove_dir(&place).expect("it is empty");
}

/// By a second signal the process ends at once, though its node does not.
#[test]
#[cfg(target_os = "linux")]
fn no_folder_is_left_behind_for_longer_than_until_the_next_start() {
    let (folder, place) = (scratch("debug_folders"), temporary("folders"));
    fs::write(
        folder.join("main.lua"),
        "local skynet = require 'skynet'\nskynet.start(function()\n\tskynet.on_shutdown(function()\n\t\tprint 'ends'\n\t\tskynet.wait()\n\tend)\n\tprint 'begun'\nend)\n",
    )
    .unwrap();
    for (name, left) in [("KILL", 1), ("TERM", 0)] {
        let mut child = debug(&folder, ".").env("TMPDIR", &place).spawn().unwrap();
        let mut editor = editor_of(&mut child);
        editor.attach("launch", json!({}), &[], &[]);
        let mut told = |text: &str| {
            editor.event("output", |body| body["output"] == format!("{text}\n"));
        };
        told("begun");
        assert_eq!(
            folders_in(&place).len(),
            1,
            "that of the one before has gone"
        );
        if name == "TERM" {
            signal(child.id(), name);
            told("ends");
        }
        signal(child.id(), name);
        child.wait().unwrap();
        assert_eq!(folders_in(&place).len(), left);
    }
    fs::remove_dir(&place).expect("it is empty");
}
