use super::harness::*;
use crate::io::socket::{Event, EventKind, Payload, SocketServer};
use std::net::UdpSocket;

/// Sends until the server has had enough; the events so far.
fn overfill(node: &Node, ids: &[i32]) -> Vec<(i32, String)> {
    let block = vec![0u8; 64 * 1024];
    loop {
        for &id in ids {
            node.send(id, &block);
        }
        let errors: Vec<_> = node
            .settle()
            .into_iter()
            .filter_map(|e| match e.what {
                EventKind::Error(t) => Some((e.id, text_of(t.as_bytes()))),
                EventKind::Warning(_) => None,
                other => panic!("{}", name(&other)),
            })
            .collect();
        if !errors.is_empty() {
            return errors;
        }
    }
}

#[test]
fn a_socket_that_queues_more_than_its_limit_is_closed_with_an_error() {
    let node = Node::new();
    node.server.set_limits(Some(1 << 20), None);
    let (id, _peer) = node.connected();
    let errors = overfill(&node, &[id]);
    assert_eq!(errors.len(), 1);
    assert!(
        errors[0].1.starts_with("write buffer limit exceeded: ")
            && errors[0]
                .1
                .ends_with(" bytes wait, the limit of the socket is 1048576"),
        "{errors:?}"
    );
    assert!(!node.send(id, b"x"));
    let figures = node.server.figures();
    assert_eq!(
        (figures.sockets, figures.queued, figures.overflows),
        (0, 0, 1)
    );
    assert!(figures.written > 0, "what has gone out counts on");
}

#[test]
fn a_socket_may_have_a_limit_of_its_own() {
    let node = Node::new();
    node.server.set_limits(Some(1 << 20), None);
    let (strict, _peer) = node.connected();
    let (free, _other) = node.connected();
    assert!(node.server.set_limit(strict, Some(100_000)));
    assert!(node.server.set_limit(free, Some(usize::MAX)));
    congest(&node, free);
    for _ in 0..10 {
        assert!(node.send(free, &vec![0; 1 << 20]));
    }
    let errors = overfill(&node, &[strict]);
    assert_eq!(errors[0].0, strict);
    assert!(errors[0].1.ends_with(" is 100000"), "{errors:?}");
    assert!(!node.server.set_limit(strict, None), "it is gone");
}

#[test]
fn accepted_sockets_have_the_limit_of_their_listener() {
    let node = Node::new();
    let (listener, port) = node.listen("127.0.0.1");
    assert!(node.server.set_limit(listener, Some(200_000)));
    let _peer = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (id, _) = node.accepted(listener);
    node.server.start(1, id);
    node.opened(id);
    let errors = overfill(&node, &[id]);
    assert!(errors[0].1.ends_with(" is 200000"), "{errors:?}");
}

#[test]
fn a_datagram_over_the_limit_is_dropped_and_the_socket_lives() {
    // Without a thread of its own: nothing goes out before the turn below.
    let server = SocketServer::new(hooks()).unwrap();
    server.set_limits(Some(10), None);
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = i32::from(peer.local_addr().unwrap().port());
    let id = server.udp_dial(1, c"127.0.0.1", port).unwrap();
    for text in ["first", "too much", "last"] {
        let payload = Payload::copy_of(text.as_bytes());
        assert!(server.send_datagram(id, None, payload).unwrap());
    }
    server.turn(&mut |_: Event| true, false);
    let mut room = [0; 64];
    for text in ["first", "last"] {
        let n = peer.recv(&mut room).unwrap();
        assert_eq!(&room[..n], text.as_bytes());
    }
    let figures = server.figures();
    assert_eq!((figures.dropped, figures.overflows), (1, 0));
    assert!(server.send(id, Payload::copy_of(b"more")).unwrap());
    assert_eq!(peer.recv(&mut room).unwrap(), 4);
}

#[test]
fn the_total_limit_closes_who_exceeds_it_and_frees_what_he_had() {
    let node = Node::new();
    node.server.set_limits(None, Some(2 << 20));
    let (a, _peer_a) = node.connected();
    let (b, _peer_b) = node.connected();
    let (small, mut peer) = node.connected();
    overfill(&node, &[a, b]);
    assert!(node.send(small, b"fine"));
    assert_eq!(read_exact(&mut peer, 4), b"fine");
    overfill(&node, &[small]);
}

#[test]
fn there_is_no_limit_by_default() {
    let node = Node::new();
    let (id, _peer) = node.connected();
    congest(&node, id);
    for _ in 0..100 {
        assert!(node.send(id, &vec![0; 1 << 20]));
    }
    assert!(
        node.settle()
            .iter()
            .all(|e| matches!(e.what, EventKind::Warning(_)))
    );
}
