//! Faults that a node meets, and whether it stays flat under mixed traffic: the short forms of `tests/faults/run` and
//! `benches/soak`.
#![cfg(feature = "lua")]

#[path = "../tools/mod.rs"]
mod tools;

use std::process::Command;

use tools::peer::program;
use tools::{root, run};

fn python(script: &str, arguments: &[&str]) {
    if tools::node::other_tree().is_some() {
        return; // the C core does not pass all of them
    }
    run(Command::new(program("python3", "python3"))
        .arg(root().join(script))
        .args(arguments)
        .args(["--exe", env!("CARGO_BIN_EXE_skynet")]));
}

fn meet(faults: &str) {
    python("tests/faults/run", &["--short", "--only", faults]);
}

#[test]
fn a_node_lives_when_the_machine_has_no_more() {
    meet("descriptors full-device full-disk addresses addresses-at-start resets");
}

#[test]
fn a_node_lives_in_a_sandbox_that_refuses_what_it_asks_for() {
    meet("refused-accept refused-timers");
}

#[test]
fn a_node_lives_whatever_becomes_of_its_log_and_its_descriptors() {
    meet("closed-descriptors no-reader stalled-log log-folder-gone hangups");
}

#[test]
fn a_node_ends_in_order_under_load() {
    meet("aborts terminations");
}

#[test]
fn a_node_outlives_its_peers() {
    meet("killed-cluster frozen-cluster frozen-heartbeat killed-server frozen-server lost-master");
}

#[test]
fn services_and_messages_may_be_many() {
    meet("services messages launch-and-kill");
}

#[test]
fn a_node_stays_flat_under_mixed_traffic() {
    python("benches/soak", &["0.15"]);
}
