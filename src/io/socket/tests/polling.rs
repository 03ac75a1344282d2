//! Workers that poll in place of the socket thread.

use super::harness::*;
use super::old_kernel::without_brief_waits;
use crate::io::socket::event::Sink;
use crate::io::socket::{Event, EventKind, NextLook, Payload, SocketServer, StandIn};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A server whose turns are run by the test alone, and whose sockets workers may poll.
fn alone() -> SocketServer {
    let server = SocketServer::new(hooks()).unwrap();
    server.force_worker_polling();
    server
}

/// Runs turns as a worker until the condition holds; the events go to it.
fn poll_until(server: &SocketServer, mut done: impl FnMut(Event) -> bool) {
    let mut go_on = true;
    while go_on {
        server.force_worker_polling();
        let mut sink = |event| {
            go_on &= !done(event);
            true
        };
        server.try_poll_lease(false).unwrap().turn(&mut sink, None);
    }
}

/// A started connection, opened by turns of a worker, and the other end.
fn connection(server: &SocketServer) -> (i32, TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let id = server.connect(1, c"127.0.0.1", port.into()).unwrap();
    poll_until(server, |event| matches!(event.what, EventKind::Open { .. }));
    let (peer, _) = listener.accept().unwrap();
    (id, peer)
}

#[test]
fn one_thread_polls_at_a_time_and_only_while_that_pays() {
    let server = SocketServer::new(hooks()).unwrap();
    assert!(
        server.try_poll_lease(false).is_none(),
        "nothing is going on"
    );
    server.force_worker_polling();
    let lease = server.try_poll_lease(false).unwrap();
    assert!(
        server.try_poll_lease(false).is_none(),
        "another worker has the lease"
    );
    drop(lease);
    assert!(server.try_poll_lease(false).is_some());
}

#[test]
fn a_worker_does_not_wait_longer_than_it_wants_to() {
    let server = alone();
    let lease = server.try_poll_lease(true).unwrap();
    lease.turn(&mut |_| unreachable!(), Some(Duration::from_micros(50)));
}

#[test]
fn a_wake_ends_the_wait_of_a_polling_worker() {
    let server = alone();
    std::thread::scope(|scope| {
        let lease = server.try_poll_lease(false).unwrap();
        let wake = scope.spawn(|| server.wake());
        lease.turn(&mut |_| unreachable!(), None);
        wake.join().unwrap();
    });
}

#[test]
fn commands_and_data_are_seen_to_by_a_worker() {
    let server = alone();
    let (id, mut peer) = connection(&server);
    write(&mut peer, b"request");
    let mut got = Vec::new();
    poll_until(&server, |event| {
        if let EventKind::Data(data) = event.what {
            got.extend_from_slice(data.bytes());
        }
        got.len() == 7
    });
    assert_eq!(got, b"request");
    assert!(server.send(id, Payload::copy_of(b"answer")).unwrap());
    assert_eq!(read_exact(&mut peer, 6), b"answer");
}

#[test]
fn large_data_are_left_to_the_socket_thread() {
    let server = alone();
    let (_, mut peer) = connection(&server);
    let writer = std::thread::spawn(move || write(&mut peer, &vec![b'x'; 8 << 20]));
    let mut left = 8 << 20;
    while let Some(lease) = server.try_poll_lease(false) {
        let mut sink = |event: Event| {
            if let EventKind::Data(data) = event.what {
                left -= data.len();
            }
            true
        };
        lease.turn(&mut sink, None);
    }
    assert!(left > 0, "not read to the end");
    while left > 0 {
        let mut sink = |event: Event| {
            if let EventKind::Data(data) = event.what {
                left -= data.len();
            }
            true
        };
        server.turn(&mut sink, true);
    }
    writer.join().unwrap();
}

#[test]
fn the_socket_thread_ends_when_a_worker_was_told_to() {
    let server = alone();
    server.exit();
    poll_until(&server, |event| matches!(event.what, EventKind::Exit));
    server.serve(&mut |_| unreachable!(), &|| true);
}

#[test]
fn the_socket_thread_polls_when_no_worker_does() {
    let node = Node::with_workers(0);
    let (id, mut peer) = node.connected();
    for round in 0..50u32 {
        // Makes it stand by after the next events.
        node.server.force_worker_polling();
        let request = round.to_le_bytes();
        write(&mut peer, &request);
        assert_eq!(node.data(id, 4), request);
    }
}

/// The sink of a socket thread that stops in its wait until the other end of the channel is dropped.
struct StopsInWait(Receiver<()>);

impl Sink for StopsInWait {
    fn deliver(&mut self, event: Event) -> bool {
        panic!("{} came from a void wait", name(&event.what))
    }

    fn awake(&mut self) -> bool {
        let _ = self.0.recv();
        false
    }
}

