use super::harness::*;
use crate::io::socket::{EventKind, Payload};
use std::net::Shutdown;

#[test]
fn an_echo_comes_back_whole_in_both_directions() {
    let node = Node::new();
    let (id, mut peer) = node.incoming();
    node.server.start(1, id);
    assert_eq!(node.opened(id).0, "start");
    let bytes: Vec<u8> = (0..1_000_000u32).map(|i| i as u8).collect();
    let copy = bytes.clone();
    let mut other = peer.try_clone().unwrap();
    let writer = std::thread::spawn(move || write(&mut other, &copy));
    assert_eq!(node.data(id, bytes.len()), bytes);
    writer.join().unwrap();
    assert!(node.send(id, &bytes));
    assert_eq!(read_exact(&mut peer, bytes.len()), bytes);
}

#[test]
fn nothing_is_read_before_start_and_nothing_while_paused() {
    let node = Node::new();
    let (id, mut peer) = node.incoming();
    write(&mut peer, b"one");
    assert!(node.settle().is_empty());
    node.server.start(1, id);
    assert_eq!(node.opened(id).0, "start");
    assert_eq!(node.data(id, 3), b"one");
    node.server.pause(id);
    assert!(node.settle().is_empty());
    write(&mut peer, b"two");
    assert!(node.settle().is_empty());
    node.server.start(1, id);
    assert_eq!(node.opened(id).0, "transfer");
    assert_eq!(node.data(id, 3), b"two");
}

#[test]
fn what_is_written_behind_the_request_to_start_goes_out() {
    let node = Node::new();
    let (id, mut peer) = node.incoming();
    // The I/O thread sees the start when the bytes are there.
    node.server.start(1, id);
    assert!(node.send(id, b"one"));
    assert!(node.send(id, b"two"));
    assert_eq!(node.opened(id).0, "start");
    assert_eq!(read_exact(&mut peer, 6), b"onetwo");
}

#[test]
fn start_by_another_service_moves_the_events() {
    let node = Node::new();
    let (id, mut peer) = node.connected();
    node.server.start(42, id);
    let e = node.next(id);
    assert_eq!(e.owner, 42);
    assert!(matches!(e.what, EventKind::Open { text, .. } if text.as_bytes() == b"transfer"));
    write(&mut peer, b"x");
    assert_eq!(node.next(id).owner, 42);
}

#[test]
fn start_of_an_unknown_socket_is_an_error_for_the_caller() {
    let node = Node::new();
    node.server.start(9, 12345);
    let e = node.next(12345);
    assert_eq!(e.owner, 9);
    assert!(matches!(e.what, EventKind::Error(t) if t.as_bytes() == b"invalid socket"));
}

#[test]
fn low_priority_waits_for_high_and_begun_blocks_are_not_torn() {
    let node = Node::new();
    let (id, mut peer) = node.connected();
    let head = congest(&node, id);
    assert!(
        node.server
            .send_low(id, Payload::copy_of(&vec![b'l'; 100_000]))
            .unwrap()
    );
    assert!(node.send(id, b"high1"));
    assert!(node.send(id, b"high2"));
    let all = read_exact(&mut peer, head + 100_010);
    assert!(all[..head].iter().all(|&b| b == b'x'));
    assert_eq!(&all[head..head + 10], b"high1high2");
    assert!(all[head + 10..].iter().all(|&b| b == b'l'));
}

#[test]
fn warnings_come_at_one_mebibyte_then_doubled_and_zero_when_drained() {
    let node = Node::new();
    let (id, mut peer) = node.connected();
    let mut total = congest(&node, id);
    let block = vec![0u8; 256 * 1024];
    let mut seen = Vec::new();
    while seen.len() < 3 {
        assert!(node.send(id, &block));
        total += block.len();
        for e in node.settle() {
            match e.what {
                EventKind::Warning(kib) => seen.push(kib),
                other => panic!("{}", name(&other)),
            }
        }
    }
    // Each within one block above its threshold.
    for (kib, threshold) in seen.iter().zip([1024, 2048, 4096]) {
        assert!((threshold..threshold + 257).contains(kib), "{seen:?}");
    }
    read_exact(&mut peer, total);
    assert_eq!(node.warning(id), 0);
    assert_eq!(statistics(&node, id).wbuffer, 0);
}

#[test]
fn writing_after_the_peers_end_of_stream_is_fine() {
    let node = Node::new();
    let (id, mut peer) = node.connected();
    write(&mut peer, b"bye");
    peer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(node.data(id, 3), b"bye");
    node.closed(id);
    assert!(node.send(id, b"answer"));
    assert_eq!(read_exact(&mut peer, 6), b"answer");
    node.server.close(0, id);
    assert!(node.settle().is_empty(), "CLOSE comes once");
    assert!(!node.send(id, b"x"));
}

#[test]
fn a_bound_pipe_delivers_and_its_descriptor_stays_open_after_close() {
    let node = Node::new();
    let mut fds = [0; 2];
    // SAFETY: the array has room for two descriptors.
    assert_eq!(unsafe { libc::pipe(fds.as_mut_ptr()) }, 0);
    let id = node.server.bind(1, fds[0]).unwrap();
    assert_eq!(node.opened(id).0, "binding");
    assert_eq!(
        // SAFETY: the bytes are readable.
        unsafe { libc::write(fds[1], b"hello".as_ptr().cast(), 5) },
        5
    );
    assert_eq!(node.data(id, 5), b"hello");
    node.server.close(0, id);
    node.closed(id);
    // SAFETY: no pointers.
    unsafe {
        assert_ne!(libc::fcntl(fds[0], libc::F_GETFD), -1);
        libc::close(fds[0]);
        libc::close(fds[1]);
    }
}

#[test]
fn a_bound_file_that_cannot_be_polled_is_an_error() {
    let node = Node::new();
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let id = node
        .server
        .bind(1, std::os::fd::AsRawFd::as_raw_fd(&file))
        .unwrap();
    assert_eq!(node.error(id), "reach skynet socket number limit");
}

#[test]
fn the_reader_of_a_bound_pipe_that_goes_away_does_not_keep_the_thread_busy() {
    let node = Node::new();
    let mut fds = [0; 2];
    // SAFETY: the array has room for two descriptors.
    assert_eq!(unsafe { libc::pipe(fds.as_mut_ptr()) }, 0);
    let id = node.server.bind(1, fds[1]).unwrap();
    assert_eq!(node.opened(id).0, "binding");
    // SAFETY: no pointers.
    unsafe { libc::close(fds[0]) };
    node.error(id);
    node.closed(id);
    // SAFETY: no pointers.
    unsafe { libc::close(fds[1]) };
}
