//! The Lua layer's HTTP against curl and a Python server.
#![cfg(feature = "lua")]

mod tools;

use std::process::Command;

use tools::node::run_test;
use tools::peer::{Peer, program};
use tools::root;

#[test]
fn http_messages_are_framed_as_the_standard_says() {
    run_test("net", "http_framing", "thread = 4");
}

#[test]
fn http_speaks_with_itself_curl_and_python() {
    program("curl", "curl");
    let peer = Peer::announced(
        Command::new(program("python3", "python3")).arg(root().join("tests/net/http_peer.py")),
    );
    run_test(
        "net",
        "http",
        &format!("thread = 4\npeer_port = {}", peer.port),
    );
}
