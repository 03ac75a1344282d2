//! What is written: order, queues, warnings, and what an end leaves of it.

use super::puppet::{puppet, text};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

const BLOCK: usize = 1 << 16;

/// Reads flood blocks and checks that each is whole.
fn read_flood(peer: &mut TcpStream, blocks: usize) {
    let mut block = vec![0; BLOCK];
    for i in 0..blocks {
        peer.read_exact(&mut block).unwrap();
        assert!(block.iter().all(|b| *b == i as u8), "block {i}");
    }
}

#[test]
fn queued_writes_warn_at_each_doubling_and_when_drained() {
    let mut p = puppet();
    let mut peer = p.pair();
    assert_eq!(p.ask("flood 3 480"), "flood failed 0");
    let mut sizes = Vec::new();
    for _ in 0..4 {
        let warning = p.next();
        let size = warning
            .strip_prefix("warning 3 ")
            .and_then(|r| r.strip_suffix(" <>"));
        sizes.push(
            size.unwrap_or_else(|| panic!("{warning}"))
                .parse::<u32>()
                .unwrap(),
        );
    }
    for (i, size) in sizes.iter().enumerate() {
        let step = 1024 << i;
        assert!((step..step + 64).contains(size), "{sizes:?}");
    }
    read_flood(&mut peer, 480);
    // The queue may have grown over one more step before the peer began to read.
    let mut last = p.next();
    while !last.starts_with("warning 3 0 ") {
        assert!(last.starts_with("warning 3 "), "{last}");
        last = p.next();
    }
}

#[test]
fn several_writes_of_a_callback_arrive_before_those_that_it_leads_to() {
    let mut p = puppet();
    let mut peer = p.pair();
    for _ in 0..50 {
        p.order("send 3 one\nsend 3 two\nsend 3 three\nother send 3 four");
        assert_eq!(text(&mut peer, 15), "onetwothreefour");
    }
}

#[test]
fn what_a_callback_has_written_arrives_while_it_goes_on() {
    let mut p = puppet();
    let mut peer = p.pair();
    let file = std::env::temp_dir().join(format!("skynet-go-on-{}", std::process::id()));
    let _ = std::fs::remove_file(&file);
    p.order(&format!(
        "send 3 one\nsend 3 two\nsend 3 three\nawait 0 {}\nping 7",
        file.display()
    ));
    assert_eq!(text(&mut peer, 11), "onetwothree");
    std::fs::write(&file, "").unwrap();
    for _ in 0..3 {
        p.expect("send gave 0");
    }
    p.expect("pong 7");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn what_a_callback_has_written_before_it_ends_the_process_arrives() {
    let mut p = puppet();
    let mut peer = p.pair();
    p.order("send 3 one\nsend 3 two\nsend 3 three\nquit 5");
    assert_eq!(text(&mut peer, 11), "onetwothree");
    assert_eq!(p.node.exit().status.code(), Some(5));
}

#[test]
fn close_sends_what_is_queued() {
    let mut p = puppet();
    let mut peer = p.pair();
    assert_eq!(p.ask("flood 3 200"), "flood failed 0");
    p.order("close 3");
    read_flood(&mut peer, 200);
    assert_eq!(peer.read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn shutdown_discards_what_is_queued() {
    let mut p = puppet();
    let mut peer = p.pair();
    assert_eq!(p.ask("flood 3 480"), "flood failed 0");
    p.order("shutdown 3");
    assert_eq!(p.next_but_warnings(), "close 3 0 <>");
    let (mut all, mut block) = (0, vec![0; BLOCK]);
    // The end is an orderly one, or a reset.
    while let Ok(n @ 1..) = peer.read(&mut block) {
        all += n;
    }
    assert!(all < 480 * BLOCK, "{all}");
}

#[test]
fn a_socket_that_is_closing_cannot_be_started_or_written_to() {
    let mut p = puppet();
    let _peer = p.pair();
    assert_eq!(p.ask("flood 3 480"), "flood failed 0");
    p.order("close 3");
    // It is closed for its owner at once, though the queue is still on its way.
    assert_eq!(p.next_but_warnings(), "close 3 0 <>");
    p.order("start 3");
    p.expect("error 3 0 <socket closed>");
    assert_eq!(p.ask("send 3 x"), "send gave -1");
}

#[test]
fn low_priority_blocks_wait_for_the_others() {
    let mut p = puppet();
    let mut peer = p.pair();
    assert_eq!(p.ask("flood 3 200"), "flood failed 0");
    // All three wait behind the flood before the peer begins to read it.
    for word in ["low", "send", "raw"] {
        p.order(&format!("{word} 3 {word}"));
        assert_eq!(p.next_but_warnings(), format!("{word} gave 0"));
    }
    read_flood(&mut peer, 200);
    assert_eq!(text(&mut peer, 10), "sendrawlow");
}

#[test]
fn small_blocks_keep_their_order() {
    let mut p = puppet();
    let mut peer = p.pair();
    let count = 2000;
    for i in 0..count {
        p.order(&format!("send 3 block {i};"));
    }
    let mut reader = BufReader::new(&mut peer);
    for i in 0..count {
        let mut block = Vec::new();
        reader.read_until(b';', &mut block).unwrap();
        assert_eq!(String::from_utf8(block).unwrap(), format!("block {i};"));
    }
}

#[test]
fn a_large_stream_arrives_whole() {
    let mut p = puppet();
    let mut peer = p.pair();
    p.order("count 3 33554432");
    p.settle();
    let block = vec![7; 1 << 20];
    for _ in 0..32 {
        peer.write_all(&block).unwrap();
    }
    p.expect("counted 3 33554432");
}
