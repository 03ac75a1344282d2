//! The Lua layer's WebSockets against the Python packages `websockets` and `wsproto`, both ways.

use std::process::Command;

use crate::tools::node::run_test;
use crate::tools::peer::{Peer, python};
use crate::tools::root;

#[test]
fn websocket_frames_are_held_to_the_standard() {
    run_test("net", "websocket_frames", "thread = 4\nenablessl = true");
}

#[test]
fn websocket_clients_hold_their_servers_to_the_standard() {
    run_test(
        "net",
        "websocket_client_frames",
        "thread = 4\nenablessl = true",
    );
}

#[test]
fn websockets_speak_with_themselves_and_python() {
    speak_with_python("websocket", &["serve"], &["serve"]);
}

#[test]
fn websockets_compress_messages_where_both_sides_want_it() {
    let (websockets, wsproto) = (["serve", "deflate"], ["serve", "compressed"]);
    speak_with_python("websocket_deflate", &websockets, &wsproto);
}

/// Runs a test beside two servers in Python, which are started with these arguments.
fn speak_with_python(test: &str, websockets: &[&str], wsproto: &[&str]) {
    let scripts = root().join("tests/net");
    let start = |script: &str, arguments: &[&str]| {
        Peer::announced(
            Command::new(python())
                .arg(scripts.join(script))
                .args(arguments),
        )
    };
    let peer = start("websocket_peer.py", websockets);
    let wsproto = start("wsproto_peer.py", wsproto);
    run_test(
        "net",
        test,
        &format!(
            "thread = 4\npeer_port = {}\nwsproto_port = {}\npython = {:?}\nscripts = {:?}",
            peer.port,
            wsproto.port,
            python(),
            scripts
        ),
    );
}
