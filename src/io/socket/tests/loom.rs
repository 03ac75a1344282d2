//! Models of the words that threads share: the handoff lock of a socket, the queue of commands, and the poller lock.

use crate::io::socket::addr::UdpAddress;
use crate::io::socket::buffer::{Block, Payload};
use crate::io::socket::command_queue::CommandQueue;
use crate::io::socket::handoff::{Entry, HandoffLock};
use crate::scheduler::poller_lock::PollerLock;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

/// A lock and what it guards: loom fails if two threads are inside at once.
struct Guarded {
    handoff: HandoffLock,
    order: UnsafeCell<Vec<u8>>,
}

impl Guarded {
    fn new() -> Arc<Guarded> {
        Arc::new(Guarded {
            handoff: HandoffLock::new(),
            order: UnsafeCell::new(Vec::new()),
        })
    }

    fn note(&self, byte: u8) {
        // SAFETY: the caller owns the handoff lock, which loom checks.
        self.order.with_mut(|order| unsafe { (*order).push(byte) });
    }

    fn leave(&self, mut shut: bool) {
        // SAFETY: the caller owns the handoff lock; only blocks are handed over.
        while let Some(handed) = unsafe { self.handoff.try_leave::<Block>(shut) } {
            for block in handed {
                self.note(block.rest()[0]);
            }
            shut = true;
        }
    }

    fn send(&self, byte: u8) {
        if self.handoff.try_enter() {
            self.note(byte);
            return self.leave(false);
        }
        let block = Block::new(Payload::copy_of(&[byte]), 1, false, UdpAddress::NONE).unwrap();
        if let Entry::Owner(block) = self.handoff.enter_or_hand_over(block) {
            self.note(block.rest()[0]);
            self.leave(false);
        }
    }

    /// What the I/O thread does before it looks at the queue.
    fn claim(&self) -> Vec<u8> {
        self.handoff.enter();
        // SAFETY: this thread owns the handoff lock.
        for block in unsafe { self.handoff.take_handed::<Block>() } {
            self.note(block.rest()[0]);
        }
        // SAFETY: between entering and leaving, this thread alone has the cell.
        let seen = self.order.with(|order| unsafe { (*order).clone() });
        self.leave(false);
        seen
    }
}

#[test]
fn loom_writes_of_a_thread_keep_their_order_and_none_is_lost() {
    loom::model(|| {
        let guarded = Guarded::new();
        let other = guarded.clone();
        let thread = thread::spawn(move || {
            other.send(b'a');
            other.send(b'b');
        });
        guarded.send(b'1');
        guarded.send(b'2');
        thread.join().unwrap();
        let seen = guarded.claim();
        let of = |bytes: &[u8]| -> Vec<u8> {
            seen.iter().copied().filter(|b| bytes.contains(b)).collect()
        };
        assert_eq!((of(b"ab"), of(b"12")), (b"ab".to_vec(), b"12".to_vec()));
        assert_eq!(seen.len(), 4);
    });
}

#[test]
fn loom_a_claimant_gets_in_and_misses_nothing_that_was_sent_before() {
    loom::model(|| {
        let guarded = Guarded::new();
        let other = guarded.clone();
        let thread = thread::spawn(move || other.send(b'a'));
        guarded.send(b'1');
        assert!(guarded.claim().contains(&b'1'));
        thread.join().unwrap();
        assert_eq!(guarded.claim().len(), 2);
    });
}

#[test]
fn loom_a_sleeping_consumer_is_woken_by_exactly_one_producer() {
    loom::model(|| {
        let queue = Arc::new(CommandQueue::new());
        let asleep = queue.fall_asleep();
        assert!(asleep);
        let other = queue.clone();
        let thread = thread::spawn(move || usize::from(other.push(1)) + usize::from(other.push(2)));
        let here = usize::from(queue.push(3));
        assert_eq!(thread.join().unwrap() + here, 1);
        let all: Vec<i32> = queue.take().collect();
        assert_eq!(all.len(), 3);
        let first = all.iter().position(|&n| n == 1);
        assert!(first < all.iter().position(|&n| n == 2));
    });
}

