//! Several nodes at once, started, ended and started again by a test.
//!
//! With `SKYNET_PEER_EXE` and `SKYNET_PEER_TREE` (as `SKYNET_EXE` and `SKYNET_TREE` for the first node, see `node`) the
//! second node of a test runs on another executable and tree: that is how two kinds are tried in one network.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use super::{node, root, scratch};

/// How long a line may take to appear before the node counts as stuck.
const LIMIT: Duration = Duration::from_secs(60);

/// Which executable and tree a node runs on.
#[derive(Clone, Copy)]
pub enum Side {
    First,
    Second,
}

impl Side {
    fn variable(self, name: &str) -> Option<PathBuf> {
        let infix = match self {
            Side::First => "",
            Side::Second => "PEER_",
        };
        std::env::var_os(format!("SKYNET_{infix}{name}")).map(PathBuf::from)
    }
}

/// A running node, killed when dropped.
pub struct Node {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Node {
    /// Starts the service `tests/network/START.lua` as a node; `more` is appended to its config.
    pub fn start(side: Side, start: &str, more: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let place = scratch(&format!("network-{start}-{number}"));
        let scripts = root().join("tests/network").display().to_string();
        let config =
            node::config(&scripts, side.variable("TREE")) + &format!("start = {start:?}\n{more}\n");
        std::fs::write(place.join("config"), config).expect("config");
        let executable = side
            .variable("EXE")
            .unwrap_or_else(|| env!("CARGO_BIN_EXE_skynet").into());
        let mut child = Command::new(executable)
            .arg("config")
            .current_dir(place)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the executable starts");
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

    /// Waits for a line that contains `text`, after those that were waited for before.
    pub fn wait(&mut self, text: &str) {
        let begin = Instant::now();
        loop {
            let left = LIMIT.saturating_sub(begin.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = line.contains(text);
                    self.seen.push(line);
                    if found {
                        return;
                    }
                }
                Err(_) => panic!("no line {text:?} in\n{}", self.seen.join("\n")),
            }
        }
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