#[test]
fn the_sockets_do_not_wait_for_a_socket_thread_that_stops_in_its_wait() {
    let server = Arc::new(alone());
    let (id, mut peer) = connection(&server);
    let (back, stopped) = channel();
    let its_server = server.clone();
    let socket_thread =
        std::thread::spawn(move || its_server.serve(&mut StopsInWait(stopped), &|| false));
    let mut look = StandIn::default();
    let mut now = 0;
    for round in 0..50u32 {
        write(&mut peer, &round.to_le_bytes());
        let mut got = Vec::new();
        while got.len() < 4 {
            let mut sink = |event: Event| {
                if let EventKind::Data(data) = event.what {
                    got.extend_from_slice(data.bytes());
                }
                true
            };
            // The clock of the looks is the test's.
            now = match look.look(&server, &mut sink, now) {
                NextLook::At(time) => time,
                NextLook::AtEvents(_) => now,
                NextLook::Never => panic!("the server was not told to end"),
            };
            std::thread::yield_now();
        }
        assert_eq!(got, round.to_le_bytes());
        assert!(server.send(id, Payload::copy_of(b"answer")).unwrap());
        assert_eq!(read_exact(&mut peer, 6), b"answer");
    }
    // What the socket thread finds when it goes on, and that it ends, are told by the stand-in.
    server.exit();
    let mut ended = false;
    while !ended {
        let mut sink = |event: Event| {
            ended |= matches!(event.what, EventKind::Exit);
            true
        };
        if let NextLook::At(time) = look.look(&server, &mut sink, now) {
            now = time;
        }
    }
    assert_eq!(look.look(&server, &mut |_| true, now), NextLook::Never);
    drop(back);
    socket_thread.join().unwrap();
}

#[test]
fn nobody_stands_in_while_turns_are_run_or_nothing_waits() {
    let server = alone();
    let (_, mut peer) = connection(&server);
    let mut look = StandIn::default();
    let none: &mut dyn Sink = &mut |_: Event| unreachable!();
    let NextLook::At(tick) = look.look(&server, none, 0) else {
        panic!("turns were run")
    };
    write(&mut peer, b"request");
    let NextLook::At(patience) = look.look(&server, none, tick) else {
        panic!("something waits")
    };
    assert!(patience > tick);
    poll_until(&server, |event| matches!(event.what, EventKind::Data(_)));
    assert!(matches!(
        look.look(&server, none, patience),
        NextLook::At(_)
    ));
    assert!(matches!(
        look.look(&server, none, u64::MAX / 2),
        NextLook::At(_)
    ));
}

/// Requests and answers on many connections, with more than one thread that polls and pauses, closes and new connections
/// in between.
#[test]
fn nothing_is_lost_or_reordered_when_pollers_alternate() {
    // The last round is one that reads.
    const ROUNDS: u32 = 150;
    let node = Node::with_workers(2);
    let (listener, port) = node.listen("127.0.0.1");
    std::thread::scope(|scope| {
        for client in 0..4u32 {
            scope.spawn(move || {
                for _ in 0..2 {
                    let mut peer = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    peer.set_read_timeout(Some(PATIENCE)).unwrap();
                    let block = |round: u32| {
                        let len = 8 + (round * 131 + client * 17) as usize % 3000;
                        let mut block = vec![round as u8; len];
                        block[..4].copy_from_slice(&client.to_le_bytes());
                        block[4..8].copy_from_slice(&round.to_le_bytes());
                        block
                    };
                    for round in 0..ROUNDS {
                        write(&mut peer, &block(round));
                        if round % 3 == 0 {
                            continue;
                        }
                        let from = if round % 3 == 1 { round - 1 } else { round };
                        for round in from..=round {
                            let expected = block(round);
                            assert_eq!(read_exact(&mut peer, expected.len()), expected);
                        }
                    }
                }
            });
        }
        let (mut ended, mut data) = (0, 0u32);
        while ended < 8 {
            let event = node.any();
            match event.what {
                EventKind::Accept { id, .. } => node.server.start(1, id),
                EventKind::Data(bytes) => {
                    node.send(event.id, bytes.bytes());
                    data += 1;
                    if data.is_multiple_of(64) {
                        node.server.pause(event.id);
                        node.server.start(1, event.id);
                    }
                }
                EventKind::Close => {
                    node.server.close(0, event.id);
                    ended += 1;
                }
                EventKind::Open { .. } => {}
                // Started again after the client had ended.
                EventKind::Error(text) if text.as_bytes() == b"socket closed" => {}
                other => panic!("unexpected {}", name(&other)),
            }
        }
    });
    node.server.close(0, listener);
    assert_ne!(
        node.worker_turns.load(Ordering::Relaxed),
        0,
        "workers polled too"
    );
}

/// Before Linux 5.11. Workers poll there too, but only without a limit.
#[test]
fn a_kernel_without_brief_waits_is_noticed() {
    let polls_briefly = || alone().try_poll_lease(true).is_some();
    assert!(polls_briefly());
    without_brief_waits(move || {
        assert!(!polls_briefly());
        let server = alone();
        let (id, mut peer) = connection(&server);
        write(&mut peer, b"request");
        poll_until(&server, |event| matches!(event.what, EventKind::Data(_)));
        assert!(server.send(id, Payload::copy_of(b"answer")).unwrap());
        assert_eq!(read_exact(&mut peer, 6), b"answer");
    });
}
