use super::harness::*;
use crate::io::socket::sys::{self, Errno};
use crate::io::socket::{EventKind, Ownerless};
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[test]
fn listen_tells_the_bound_address_and_accepts_after_start() {
    let node = Node::new();
    let id = node.server.listen(1, Some(c"127.0.0.1"), 0, 5).unwrap();
    let (host, port) = node.opened(id);
    assert_eq!(host, "127.0.0.1");
    let peer = TcpStream::connect(("127.0.0.1", port as u16)).unwrap();
    assert!(node.settle().is_empty());
    node.server.start(1, id);
    assert_eq!(node.opened(id).0, "start");
    let (new, text) = node.accepted(id);
    assert_ne!(new, id);
    assert_eq!(text, peer.local_addr().unwrap().to_string());
    assert_eq!(statistics(&node, id).read, 1);
}

#[test]
fn an_address_that_is_taken_is_refused_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let node = Node::new();
    let port = taken.local_addr().unwrap().port();
    assert_eq!(
        node.server.listen(1, Some(c"127.0.0.1"), port.into(), 5),
        None
    );
}

#[test]
fn ipv6_works_where_the_machine_has_it() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let node = Node::new();
    let (id, port) = node.listen("::1");
    let _peer = TcpStream::connect(("::1", port)).unwrap();
    assert!(node.accepted(id).1.starts_with("::1:"));
}

#[test]
fn without_descriptors_accepting_rests_and_goes_on_later() {
    static TRIES: AtomicUsize = AtomicUsize::new(0);
    let full = Arc::new(AtomicBool::new(true));
    let flag = full.clone();
    let mut h = hooks();
    h.accept = Box::new(move |fd| {
        TRIES.fetch_add(1, Ordering::Relaxed);
        if flag.load(Ordering::Relaxed) {
            Err(Errno(libc::EMFILE))
        } else {
            sys::accept(fd)
        }
    });
    let node = Node::with(h);
    let (id, port) = node.listen("127.0.0.1");
    let start = Instant::now();
    let _peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert_eq!(node.error(id), "Too many open files");
    let turns = node.turns.load(Ordering::Relaxed);
    while TRIES.load(Ordering::Relaxed) < 5 {
        assert!(start.elapsed() < PATIENCE, "it tries again");
        std::thread::yield_now();
    }
    // Rests of 10, 20, 40 and 80 ms, and no turns without a reason in them.
    assert!(start.elapsed() >= Duration::from_millis(100));
    let turns = node.turns.load(Ordering::Relaxed) - turns;
    assert!(turns < 50, "{turns}");
    assert!(node.settle().is_empty(), "told once");
    full.store(false, Ordering::Relaxed);
    node.accepted(id);
}

#[test]
fn a_connection_that_was_given_up_is_skipped() {
    let once = AtomicBool::new(true);
    let mut h = hooks();
    h.accept = Box::new(move |fd| {
        if once.swap(false, Ordering::Relaxed) {
            Err(Errno(libc::ECONNABORTED))
        } else {
            sys::accept(fd)
        }
    });
    let node = Node::with(h);
    let (id, port) = node.listen("127.0.0.1");
    let _peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
    node.accepted(id);
}

