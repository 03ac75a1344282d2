//! Attacks on the listeners of a node, beside an honest client: the short form of `tests/hostile/run`.
#![cfg(feature = "lua")]

#[path = "../tools/mod.rs"]
mod tools;

use std::process::Command;

use tools::peer::program;
use tools::{root, run};

const ATTACKS: &str = "zeros noise lengths drip rows silence crowd resets starved flood deaf";

fn attack(listeners: &str) {
    if tools::node::other_tree().is_some() {
        return; // the C core has no limits
    }
    run(Command::new(program("python3", "python3"))
        .arg(root().join("tests/hostile/run"))
        .args(["--short", "--exe", env!("CARGO_BIN_EXE_skynet")])
        .args(["--listeners", listeners, "--attacks", ATTACKS]));
}

#[test]
fn gates_answer_honest_clients_beside_strangers() {
    attack("gate gateserver msgserver");
}

#[test]
fn the_cluster_answers_honest_nodes_beside_strangers() {
    attack("cluster");
}

#[test]
fn consoles_and_logins_answer_honest_clients_beside_strangers() {
    attack("console metrics login");
}
