//! What a server does for programs of before v1.5.0: see [`crate::io::socket::Rules`].

use super::harness::*;
use crate::io::socket::rules::Rules;
use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};

fn node(version: u32) -> Node {
    let mut hooks = hooks();
    hooks.rules = Rules::of(version, version);
    Node::with(hooks)
}

#[test]
fn the_end_of_the_stream_closes_the_socket_before_v1_5() {
    for (version, half_close) in [(10400, false), (10500, true)] {
        let node = node(version);
        let (id, mut peer) = node.connected();
        peer.shutdown(Shutdown::Write).unwrap();
        node.closed(id);
        assert_eq!(node.send(id, b"answer"), half_close, "{version}");
        if !half_close {
            let mut all = Vec::new();
            peer.read_to_end(&mut all)
                .expect("the socket is closed by itself");
            assert_eq!(all, b"");
        }
    }
}

#[test]
fn queued_bytes_go_out_before_the_end_is_told() {
    let node = node(10400);
    let (id, mut peer) = node.connected();
    let sent = congest(&node, id);
    node.server.close(7, id);
    assert!(node.settle().is_empty(), "CLOSE waits");
    assert!(!node.send(id, b"late"), "a closing socket takes nothing");
    let mut all = Vec::new();
    peer.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), sent);
    node.closed(id);
}

#[test]
fn whoever_closes_is_answered_each_time() {
    let node = node(10400);
    let (id, _peer) = node.connected();
    for _ in 0..2 {
        node.server.close(7, id);
        let event = node.next(id);
        assert_eq!((event.owner, name(&event.what)), (7, "CLOSE".to_string()));
    }
    node.server.shutdown(8, 777);
    assert_eq!(node.next(777).owner, 8);
}

#[test]
fn a_newer_lua_layer_lives_with_older_services_of_the_config() {
    let mut hooks = hooks();
    hooks.rules = Rules::of(10000, 99999);
    let node = Node::with(hooks);
    let (id, mut peer) = node.connected();
    peer.shutdown(Shutdown::Write).unwrap();
    node.closed(id);
    assert_eq!(
        peer.read(&mut [0]).expect("the socket is closed by itself"),
        0
    );
    node.server.close(7, id);
    assert!(node.settle().is_empty(), "one CLOSE is enough");
    node.listen("127.0.0.1");
}

#[test]
fn a_listening_socket_is_silent_until_it_is_started_before_v1_6() {
    let node = node(10500);
    let id = node.server.listen(1, Some(c"127.0.0.1"), 0, 8).unwrap();
    assert!(node.settle().is_empty());
    node.server.start(1, id);
    assert_eq!(node.opened(id).0, "start");
}

#[test]
fn what_is_written_before_the_start_is_dropped_in_silence() {
    static REPORTS: AtomicUsize = AtomicUsize::new(0);
    let mut hooks = hooks();
    hooks.report = |_| {
        REPORTS.fetch_add(1, Ordering::Relaxed);
    };
    let node = Node::with(hooks);
    let (listener, port) = node.listen("127.0.0.1");
    let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (id, _) = node.accepted(listener);
    assert!(node.send(id, b"early"));
    node.server.start(1, id);
    assert_eq!(node.opened(id).0, "start");
    assert!(node.send(id, b"late"));
    let mut got = [0; 4];
    peer.read_exact(&mut got).unwrap();
    assert_eq!((&got, REPORTS.load(Ordering::Relaxed)), (b"late", 0));
    assert!(node.settle().is_empty());
}
