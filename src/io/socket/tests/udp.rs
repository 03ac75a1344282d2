use super::harness::*;
use crate::io::socket::addr::UdpAddress;
use crate::io::socket::{EventKind, Payload};
use std::ffi::CString;
use std::net::UdpSocket;

/// A datagram and the address bytes behind it.
fn datagram(node: &Node, id: i32) -> (Vec<u8>, Vec<u8>) {
    match node.next(id).what {
        EventKind::Udp(d) => {
            let bytes = d.bytes().to_vec();
            let len = d.len();
            let raw = d.into_raw().cast::<u8>();
            // SAFETY: the address follows the bytes, and its first byte tells its length.
            let behind = unsafe {
                let n = UdpAddress::size_of_kind(*raw.add(len)).unwrap();
                let behind = std::slice::from_raw_parts(raw.add(len), n).to_vec();
                libc::free(raw.cast());
                behind
            };
            (bytes, behind)
        }
        other => panic!("expected UDP, got {}", name(&other)),
    }
}

fn address(bytes: &[u8]) -> UdpAddress {
    // SAFETY: complete, as it came from the server.
    unsafe { UdpAddress::read(bytes.as_ptr()) }.unwrap()
}

fn exchange(host: &str, size: usize) {
    let node = Node::new();
    let peer = UdpSocket::bind((host, 0)).unwrap();
    let port = i32::from(peer.local_addr().unwrap().port());
    let c_host = CString::new(host).unwrap();
    let client = node.server.udp_dial(1, &c_host, port).unwrap();
    // Sent before the I/O thread knows the socket: it goes to the peer all the same.
    assert!(node.send(client, b"ping"));
    let mut room = [0; 64];
    let (n, from) = peer.recv_from(&mut room).unwrap();
    assert_eq!(&room[..n], b"ping");
    peer.send_to(b"pong", from).unwrap();
    let (bytes, behind) = datagram(&node, client);
    assert_eq!((bytes.as_slice(), behind.len()), (&b"pong"[..], size));
    assert_eq!(behind[1..3], (port as u16).to_be_bytes());
    assert!(
        node.server
            .send_datagram(client, Some(address(&behind)), Payload::copy_of(b"back"))
            .unwrap()
    );
    let (n, _) = peer.recv_from(&mut room).unwrap();
    assert_eq!(&room[..n], b"back");
}

#[test]
fn dial_and_answer_over_ipv4() {
    exchange("127.0.0.1", 7);
}

#[test]
fn dial_and_answer_over_ipv6() {
    if UdpSocket::bind("[::1]:0").is_ok() {
        exchange("::1", 19);
    }
}

#[test]
fn listen_hears_from_a_socket_that_is_connected_later() {
    let free = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let node = Node::new();
    let server = node
        .server
        .udp_listen(1, Some(c"127.0.0.1"), free.into())
        .unwrap();
    let client = node.server.udp(1, None, 0).unwrap();
    assert!(!node.send(client, b"nowhere"), "no address yet");
    assert!(node.server.udp_connect(client, c"127.0.0.1", free.into()));
    assert!(node.send(client, b"hello"));
    assert!(node.send(client, b""));
    assert_eq!(datagram(&node, server).0, b"hello");
    assert_eq!(datagram(&node, server).0, b"", "an empty datagram is one");
}

#[test]
fn listen_needs_a_port_and_a_bound_one_is_refused() {
    let node = Node::new();
    assert_eq!(node.server.udp_listen(1, Some(c"127.0.0.1"), 0), None);
    assert_eq!(
        node.server.udp(1, Some(c"203.0.113.7"), 0),
        None,
        "not an address of this machine"
    );
}

#[test]
fn a_peer_of_the_wrong_family_is_an_error_for_the_owner() {
    let node = Node::new();
    let id = node.server.udp(1, None, 0).unwrap();
    assert!(node.server.udp_connect(id, c"::1", 9));
    assert_eq!(node.error(id), "protocol mismatch");
    let v6 = UdpAddress::from_sock(&crate::io::socket::addr::SockAddr::new(
        std::net::Ipv6Addr::LOCALHOST.into(),
        9,
    ))
    .unwrap();
    assert!(
        !node
            .server
            .send_datagram(id, Some(v6), Payload::copy_of(b"x"))
            .unwrap()
    );
}

#[test]
fn a_datagram_that_cannot_be_sent_is_dropped_and_the_thread_sleeps() {
    let node = Node::new();
    let id = node.server.udp(1, None, 0).unwrap();
    let nowhere = UdpAddress::from_sock(&crate::io::socket::addr::SockAddr::new(
        [127, 0, 0, 1].into(),
        0,
    ))
    .unwrap();
    for _ in 0..3 {
        node.server
            .send_datagram(id, Some(nowhere), Payload::copy_of(b"x"))
            .unwrap();
    }
    node.server
        .send_datagram(id, Some(nowhere), Payload::copy_of(&vec![0; 100_000]))
        .unwrap();
    node.settle();
    assert_eq!(statistics(&node, id).wbuffer, 0, "nothing waits for ever");
    assert_eq!(statistics(&node, id).writing, 0);
}

#[test]
fn close_of_a_udp_socket_is_told() {
    let node = Node::new();
    let id = node.server.udp(1, None, 0).unwrap();
    node.server.close(0, id);
    node.closed(id);
    assert!(!node.send(id, b"x"));
}