#[test]
fn loom_nothing_is_left_behind_by_a_consumer_that_falls_asleep() {
    loom::model(|| {
        let queue = Arc::new(CommandQueue::new());
        let other = queue.clone();
        let thread = thread::spawn(move || other.push(1));
        let asleep = queue.fall_asleep();
        let woken = thread.join().unwrap();
        // Either it sees the command itself, or the producer knows that it has to wake it.
        assert_eq!(asleep, woken);
        assert_eq!(queue.take().count(), 1);
    });
}

/// The socket thread waits for events, and perhaps never comes back from its wait; a stand-in takes its place, and another thread asks
/// for something. One runs a turn at a time, and what was asked is done: by the stand-in, or because the sleeper is told.
#[test]
fn loom_a_stand_in_polls_for_a_socket_thread_that_stops_in_its_wait() {
    struct Shared {
        lock: PollerLock,
        commands: CommandQueue<u32>,
        /// The eventfd. Exchanges alone, as calls of the kernel are in one order.
        told: AtomicBool,
        state: UnsafeCell<Vec<u32>>,
    }
    impl Shared {
        /// Holder of the lock.
        fn turn(&self) {
            self.told.swap(false, Ordering::SeqCst);
            // SAFETY: the caller holds the poller lock, which loom checks.
            self.state
                .with_mut(|done| unsafe { (*done).extend(self.commands.take()) });
        }
    }
    for comes_back in [false, true] {
        loom::model(move || {
            let shared = Arc::new(Shared {
                lock: PollerLock::new(),
                commands: CommandQueue::new(),
                told: AtomicBool::new(false),
                state: UnsafeCell::new(Vec::new()),
            });
            assert!(shared.lock.take_or_await());
            assert!(shared.commands.fall_asleep());
            shared.lock.begin_wait();
            assert!(!shared.lock.try_take(), "workers do not poll meanwhile");
            let other = shared.clone();
            let socket = thread::spawn(move || {
                if comes_back {
                    while !other.lock.take_or_await() {
                        thread::park();
                    }
                    other.turn();
                    assert!(!other.lock.give_back(), "no other thread waits");
                }
            });
            let waiter = socket.thread().clone();
            let other = shared.clone();
            let asks = thread::spawn(move || {
                if other.commands.push(1) {
                    other.told.swap(true, Ordering::SeqCst);
                }
            });
            if let Some(before) = shared.lock.stand_in() {
                shared.turn();
                if !shared.commands.fall_asleep() {
                    shared.told.swap(true, Ordering::SeqCst);
                }
                if shared.lock.leave(before) {
                    waiter.unpark();
                }
            }
            socket.join().unwrap();
            asks.join().unwrap();
            let done = shared.state.with(|done| {
                // SAFETY: no other thread is left.
                unsafe { (*done).clone() }
            });
            // A socket thread that is back looks at the commands before it waits again.
            let seen = comes_back || shared.told.swap(false, Ordering::SeqCst);
            assert!(done == [1] || (seen && shared.commands.has_some()));
        });
    }
}

/// Two workers take the poller lock when they can, and the socket thread waits for it. One holds it at a time, and the socket
/// thread gets it in the end: loom fails if it sleeps for ever.
#[test]
fn loom_one_thread_polls_at_a_time_and_who_waits_is_woken() {
    loom::model(|| {
        let shared = Arc::new((PollerLock::new(), UnsafeCell::new(0)));
        let inside = |shared: &(PollerLock, UnsafeCell<i32>)| {
            // SAFETY: the caller holds the poller lock, which loom checks.
            shared.1.with_mut(|turns| unsafe { *turns += 1 });
        };
        let other = shared.clone();
        let socket = thread::spawn(move || {
            while !other.0.take_or_await() {
                thread::park();
            }
            inside(&other);
            assert!(!other.0.give_back(), "no other thread waits");
        });
        let waiter = socket.thread().clone();
        let worker = |shared: Arc<(PollerLock, UnsafeCell<i32>)>| {
            let waiter = waiter.clone();
            move || {
                if shared.0.try_take() {
                    inside(&shared);
                    if shared.0.give_back() {
                        waiter.unpark();
                    }
                }
            }
        };
        let second = thread::spawn(worker(shared.clone()));
        worker(shared.clone())();
        second.join().unwrap();
        socket.join().unwrap();
        assert!(shared.0.try_take(), "free at the end");
    });
}
