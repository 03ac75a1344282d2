//! The Lua layer's HTTP against curl, a Python server, and the packages `h11` and `hypercorn`.

use std::process::Command;

use crate::tools::node::run_test;
use crate::tools::peer::{Peer, program, python};
use crate::tools::root;

#[test]
fn http_answers_are_framed_as_the_standard_says() {
    run_test("net", "http_client_framing", "thread = 4");
}

#[test]
fn http_requests_are_framed_as_the_standard_says() {
    let certificates = root().join("tests/certificates");
    run_test(
        "net",
        "http_server_framing",
        &format!(
            "thread = 4\nenablessl = true\ncertfile = {:?}\nkeyfile = {:?}",
            certificates.join("localhost.pem"),
            certificates.join("localhost.key")
        ),
    );
}

#[test]
fn http_hosts_and_targets_are_those_of_the_standard() {
    run_test("net", "http_targets", "thread = 2");
}

#[test]
fn http_routes_lead_where_they_say() {
    run_test("net", "http_router", "thread = 2");
}

#[test]
fn http_middleware_runs_in_order_and_may_answer() {
    run_test("net", "http_middleware", "thread = 2");
}

#[test]
fn http_bodies_are_read_in_pieces_and_leave_nothing_behind() {
    run_test("net", "http_bodies", "thread = 2");
}

#[test]
fn http_events_are_streams_of_bounded_size() {
    run_test("net", "http_streams", "thread = 2");
}

#[test]
fn http_files_are_those_of_a_folder() {
    run_test("net", "http_static", "thread = 2");
}

#[test]
fn http_clients_keep_to_their_connections() {
    run_test("net", "http_pool", "thread = 2");
}

#[test]
fn what_http_connections_hold_together_is_bounded() {
    run_test(
        "net",
        "http_memory",
        "thread = 2\nhttp_memory = \"16m\"\nwebsocket_memory = \"16m\"",
    );
}

#[test]
fn http_clients_that_do_not_read_or_say_nothing_keep_nobody_waiting() {
    run_test("net", "http_pacing", "thread = 2");
}

#[test]
fn http_speaks_with_h11_and_hypercorn() {
    let scripts = root().join("tests/net");
    let peer = Peer::announced(
        Command::new(python())
            .arg(scripts.join("http_packages.py"))
            .arg("serve"),
    );
    run_test(
        "net",
        "http_packages",
        &format!(
            "thread = 4\npeer_port = {}\npython = {:?}\nscripts = {:?}",
            peer.port,
            python(),
            scripts
        ),
    );
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
