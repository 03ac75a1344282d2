//! The Lua layer's MongoDB client against a server in Python that uses pymongo's BSON: there is no server package in
//! Debian.

use std::process::Command;

use crate::tools::node::run_test;
use crate::tools::peer::{Peer, python};
use crate::tools::root;

#[test]
fn mongo_reads_writes_logs_in_and_runs_transactions() {
    let peer = Peer::announced(Command::new(python()).arg(root().join("tests/net/mongo_peer.py")));
    run_test("net", "mongo", &format!("mongo_port = {}", peer.port));
}
