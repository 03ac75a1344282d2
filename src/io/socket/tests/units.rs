//! The parts that need no sockets.

use crate::io::socket::addr::{SockAddr, Text, UdpAddress};
use crate::io::socket::agenda::Agenda;
use crate::io::socket::buffer::{Block, Payload};
use crate::io::socket::claim::Claim;
use crate::io::socket::handoff::{Entry, Handed, HandoffLock, Leaving};
use crate::io::socket::queue::WriteQueue;
use crate::scheduler::injector::{item, number};

fn block(bytes: &[u8], low: bool) -> Box<Block> {
    Block::new(Payload::copy_of(bytes), 1, low, UdpAddress::NONE).unwrap()
}

fn drain(q: &mut WriteQueue) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(b) = q.pop() {
        all.extend_from_slice(b.rest());
    }
    all
}

#[test]
fn high_goes_before_low_and_each_keeps_its_order() {
    let mut q = WriteQueue::new();
    for (bytes, low) in [(b"l1", true), (b"h1", false), (b"l2", true), (b"h2", false)] {
        q.push(block(bytes, low));
    }
    assert_eq!(q.bytes(), 8);
    assert_eq!(drain(&mut q), b"h1h2l1l2");
    assert!(q.is_empty());
}

#[test]
fn a_low_block_that_has_begun_is_not_overtaken() {
    let mut q = WriteQueue::new();
    q.push(block(b"low1", true));
    q.push(block(b"low2", true));
    q.advance(2);
    q.push(block(b"high", false));
    assert_eq!(drain(&mut q), b"w1highlow2");
}

#[test]
fn small_blocks_of_a_stream_become_one_and_keep_their_order() {
    let mut q = WriteQueue::new();
    let mut expected = (Vec::new(), Vec::new());
    for n in 0..5000_u32 {
        let low = n % 3 == 0;
        let size = if n % 100 == 7 { 600 } else { n % 5 };
        let bytes = vec![n as u8; size as usize];
        q.push_bytes(block(&bytes, low));
        let list = if low {
            &mut expected.1
        } else {
            &mut expected.0
        };
        list.extend(bytes);
    }
    let mut iov = [libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    }; 1000];
    let blocks = q.gather(&mut iov);
    assert!(blocks < 200, "{blocks} blocks for 5000 writes");
    q.advance(3);
    q.push_bytes(block(b"end", false));
    expected.0.extend(b"end");
    let all = [&expected.0[3..], &expected.1].concat();
    assert_eq!(q.bytes(), all.len());
    assert!(drain(&mut q) == all);
}

#[test]
fn datagrams_stay_apart() {
    let mut q = WriteQueue::new();
    q.push(block(b"one", false));
    q.push(block(b"two", false));
    assert_eq!(q.pop().unwrap().rest(), b"one");
    assert_eq!(drain(&mut q), b"two");
}

#[test]
fn a_vectored_write_may_end_anywhere() {
    for cut in 0..=9 {
        let mut q = WriteQueue::new();
        q.push(block(b"abc", false));
        q.push(block(b"def", false));
        q.push(block(b"ghi", true));
        let mut iov = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }; 8];
        assert_eq!(q.gather(&mut iov), 3);
        q.advance(cut);
        assert_eq!(q.bytes(), 9 - cut);
        assert_eq!(drain(&mut q), &b"abcdefghi"[cut..]);
    }
}

#[test]
fn a_text_is_cut_at_128_bytes_and_at_a_nul() {
    assert_eq!(Text::from("x".repeat(200).as_str()).as_bytes().len(), 128);
    assert_eq!(Text::from("ab\0c").as_bytes(), b"ab");
}

#[test]
fn udp_addresses_have_the_bytes_that_services_know() {
    let v4 = UdpAddress::from_sock(&SockAddr::new([127, 0, 0, 1].into(), 28992)).unwrap();
    assert_eq!(v4.bytes(), [1, 0x71, 0x40, 127, 0, 0, 1]);
    let v6 = UdpAddress::from_sock(&SockAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), 0xa038))
        .unwrap();
    assert_eq!(v6.bytes()[..3], [2, 0xa0, 0x38]);
    assert_eq!(v6.bytes().len(), 19);
    for a in [v4, v6] {
        assert_eq!(UdpAddress::from_sock(&a.to_sock().unwrap()), Some(a));
    }
    // SAFETY: the first byte asks for no more.
    assert_eq!(unsafe { UdpAddress::read([9u8].as_ptr()) }, None);
}

