use super::harness::*;
use crate::io::socket::Payload;
use std::io::Read;
use std::sync::Barrier;

/// Several threads write to one socket; each one's blocks arrive whole and in its order.
#[test]
fn blocks_of_each_thread_keep_their_order_and_are_not_torn() {
    const THREADS: usize = 4;
    const BLOCKS: u32 = 3000;
    let node = Node::new();
    let (id, mut peer) = node.connected();
    let start = Barrier::new(THREADS);
    // Thread, number and length, and a filling that names both.
    let block = |thread: usize, number: u32| {
        let len = 16 + (number as usize * 37 + thread * 11) % 2000;
        let mut b = vec![(thread as u8) ^ (number as u8); len];
        b[..4].copy_from_slice(&(thread as u32).to_le_bytes());
        b[4..8].copy_from_slice(&number.to_le_bytes());
        b[8..16].copy_from_slice(&(len as u64).to_le_bytes());
        b
    };
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (node, start) = (&node.server, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..BLOCKS {
                    assert!(
                        node.send(id, Payload::copy_of(&block(thread, number)))
                            .unwrap()
                    );
                }
            });
        }
        let mut next = [0u32; THREADS];
        for _ in 0..THREADS as u32 * BLOCKS {
            let head = read_exact(&mut peer, 16);
            let thread = u32::from_le_bytes(head[..4].try_into().unwrap()) as usize;
            let number = u32::from_le_bytes(head[4..8].try_into().unwrap());
            let len = u64::from_le_bytes(head[8..16].try_into().unwrap()) as usize;
            assert_eq!(number, next[thread]);
            next[thread] += 1;
            let rest = read_exact(&mut peer, len - 16);
            assert_eq!([head, rest].concat(), block(thread, number));
        }
    });
}

/// Sockets come and go while threads that do not know write to them.
#[test]
fn writers_and_closers_do_not_disturb_each_other() {
    let node = Node::new();
    for round in 0..20 {
        let (id, mut peer) = node.connected();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let server = &node.server;
                scope.spawn(move || {
                    (0..5000).all(|_| server.send(id, Payload::copy_of(&[b'w'; 5000])).unwrap())
                });
            }
            if round % 2 == 0 {
                scope.spawn(move || {
                    let mut room = vec![0; 1 << 16];
                    while peer.read(&mut room).is_ok_and(|n| n > 0) {}
                });
            } else {
                scope.spawn(move || reset(peer));
            }
            if round % 3 == 0 {
                node.server.close(0, id);
            } else {
                node.server.shutdown(0, id);
            }
        });
        node.settle();
    }
}

/// What a thread sent before it asked for the close goes out, however many others write.
#[test]
fn close_never_loses_what_its_caller_sent_before() {
    let node = Node::new();
    for _ in 0..30 {
        let (id, mut peer) = node.connected();
        let all = std::thread::scope(|scope| {
            let server = &node.server;
            for _ in 0..2 {
                scope.spawn(move || {
                    (0..5000).all(|_| server.send(id, Payload::copy_of(b"-")).unwrap())
                });
            }
            scope.spawn(move || {
                assert!(server.send(id, Payload::copy_of(b"last")).unwrap());
                server.close(0, id);
            });
            let mut all = Vec::new();
            peer.read_to_end(&mut all).unwrap();
            all
        });
        assert!(all.windows(4).any(|w| w == b"last"));
        node.settle();
    }
}
