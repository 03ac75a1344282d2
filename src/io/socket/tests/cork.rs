//! What a turn writes to a socket in pieces.

use super::harness::*;
use crate::io::socket::{Looker, Payload};
use std::cell::Cell;
use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::Ordering;

thread_local! {
    static TURN: Cell<u64> = const { Cell::new(0) };
}

/// A node on which the calling thread is in its first turn.
fn node_in_a_turn() -> (Node, i32, TcpStream) {
    let mut hooks = hooks();
    hooks.turn = || TURN.get();
    let node = Node::with(hooks);
    let (id, peer) = node.connected();
    TURN.set(1);
    (node, id, peer)
}

/// Bytes that are held back, or wait for the kernel.
fn backlog(node: &Node, id: i32) -> usize {
    let slot = node.server.shared.table.slot(id);
    slot.backlog.load(Ordering::Relaxed)
}

fn all_of(peer: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    peer.read_to_end(&mut all).unwrap();
    all
}

#[test]
fn the_first_write_of_a_turn_goes_out_at_once_and_the_others_together_at_its_end() {
    let (node, id, mut peer) = node_in_a_turn();
    for turn in 1..=3 {
        TURN.set(turn);
        assert!(node.send(id, b"a"));
        assert_eq!(backlog(&node, id), 0);
        assert_eq!(read_exact(&mut peer, 1), b"a");
        assert!(node.send(id, b"b") && node.send(id, b"c"));
        assert_eq!(backlog(&node, id), 2);
        node.server.end_turn();
        assert_eq!(backlog(&node, id), 0);
        assert_eq!(read_exact(&mut peer, 2), b"bc");
    }
}

#[test]
fn nothing_is_held_back_outside_of_turns() {
    let (node, id, _peer) = node_in_a_turn();
    TURN.set(0);
    for _ in 0..3 {
        assert!(node.send(id, b"a"));
        assert_eq!(backlog(&node, id), 0);
    }
}

#[test]
fn what_another_thread_sends_meanwhile_comes_behind() {
    let (node, id, mut peer) = node_in_a_turn();
    assert!(node.send(id, b"a") && node.send(id, b"b"));
    let server = node.server.clone();
    let other = std::thread::spawn(move || server.send(id, Payload::copy_of(b"c")).unwrap());
    assert!(other.join().unwrap());
    node.server.end_turn();
    assert_eq!(read_exact(&mut peer, 3), b"abc");
}

#[test]
fn what_is_large_or_of_low_priority_takes_along_what_is_held_back() {
    let (node, id, mut peer) = node_in_a_turn();
    assert!(node.send(id, b"a") && node.send(id, b"b"));
    assert!(node.send(id, &[b'c'; 2000]));
    assert_eq!(backlog(&node, id), 0);
    let all = [b"ab".as_slice(), &[b'c'; 2000]].concat();
    assert_eq!(read_exact(&mut peer, 2002), all);
    assert!(node.send(id, b"d"));
    assert!(node.server.send_low(id, Payload::copy_of(b"e")).unwrap());
    assert!(node.send(id, b"f"));
    node.server.end_turn();
    assert_eq!(read_exact(&mut peer, 3), b"def");
}

#[test]
fn not_more_than_a_few_kilobytes_are_held_back() {
    let (node, id, mut peer) = node_in_a_turn();
    for _ in 0..100 {
        assert!(node.send(id, &[7; 1000]));
        assert!(backlog(&node, id) <= 16 * 1024);
    }
    node.server.end_turn();
    assert_eq!(read_exact(&mut peer, 100_000), [7; 100_000]);
}

#[test]
fn no_limit_is_exceeded_by_what_is_held_back() {
    let (node, id, mut peer) = node_in_a_turn();
    assert!(node.server.set_limit(id, Some(10)));
    for _ in 0..10 {
        assert!(node.send(id, b"12345678"));
    }
    node.server.set_limits(None, Some(10));
    assert!(node.server.set_limit(id, None));
    for _ in 0..10 {
        assert!(node.send(id, b"12345678"));
    }
    node.server.end_turn();
    assert_eq!(read_exact(&mut peer, 160), b"12345678".repeat(20));
    assert!(node.settle().is_empty(), "it was closed");
}

#[test]
fn a_socket_that_the_turn_closes_gets_everything() {
    for at_once in [false, true] {
        let (node, id, mut peer) = node_in_a_turn();
        assert!(node.send(id, b"a") && node.send(id, b"b"));
        if at_once {
            node.server.shutdown(1, id);
        } else {
            node.server.close(1, id);
        }
        assert_eq!(all_of(&mut peer), b"ab");
        node.closed(id);
        node.server.end_turn();
    }
}

