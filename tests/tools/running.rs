//! A node that a test starts, reads, types into and ends.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a line, or the end, may take to come before the node counts as stuck.
const LIMIT: Duration = Duration::from_secs(60);

/// A running node, killed when dropped.
pub struct Node {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Node {
    /// Starts a program.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break; // the test is over
                }
            }
        });
        Self {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    fn next_line(&mut self, begin: Instant) -> Result<&str, RecvTimeoutError> {
        let left = LIMIT.saturating_sub(begin.elapsed());
        self.seen.push(self.lines.recv_timeout(left)?);
        Ok(self.seen.last().expect("just pushed"))
    }

    /// Waits for a line that contains `text`, after those that were waited for before.
    pub fn wait(&mut self, text: &str) -> &mut Self {
        let begin = Instant::now();
        loop {
            match self.next_line(begin) {
                Ok(line) if line.contains(text) => return self,
                Ok(_) => {}
                Err(_) => panic!("no line {text:?} in\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Waits for lines with these texts, in whatever order they come: what services print does not wait for the log.
    pub fn wait_all(&mut self, texts: &[&str]) -> &mut Self {
        let begin = Instant::now();
        let mut left = texts.to_vec();
        while !left.is_empty() {
            match self.next_line(begin) {
                Ok(line) => left.retain(|text| !line.contains(text)),
                Err(_) => panic!("no line {left:?} in\n{}", self.seen.join("\n")),
            }
        }
        self
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The line that was waited for last.
    pub fn last(&self) -> &str {
        self.seen.last().map_or("", String::as_str)
    }

    /// Asserts that the line that was waited for last has this in it, too.
    pub fn last_contains(&mut self, text: &str) -> &mut Self {
        assert!(self.last().contains(text), "{}", self.last());
        self
    }

    /// The next line that contains `text`, if it is there already or comes in a moment: for who waits for several nodes.
    pub fn wait_briefly(&mut self, text: &str) -> Option<String> {
        let soon = Duration::from_millis(50);
        while let Ok(line) = self.lines.recv_timeout(soon) {
            self.seen.push(line);
            if self.last().contains(text) {
                return Some(self.last().to_owned());
            }
        }
        None
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) -> &mut Self {
        let stdin = self.child.stdin.as_mut().expect("stdin is a pipe");
        writeln!(stdin, "{line}").expect("the node reads");
        self
    }

    /// Waits until the node ends, with status 0. Returns all that it has printed.
    pub fn ends(&mut self) -> Vec<String> {
        let status = self.ended();
        assert!(status.success(), "{status}\n{}", self.seen.join("\n"));
        std::mem::take(&mut self.seen)
    }

    /// Waits until the node ends, and says how.
    pub fn ended(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            match self.next_line(begin) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("no end of\n{}", self.seen.join("\n")),
            }
        }
        self.child.wait().expect("the node's status")
    }

    /// How many descriptors it has open.
    #[cfg(target_os = "linux")]
    pub fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).expect("the node runs").count()
    }

    /// Sends a signal to the node, by its name: `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        super::run(Command::new("kill").args(["-s", name, &pid]));
    }

    /// Ends the node at once, as if its machine had lost its power.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end();
    }
}
