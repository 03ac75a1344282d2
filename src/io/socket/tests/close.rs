use super::harness::*;
use crate::io::socket::{EventKind, Payload};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

#[test]
fn close_lets_queued_bytes_go_out_first() {
    let node = Node::new();
    let (id, mut peer) = node.connected();
    let sent = congest(&node, id);
    node.server.close(0, id);
    node.closed(id);
    assert!(!node.send(id, b"late"), "a closing socket takes nothing");
    let mut all = Vec::new();
    peer.read_to_end(&mut all).unwrap();
    assert_eq!(all.len(), sent);
    assert!(node.settle().is_empty());
}

#[test]
fn shutdown_gives_queued_bytes_up() {
    let node = Node::new();
    let (id, mut peer) = node.connected();
    let sent = congest(&node, id);
    node.server.shutdown(0, id);
    node.closed(id);
    let mut all = Vec::new();
    let _ = peer.read_to_end(&mut all);
    assert!(all.len() < sent);
}

#[test]
fn start_of_a_closing_socket_is_an_error() {
    let node = Node::new();
    let (id, _peer) = node.connected();
    congest(&node, id);
    node.server.close(0, id);
    node.closed(id);
    node.server.start(1, id);
    assert_eq!(node.error(id), "socket closed");
}

#[test]
fn start_after_the_peers_end_of_stream_is_an_error() {
    let node = Node::new();
    let (id, peer) = node.connected();
    peer.shutdown(Shutdown::Write).unwrap();
    node.closed(id);
    node.server.start(1, id);
    assert_eq!(node.error(id), "socket closed");
}

#[test]
fn close_of_an_unknown_or_closed_socket_is_ignored() {
    let node = Node::new();
    let (id, _peer) = node.connected();
    node.server.close(0, id);
    node.closed(id);
    node.server.close(0, id);
    node.server.shutdown(0, id);
    node.server.close(0, 777);
    assert!(node.settle().is_empty());
}

#[test]
fn a_reset_is_an_error_and_then_the_end() {
    let node = Node::new();
    let (id, peer) = node.connected();
    reset(peer);
    assert_eq!(node.error(id), "Connection reset by peer");
    node.closed(id);
}

#[test]
fn a_reset_of_a_socket_that_was_never_started_ends_it() {
    let node = Node::new();
    let (id, peer) = node.incoming();
    reset(peer);
    assert_eq!(node.error(id), "Connection reset by peer");
    node.closed(id);
    assert!(!node.send(id, b"x"));
}

#[test]
fn a_reset_while_closing_is_silent() {
    let node = Node::new();
    let (id, peer) = node.connected();
    congest(&node, id);
    node.server.close(0, id);
    node.closed(id);
    reset(peer);
    // The slot is free when the id is unknown.
    loop {
        node.server.start(1, id);
        match node.next(id).what {
            EventKind::Error(t) if t.as_bytes() == b"invalid socket" => break,
            EventKind::Error(t) if t.as_bytes() == b"socket closed" => {}
            other => panic!("{}", name(&other)),
        }
    }
}

#[test]
fn a_paused_socket_delivers_what_it_has_before_the_end() {
    let node = Node::new();
    let (id, mut peer) = node.connected();
    node.server.pause(id);
    assert!(node.settle().is_empty());
    write(&mut peer, &vec![b'p'; 50_000]);
    peer.shutdown(Shutdown::Write).unwrap();
    node.server.start(1, id);
    assert_eq!(node.opened(id).0, "transfer");
    assert_eq!(node.data(id, 50_000).len(), 50_000);
    node.closed(id);
}

#[test]
fn an_event_for_a_dead_owner_closes_the_socket() {
    let node = Node::new();
    let (id, mut peer) = node.connected();
    node.server.start(DEAD, id);
    // "transfer" could not be delivered.
    let mut all = Vec::new();
    peer.read_to_end(&mut all).unwrap();
    node.settle();
    assert!(!node.server.send(id, Payload::copy_of(b"x")).unwrap());
}