#[test]
fn the_end_of_the_stream_does_not_wait_for_the_end_of_the_turn() {
    let (node, id, mut peer) = node_in_a_turn();
    node.server.start(1, id);
    assert_eq!(node.opened(id).0, "transfer");
    assert!(node.send(id, b"a") && node.send(id, b"b"));
    peer.shutdown(Shutdown::Write).unwrap();
    node.closed(id);
    node.server.close(1, id);
    assert_eq!(all_of(&mut peer), b"ab");
    node.server.end_turn();
}

#[test]
fn what_a_long_turn_holds_back_goes_out_before_its_end() {
    let (node, id, mut peer) = node_in_a_turn();
    assert_eq!(node.server.uncork_late(Looker::Monitor, 0), u64::MAX);
    assert!(node.send(id, b"a") && node.send(id, b"b"));
    let due = node.server.uncork_late(Looker::Monitor, 0);
    assert!(due != u64::MAX);
    assert_eq!(node.server.uncork_late(Looker::Monitor, due - 1), due);
    assert_eq!(backlog(&node, id), 1);
    assert_eq!(node.server.uncork_late(Looker::Monitor, due), u64::MAX);
    assert_eq!(read_exact(&mut peer, 2), b"ab");
    node.server.end_turn();
}

#[test]
fn the_timer_thread_sends_what_the_monitor_thread_leaves() {
    let (node, id, mut peer) = node_in_a_turn();
    assert!(node.send(id, b"a") && node.send(id, b"b"));
    let first = node.server.uncork_late(Looker::Monitor, 0);
    let second = node.server.uncork_late(Looker::Timer, 0);
    assert!(first < second && second != u64::MAX);
    assert_eq!(node.server.uncork_late(Looker::Timer, first), second);
    assert_eq!(backlog(&node, id), 1);
    assert_eq!(node.server.uncork_late(Looker::Timer, second), u64::MAX);
    assert_eq!(read_exact(&mut peer, 2), b"ab");
    node.server.end_turn();
}

#[test]
fn the_monitor_thread_waits_for_nobody_who_has_the_socket_in_hand() {
    let (node, id, mut peer) = node_in_a_turn();
    assert!(node.send(id, b"a") && node.send(id, b"b"));
    let due = node.server.uncork_late(Looker::Monitor, 0);
    let shared = &node.server.shared;
    let slot = shared.table.slot(id);
    assert!(slot.handoff.try_enter());
    assert!(
        node.server.uncork_late(Looker::Monitor, due) > due,
        "it looks again, however long that takes"
    );
    shared.leave(slot);
    assert_eq!(backlog(&node, id), 1);
    assert_eq!(node.server.uncork_late(Looker::Monitor, due), u64::MAX);
    assert_eq!(read_exact(&mut peer, 2), b"ab");
    node.server.end_turn();
}

#[test]
fn statistics_know_what_the_turn_has_written() {
    let (node, id, _peer) = node_in_a_turn();
    assert!(node.send(id, b"a") && node.send(id, b"b"));
    assert_eq!(node.server.output(id), Some((0, 2)));
    assert!(node.send(id, b"c"));
    assert_eq!(statistics(&node, id).write, 3);
}

#[test]
fn what_the_kernel_does_not_take_at_the_end_of_a_turn_goes_out_later() {
    let (node, id, mut peer) = node_in_a_turn();
    assert!(node.send(id, b"a") && node.send(id, b"b"));
    TURN.set(0);
    let queued = congest(&node, id);
    TURN.set(1);
    node.server.end_turn();
    assert!(node.send(id, b"c") && node.send(id, b"d"));
    node.server.end_turn();
    let all = read_exact(&mut peer, queued + 4);
    assert_eq!(&all[..2], b"ab");
    assert_eq!(&all[queued + 2..], b"cd");
}

#[test]
fn turns_of_several_threads_on_one_socket_keep_the_order_of_each() {
    const THREADS: u64 = 3;
    const TURNS: u64 = 300;
    let (node, id, mut peer) = node_in_a_turn();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let node = &node.server;
            scope.spawn(move || {
                for turn in 0..TURNS {
                    TURN.set(1 + thread * TURNS + turn);
                    for piece in 0..3 {
                        let number = (thread << 32) + turn * 3 + piece;
                        assert!(
                            node.send(id, Payload::copy_of(&number.to_be_bytes()))
                                .unwrap()
                        );
                    }
                    node.end_turn();
                }
            });
        }
        let mut next = [0; THREADS as usize];
        for _ in 0..THREADS * TURNS * 3 {
            let number = u64::from_be_bytes(read_exact(&mut peer, 8).try_into().unwrap());
            let place = &mut next[(number >> 32) as usize];
            assert_eq!(number as u32, *place);
            *place += 1;
        }
    });
    // The peer may have it before the I/O thread has counted it.
    node.settle();
    assert_eq!(backlog(&node, id), 0);
}
