use super::harness::*;
use crate::io::socket::addr::{SockAddr, Text};
use crate::io::socket::resolve::Found;
use crate::io::socket::{EventKind, Hooks};
use std::ffi::CStr;
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A port without a listener.
fn closed_port() -> i32 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
        .into()
}

/// A look-up whose answers the test gives.
fn slow() -> (Hooks, Sender<Found>) {
    let (tx, rx): (_, Receiver<Found>) = channel();
    let rx = Mutex::new(rx);
    let mut h = hooks();
    h.lookup = Arc::new(move |_: &CStr, _| rx.lock().unwrap().recv().unwrap());
    (h, tx)
}

#[test]
fn a_refused_connection_is_told_with_the_systems_text() {
    let node = Node::new();
    let id = node.server.connect(1, c"127.0.0.1", closed_port()).unwrap();
    assert_eq!(node.error(id), "Connection refused");
    assert!(!node.send(id, b"x"));
}

#[test]
fn a_name_that_does_not_exist_is_told_with_the_resolvers_text() {
    let mut h = hooks();
    h.lookup = Arc::new(|_: &CStr, _| {
        Err(Box::new(crate::io::socket::resolve::failure(
            libc::EAI_NONAME,
        )))
    });
    let node = Node::with(h);
    let id = node.server.connect(1, c"no.such.host", 80).unwrap();
    assert_eq!(node.error(id), "Name or service not known");
}

#[test]
fn a_slow_look_up_holds_up_nobody() {
    let (h, answer) = slow();
    let node = Node::with(h);
    let waiting = node.server.connect(1, c"slow.example", 1).unwrap();
    // Numbers need no look-up, so all of this works meanwhile.
    let (id, mut peer) = node.connected();
    assert!(node.send(id, b"hello"));
    assert_eq!(read_exact(&mut peer, 5), b"hello");
    answer.send(Err(Box::new(Text::from("gave up")))).unwrap();
    assert_eq!(node.error(waiting), "gave up");
}

#[test]
fn all_addresses_are_tried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let good = listener.local_addr().unwrap().port();
    let bad = closed_port() as u16;
    let mut h = hooks();
    h.lookup = Arc::new(move |_: &CStr, _| {
        Ok(vec![
            SockAddr::new([127, 0, 0, 1].into(), bad),
            SockAddr::new([127, 0, 0, 1].into(), good),
        ])
    });
    let node = Node::with(h);
    let id = node.server.connect(1, c"two.addresses", 1).unwrap();
    assert_eq!(node.opened(id), ("127.0.0.1".to_string(), 0));
}

#[test]
fn the_other_family_is_tried_when_the_first_address_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut h = hooks();
    // As a system with IPv6 says of `localhost`, while only IPv4 is listened on.
    h.lookup = Arc::new(move |_: &CStr, _| {
        Ok(vec![
            SockAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), port),
            SockAddr::new([127, 0, 0, 1].into(), port),
        ])
    });
    let node = Node::with(h);
    let id = node.server.connect(1, c"both.families", 1).unwrap();
    assert_eq!(node.opened(id), ("127.0.0.1".to_string(), 0));
    assert!(node.send(id, b"over four"));
    assert_eq!(
        read_exact(&mut listener.accept().unwrap().0, 9),
        b"over four"
    );
}

#[test]
fn bytes_sent_before_the_connection_stands_arrive_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (h, answer) = slow();
    let node = Node::with(h);
    let id = node.server.connect(1, c"slow.example", 1).unwrap();
    assert!(node.send(id, b"one "));
    assert!(node.send(id, b"two "));
    answer
        .send(Ok(vec![SockAddr::new([127, 0, 0, 1].into(), port)]))
        .unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    node.opened(id);
    assert!(node.send(id, b"three"));
    assert_eq!(read_exact(&mut peer, 13), b"one two three");
}

#[test]
fn close_during_a_look_up_is_told_at_once_and_sends_what_is_queued() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (h, answer) = slow();
    let node = Node::with(h);
    let empty = node.server.connect(1, c"slow.example", 1).unwrap();
    node.server.close(0, empty);
    node.closed(empty);
    let full = node.server.connect(1, c"slow.example", 1).unwrap();
    assert!(node.send(full, b"last words"));
    node.server.close(0, full);
    node.closed(full);
    for _ in 0..2 {
        answer
            .send(Ok(vec![SockAddr::new([127, 0, 0, 1].into(), port)]))
            .unwrap();
    }
    let (mut peer, _) = listener.accept().unwrap();
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut peer, &mut all).unwrap();
    assert_eq!(all, b"last words");
    assert!(node.settle().is_empty());
}

#[test]
fn more_look_ups_than_threads_all_end() {
    let mut h = hooks();
    h.lookup = Arc::new(|_: &CStr, port| Err(Box::new(Text::from(port.to_string().as_str()))));
    let node = Node::with(h);
    let ids: Vec<_> = (1..100)
        .map(|port| node.server.connect(1, c"name", port).unwrap())
        .collect();
    for (port, id) in (1..100).zip(ids) {
        assert_eq!(node.error(id), port.to_string());
    }
}

#[test]
fn ids_grow_and_wrap_to_one() {
    let node = Node::new();
    let first = node.server.udp(1, None, 0).unwrap();
    assert_eq!(first, 1);
    assert_eq!(node.server.udp(1, None, 0), Some(2));
    node.server.set_last_id(i32::MAX - 1);
    assert_eq!(node.server.udp(1, None, 0), Some(i32::MAX));
    // 0 is no id, and 1 and 2 are taken.
    let next = node.server.udp(1, None, 0).unwrap();
    assert_eq!(next, 3);
    node.settle();
    assert_eq!(node.server.shared.table.in_use().count(), 4);
}

#[test]
fn a_full_table_refuses_new_sockets_and_gives_slots_back() {
    let (h, _answer) = slow();
    let node = Node::with(h);
    // Sockets that wait for the resolver need no descriptor.
    let ids: Vec<_> = std::iter::from_fn(|| node.server.connect(1, c"slow.example", 1)).collect();
    assert_eq!(ids.len(), 65536);
    node.server.close(0, ids[100]);
    node.closed(ids[100]);
    // The thread that has told of the end may still have the claim of the slot in its hand.
    let port = closed_port();
    let begun = Instant::now();
    let id = loop {
        match node.server.connect(1, c"127.0.0.1", port) {
            Some(id) => break id,
            None => assert!(begun.elapsed() < PATIENCE, "the slot is not given back"),
        }
    };
    assert_eq!(id & 0xffff, ids[100] & 0xffff);
    assert!(matches!(node.next(id).what, EventKind::Error(_)));
}
