//! Several nodes at once, started, ended and started again by a test.
//!
//! With `SKYNET_PEER_EXE` and `SKYNET_PEER_TREE` (as `SKYNET_EXE` and `SKYNET_TREE` for the first node, see `node`) the
//! second node of a test runs on another executable and tree: that is how two kinds are tried in one network.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::running::Node;
use super::{node, root, scratch};

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

/// Starts the service `tests/net/nodes/START.lua` as a node; `more` is appended to its config.
pub fn start(side: Side, start: &str, more: &str) -> Node {
    // A folder for each node: tests that run at the same time start the same services.
    static STARTED: AtomicU32 = AtomicU32::new(0);
    let number = STARTED.fetch_add(1, Ordering::Relaxed);
    let place = scratch(&format!("network-{}-{number}", std::process::id()));
    let scripts = root().join("tests/net/nodes").display().to_string();
    let config =
        node::config(&scripts, side.variable("TREE")) + &format!("start = {start:?}\n{more}\n");
    std::fs::write(place.join("config"), config).expect("config");
    let executable = side
        .variable("EXE")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_skynet").into());
    Node::spawn(Command::new(executable).arg("config").current_dir(place))
}