#[test]
fn a_connection_for_a_dead_owner_closes_the_listener_too() {
    let node = Node::new();
    let id = node.server.listen(1, Some(c"127.0.0.1"), 0, 5).unwrap();
    let port = node.opened(id).1 as u16;
    node.server.start(DEAD, id);
    node.settle();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn every_buffer_is_released_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static FREED: AtomicUsize = AtomicUsize::new(0);
    /// # Safety
    /// None needed; the signature is that of `ObjectInterface`.
    unsafe extern "C" fn bytes(o: *const libc::c_void) -> *const libc::c_void {
        o
    }
    /// # Safety
    /// None needed; the signature is that of `ObjectInterface`.
    unsafe extern "C" fn size(_: *const libc::c_void) -> usize {
        100_000
    }
    /// # Safety
    /// `o` came from malloc, and nobody has it any more.
    unsafe extern "C" fn release(o: *mut libc::c_void) {
        FREED.fetch_add(1, Ordering::SeqCst);
        // SAFETY: contract of this function.
        unsafe { libc::free(o) };
    }
    let interface = crate::io::socket::ObjectInterface {
        buffer: Some(bytes),
        size: Some(size),
        free: Some(release),
    };
    let object = || {
        // SAFETY: calloc takes any size; the object suits the interface.
        unsafe { Payload::object(libc::calloc(1, 100_000), &interface) }.unwrap()
    };
    let node = Node::new();
    let (id, peer) = node.connected();
    let mut made = 0;
    let mut send = |id| {
        made += 1;
        node.server.send(id, object()).unwrap()
    };
    assert!(!send(4711));
    while statistics(&node, id).wbuffer == 0 {
        assert!(send(id));
    }
    for _ in 0..5 {
        assert!(send(id));
    }
    node.server.close(0, id);
    node.closed(id);
    assert!(!send(id));
    reset(peer);
    drop(node);
    assert_eq!(FREED.load(Ordering::SeqCst), made);
}

/// Services listen again where they have just stopped to.
#[test]
fn the_address_of_a_listener_is_free_when_its_end_is_told() {
    let node = Node::with_workers(2);
    let (mut id, port) = node.listen("127.0.0.1");
    for round in 0..300 {
        let early = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let accepted = node.accepted(id).0;
        let late = TcpStream::connect(("127.0.0.1", port)).unwrap();
        if round % 2 == 0 {
            node.server.close(1, id);
        } else {
            node.server.shutdown(1, id);
        }
        let mut ids = vec![accepted];
        loop {
            match node.next(id).what {
                EventKind::Accept { id, .. } => ids.push(id),
                EventKind::Close => break,
                other => panic!("expected CLOSE, got {}", name(&other)),
            }
        }
        let host = Some(c"127.0.0.1");
        id = node.server.listen(1, host, port.into(), 64).expect("free");
        assert_eq!(node.opened(id).1, i32::from(port));
        node.server.start(1, id);
        assert_eq!(node.opened(id).0, "start");
        for accepted in ids {
            node.server.close(1, accepted);
            node.closed(accepted);
        }
        drop((early, late));
    }
}

#[test]
fn a_bound_descriptor_can_be_bound_again_when_its_end_is_told() {
    let node = Node::with_workers(2);
    let (own, mut peer) = UnixStream::pair().unwrap();
    for _ in 0..300 {
        let id = node.server.bind(1, own.as_raw_fd()).unwrap();
        assert_eq!(node.opened(id).0, "binding");
        peer.write_all(b"request").unwrap();
        assert_eq!(node.data(id, 7), b"request");
        node.server.close(1, id);
        node.closed(id);
    }
}

/// As with one queue for all of them: nothing else waits for these sockets, and no thread is at work on one.
#[test]
fn new_sockets_are_seen_to_in_the_order_in_which_they_were_asked_for() {
    let node = Node::new();
    let mut all = Vec::new();
    for _ in 0..30 {
        for _ in 0..10 {
            all.push(node.server.listen(1, Some(c"127.0.0.1"), 0, 5).unwrap());
        }
        for &id in &all {
            assert_eq!(node.any().id, id);
        }
        // It has left the last one, in whose hands a close would come first.
        assert!(node.settle().is_empty());
        for &id in &all {
            node.server.close(1, id);
        }
        for id in all.drain(..) {
            let event = node.any();
            assert_eq!((event.id, name(&event.what)), (id, "CLOSE".into()));
        }
    }
}