#[test]
fn the_agenda_keeps_its_order_and_wakes_once() {
    let agenda = Agenda::new();
    assert!(agenda.fall_asleep());
    assert!(agenda.push(item(1)), "the role sleeps");
    assert!(!agenda.push(item(2)), "the first push wakes it");
    agenda.awake();
    assert!(!agenda.push(item(3)));
    assert!(!agenda.fall_asleep(), "there is something to do");
    let taken = std::iter::from_fn(|| agenda.pop()).map(number);
    assert_eq!(taken.collect::<Vec<_>>(), [1, 2, 3]);
    assert!(agenda.fall_asleep() && agenda.is_asleep());
    assert!(agenda.ask_exit() && agenda.has_some());
}

#[test]
fn who_has_the_claim_gets_all_commands_in_order_before_it_is_free() {
    let claim = Claim::new();
    assert!(claim.ask(1), "the first has to be told");
    assert!(!claim.ask(2) && !claim.try_enter());
    // SAFETY: this thread has the claim, up to the answer `None`.
    unsafe {
        assert_eq!(claim.next(), Some(1));
        assert!(!claim.ask(3));
        claim.put_back(1);
        assert!(!claim.try_leave());
        let all: Vec<_> = std::iter::from_fn(|| claim.next()).collect();
        assert_eq!(all, [1, 2, 3]);
    }
    assert!(claim.try_enter());
    // SAFETY: this thread has just got the claim.
    assert!(unsafe { claim.try_leave() });
}

#[test]
fn commands_that_are_left_are_dropped() {
    let value = std::sync::Arc::new(());
    let claim = Claim::new();
    assert!(claim.ask(value.clone()));
    // SAFETY: this thread has the claim.
    drop(unsafe { claim.next() });
    for _ in 0..3 {
        assert!(!claim.ask(value.clone()));
    }
    // SAFETY: this thread has the claim still, and no other uses it.
    unsafe {
        claim.put_back(value.clone());
        claim.clear();
    }
    assert_eq!(std::sync::Arc::strong_count(&value), 1);
}

/// What an owner that leaves has to do first.
fn stays(lock: &HandoffLock, pass: bool) -> Handed<Block> {
    // SAFETY: callers own the handoff lock; only blocks are handed over.
    match unsafe { lock.try_leave::<Block>(pass) } {
        Leaving::Stays(handed) => handed,
        _ => panic!("nothing was handed over"),
    }
}

fn hands_over(lock: &HandoffLock, text: &[u8]) -> bool {
    matches!(
        lock.enter_or_hand_over(block(text, false)),
        Entry::HandedOver
    )
}

#[test]
fn an_owner_gets_what_was_handed_over_in_order_and_then_may_leave() {
    let lock = HandoffLock::new();
    assert!(lock.try_enter());
    assert!(hands_over(&lock, b"1") && hands_over(&lock, b"2") && hands_over(&lock, b"3"));
    let all: Vec<u8> = stays(&lock, false)
        .flat_map(|b| b.rest().to_vec())
        .collect();
    assert_eq!(all, b"123");
    // SAFETY: this thread owns the lock: it has just entered.
    let left = unsafe { lock.try_leave::<Block>(true) };
    assert!(matches!(left, Leaving::Left), "nothing is passed on");
    assert!(lock.try_enter());
}

#[test]
fn who_has_the_claim_gets_what_a_busy_owner_passes_on() {
    let lock = HandoffLock::new();
    assert!(!lock.want(), "there is no owner");
    assert!(lock.try_enter() && !lock.try_enter_claimed());
    for wanted in [false, true] {
        assert!(hands_over(&lock, b"1"));
        assert!(!wanted || lock.want());
        // SAFETY: this thread owns the lock; only blocks are handed over.
        match unsafe { lock.try_leave::<Block>(true) } {
            Leaving::Passed { wanted: told } => assert_eq!(told, wanted),
            _ => panic!("not passed on"),
        }
        assert!(hands_over(&lock, b"2"), "nobody waits meanwhile");
        assert!(!lock.want() && lock.is_passed() && !lock.try_enter());
        assert!(lock.try_enter_claimed() && !lock.is_passed());
        // SAFETY: this thread owns the lock: it has just entered.
        assert_eq!(unsafe { lock.take_handed::<Block>() }.count(), 2);
    }
}
