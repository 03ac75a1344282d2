//! Runs the examples: in a copy of their folder, so that ports can be changed and files they write do no harm.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::{root, scratch};

/// How long a node may say nothing before it counts as stuck.
const LIMIT: Duration = Duration::from_secs(60);

/// A copy of `examples/NAME`.
pub struct Example {
    name: String,
    place: PathBuf,
}

impl Example {
    /// Copies an example. `changes` are replacements in its files: what stands there, and what this test needs.
    pub fn new(name: &str, changes: &[(&str, String)]) -> Self {
        let place = scratch(&format!("example-{name}"));
        let to = place.join("examples").join(name);
        fs::create_dir_all(&to).expect("folder of the example");
        let mut used = vec![false; changes.len()];
        for entry in fs::read_dir(root().join("examples").join(name))
            .expect("the example")
            .flatten()
        {
            let mut text = fs::read_to_string(entry.path()).expect("a text file");
            for ((old, new), used) in changes.iter().zip(&mut used) {
                *used |= text.contains(old);
                text = text.replace(old, new);
            }
            fs::write(to.join(entry.file_name()), text).expect("copy of a file");
        }
        assert!(used.iter().all(|&used| used), "changes: {changes:?}");
        Self {
            name: name.to_string(),
            place,
        }
    }

    /// A file of the copy.
    pub fn path(&self, file: &str) -> PathBuf {
        self.place.join("examples").join(&self.name).join(file)
    }

    /// Starts a node with one of the configs, in a place that looks like the root of the project.
    pub fn start(&self, config: &str) -> Node {
        let mut child = Command::new(env!("CARGO_BIN_EXE_skynet"))
            .arg(format!("examples/{}/{config}", self.name))
            .current_dir(&self.place)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the executable starts");
        let output = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let (send, lines) = channel();
        thread::spawn(move || {
            for line in output.lines() {
                let line = line.expect("readable output");
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Node {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Runs a config to its end, which has to be a good one.
    pub fn run(&self, config: &str) -> Output {
        self.start(config).ends()
    }
}

/// A running node, killed when dropped.
pub struct Node {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Node {
    fn output(&self) -> String {
        self.seen.join("\n")
    }

    /// Waits until the node prints a line with `text` in it.
    pub fn until(&mut self, text: &str) -> &mut Self {
        while !self.seen.last().is_some_and(|line| line.contains(text)) {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => self.seen.push(line),
                Err(problem) => panic!("no {text:?} ({problem}) in\n{}", self.output()),
            }
        }
        self
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) -> &mut Self {
        let stdin = self.child.stdin.as_mut().expect("stdin is a pipe");
        writeln!(stdin, "{line}").expect("the node reads");
        self
    }

    /// Waits for the end of the node, with status 0.
    pub fn ends(&mut self) -> Output {
        loop {
            match self.lines.recv_timeout(LIMIT) {
                Ok(line) => self.seen.push(line),
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(problem) => panic!("no end ({problem}) of\n{}", self.output()),
            }
        }
        let status = self.child.wait().expect("the node's status");
        assert!(status.success(), "{status}\n{}", self.output());
        Output(std::mem::take(&mut self.seen))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a node has printed.
pub struct Output(Vec<String>);

impl Output {
    /// Asserts that lines which begin like these were printed, in this order.
    pub fn has(&self, expected: &[&str]) {
        let mut lines = self.0.iter();
        for text in expected {
            assert!(
                lines.any(|line| line.starts_with(text)),
                "no {text:?}, in this order, in\n{}",
                self.0.join("\n")
            );
        }
    }
}
