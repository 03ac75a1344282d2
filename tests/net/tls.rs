//! The Lua layer's HTTPS and secure WebSockets against curl, Python and the `openssl` program.

use std::process::Command;

use crate::tools::node::run_test;
use crate::tools::peer::{Peer, accepts, free_port, program, python};
use crate::tools::{root, run, scratch};

#[test]
fn https_and_secure_websockets_speak_with_others() {
    program("curl", "curl");
    let openssl = program("openssl", "openssl");
    let folder = scratch("tls");
    let (key, certificate) = (
        folder.join("server-key.pem"),
        folder.join("server-cert.pem"),
    );
    run(Command::new(&openssl)
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate));
    let port = free_port();
    let peer = Peer::on_port(
        Command::new(&openssl)
            .args(["s_server", "-www", "-quiet", "-accept", &port.to_string()])
            .arg("-key")
            .arg(&key)
            .arg("-cert")
            .arg(&certificate),
        port,
        accepts,
    );
    run_test(
        "net",
        "tls",
        &format!(
            "thread = 4\nenablessl = true\npeer_port = {}\npython = {:?}\nscripts = {:?}\ncertfile = {certificate:?}\nkeyfile = {key:?}",
            peer.port,
            python(),
            root().join("tests/net"),
        ),
    );
}
