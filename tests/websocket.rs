//! The Lua layer's WebSockets against the Python packages `websockets` and `wsproto`, both ways.
#![cfg(feature = "lua")]

mod tools;

use std::process::Command;

use tools::node::run_test;
use tools::peer::{Peer, python};
use tools::root;

#[test]
fn websocket_frames_are_held_to_the_standard() {
    run_test("net", "websocket_frames", "thread = 4\nenablessl = true");
}

#[test]
fn websockets_speak_with_themselves_and_python() {
    let scripts = root().join("tests/net");
    let peer = Peer::announced(
        Command::new(python())
            .arg(scripts.join("websocket_peer.py"))
            .arg("serve"),
    );
    let wsproto = Peer::announced(
        Command::new(python())
            .arg(scripts.join("wsproto_peer.py"))
            .arg("serve"),
    );
    run_test(
        "net",
        "websocket",
        &format!(
            "thread = 4\npeer_port = {}\nwsproto_port = {}\npython = {:?}\nscripts = {:?}",
            peer.port,
            wsproto.port,
            python(),
            scripts
        ),
    );
}