/// What is not about one connection, or is told of one after another, is the system's will: it is asked again, but seldom.
#[test]
fn a_system_that_refuses_to_accept_costs_nothing_and_is_reported_once() {
    static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());
    for refusal in [libc::EPERM, libc::ENOSYS, libc::EINVAL, libc::EACCES] {
        let tries = Arc::new(AtomicUsize::new(0));
        let refuses = Arc::new(AtomicBool::new(true));
        let (count, flag) = (tries.clone(), refuses.clone());
        let mut h = hooks();
        h.accept = Box::new(move |fd| {
            if flag.load(Ordering::Relaxed) {
                count.fetch_add(1, Ordering::Relaxed);
                Err(Errno(refusal))
            } else {
                sys::accept(fd)
            }
        });
        h.report = |text| LINES.lock().unwrap().push(text.to_owned());
        let node = Node::with(h);
        let (id, port) = node.listen("127.0.0.1");
        let start = Instant::now();
        let _peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        while LINES.lock().unwrap().is_empty() {
            assert!(start.elapsed() < PATIENCE, "it is reported");
            std::thread::yield_now();
        }
        let turns = node.turns.load(Ordering::Relaxed);
        let tried = tries.load(Ordering::Relaxed);
        // Three rests: 10, 20 and 40 ms. What may be about one connection is tried with as many as a turn takes.
        let most = if refusal == libc::EPERM { 3 * 64 } else { 3 };
        while tries.load(Ordering::Relaxed) < tried + most {
            assert!(start.elapsed() < PATIENCE, "it tries again");
            std::thread::yield_now();
        }
        let turns = node.turns.load(Ordering::Relaxed) - turns;
        assert!(turns < 50, "{turns} turns");
        assert!(node.settle().is_empty(), "services need not close any");
        let lines = std::mem::take(&mut *LINES.lock().unwrap());
        assert_eq!(lines.len(), 1, "told once: {lines:?}");
        assert!(lines[0].contains("can't accept on socket"), "{lines:?}");
        assert!(lines[0].contains("pausing. "), "no advice: {lines:?}");
        refuses.store(false, Ordering::Relaxed);
        node.accepted(id);
    }
}

#[test]
fn writing_to_a_listening_or_unstarted_socket_sends_nothing_and_harms_nothing() {
    let node = Node::new();
    let (listener, port) = node.listen("127.0.0.1");
    let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (id, _) = node.accepted(listener);
    assert!(node.send(listener, b"x"));
    assert!(node.send(id, b"early"));
    node.server.start(1, id);
    node.opened(id);
    assert!(node.send(id, b"late"));
    assert_eq!(read_exact(&mut peer, 4), b"late");
}

#[test]
fn many_connections_at_once_are_all_told() {
    let node = Node::new();
    let (id, port) = node.listen("127.0.0.1");
    let peers: Vec<_> = (0..60)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    for _ in &peers {
        node.accepted(id);
    }
    node.server.close(0, id);
    assert!(matches!(node.next(id).what, EventKind::Close));
}

#[test]
fn a_connection_whose_service_ended_before_it_started_it_is_closed() {
    let node = Node::new();
    let (id, port) = node.listen("127.0.0.1");
    let connect = || {
        let peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
        peer.set_read_timeout(Some(PATIENCE)).unwrap();
        (node.accepted(id).0, peer)
    };
    let (left, peer_of_left) = connect();
    let (started, peer_of_started) = connect();
    let (adopted, peer_of_adopted) = connect();
    let (paused, peer_of_paused) = connect();
    for (id, owner) in [(started, 1), (paused, 3)] {
        node.server.start(owner, id);
        assert_eq!(node.opened(id).0, "start");
    }
    node.server.pause(paused);
    node.settle();
    let mut sockets = Ownerless::default();
    let nobody = |_| false;
    sockets.look(&node.server, &nobody);
    // Between the looks a service starts one of them: it is that one's, and of the rest something may come.
    node.server.start(2, adopted);
    assert_eq!(node.opened(adopted).0, "start");
    sockets.look(&node.server, &|owner| owner == 1);
    node.settle();
    sockets.look(&node.server, &nobody);
    sockets.look(&node.server, &nobody);
    node.settle();
    let gone = |mut peer: TcpStream| matches!(peer.read(&mut [0]), Ok(0));
    assert!(gone(peer_of_left));
    assert!(gone(peer_of_paused));
    assert!(
        TcpStream::connect(("127.0.0.1", port)).is_err(),
        "the listener"
    );
    for id in [left, paused, id] {
        assert!(node.server.output(id).is_none());
    }
    for (id, peer) in [(started, peer_of_started), (adopted, peer_of_adopted)] {
        assert!(node.server.output(id).is_some());
        drop(peer);
        node.closed(id);
    }
}
