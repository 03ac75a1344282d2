//! Models of what threads share: the handoff lock and the claim of a socket, the agenda, and the poller lock; and of turns in which a thread stops
//! for ever.

use crate::base::sync::{stop_point, stopping_at};
use crate::io::socket::addr::UdpAddress;
use crate::io::socket::agenda::Agenda;
use crate::io::socket::buffer::{Block, Payload};
use crate::io::socket::claim::Claim;
use crate::io::socket::handoff::{Entry, HandoffLock, Leaving};
use crate::scheduler::Ready;
use crate::scheduler::injector::{item, number};
use crate::scheduler::poller_lock::{PollerLock, Right};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use loom::thread;

/// A socket in small. Loom fails if two threads are inside of one of its locks at once.
struct Socket {
    handoff: HandoffLock,
    /// What was written, by owners of the handoff lock.
    order: UnsafeCell<Vec<u8>>,
    claim: Claim<u8>,
    /// Commands that were done, with the claim.
    done: UnsafeCell<Vec<u8>>,
    /// Events that the kernel has, and that were delivered, with the claim.
    ready: AtomicU32,
    delivered: UnsafeCell<u32>,
}

/// A server in small.
struct Server {
    sockets: [Socket; 2],
    agenda: Agenda<Ready>,
    lock: PollerLock,
    /// The eventfd. Exchanges alone, as calls of the kernel are in one order.
    told: AtomicBool,
}

/// A command that closes: it needs the handoff lock.
const CLOSE: u8 = b'c';

impl Server {
    fn new() -> Arc<Server> {
        let socket = || Socket {
            handoff: HandoffLock::new(),
            order: UnsafeCell::new(Vec::new()),
            claim: Claim::new(),
            done: UnsafeCell::new(Vec::new()),
            ready: AtomicU32::new(0),
            delivered: UnsafeCell::new(0),
        };
        Arc::new(Server {
            sockets: [socket(), socket()],
            agenda: Agenda::new(),
            lock: PollerLock::new(),
            told: AtomicBool::new(false),
        })
    }

    fn schedule(&self, at: usize) {
        stop_point();
        if self.agenda.push(item(at)) {
            self.told.swap(true, Ordering::SeqCst);
        }
    }

    fn post(&self, at: usize, command: u8) {
        if self.sockets[at].claim.ask(command) {
            self.schedule(at);
        }
    }

    /// As the turn of the real server.
    fn turn(&self, right: &Right) {
        self.agenda.awake();
        self.told.swap(false, Ordering::SeqCst);
        while self.lock.holds(right)
            && let Some(claimed) = self.agenda.pop()
        {
            stop_point();
            self.work(number(claimed));
        }
        for (at, socket) in self.sockets.iter().enumerate() {
            if socket.ready.load(Ordering::Relaxed) == 0 || !socket.claim.try_enter() {
                continue;
            }
            if !self.lock.holds(right) {
                // SAFETY: this thread has the claim.
                if !unsafe { socket.claim.try_leave() } {
                    self.schedule(at);
                }
                return;
            }
            if socket.ready.swap(0, Ordering::Relaxed) != 0 {
                stop_point();
                // SAFETY: this thread has the claim, which loom checks.
                socket.delivered.with_mut(|n| unsafe { *n += 1 });
            }
            self.work(at);
        }
    }

    fn work(&self, at: usize) {
        let socket = &self.sockets[at];
        // SAFETY: this thread has the claim, up to the answer `None` or to `want`.
        while let Some(command) = unsafe { socket.claim.next() } {
            if command == CLOSE && !socket.handoff.try_enter_claimed() {
                // SAFETY: this thread has the claim.
                unsafe { socket.claim.put_back(command) };
                if socket.handoff.want() {
                    return;
                }
                continue;
            }
            stop_point();
            // SAFETY: this thread has the claim, which loom checks.
            socket
                .done
                .with_mut(|done| unsafe { (*done).push(command) });
            if command == CLOSE {
                self.take_handed(at);
                self.note(at, command);
                self.leave(at, false);
            }
        }
    }

    /// The caller owns the handoff lock.
    fn note(&self, at: usize, byte: u8) {
        // SAFETY: the caller owns the handoff lock, which loom checks.
        self.sockets[at]
            .order
            .with_mut(|order| unsafe { (*order).push(byte) });
    }

    fn take_handed(&self, at: usize) {
        // SAFETY: the caller owns the handoff lock; only blocks are handed over.
        for block in unsafe { self.sockets[at].handoff.take_handed::<Block>() } {
            self.note(at, block.rest()[0]);
        }
    }

    fn leave(&self, at: usize, mut pass: bool) {
        loop {
            // SAFETY: the caller owns the handoff lock; only blocks are handed over.
            match unsafe { self.sockets[at].handoff.try_leave::<Block>(pass) } {
                Leaving::Left => return,
                Leaving::Passed { wanted: true } => return self.schedule(at),
                Leaving::Passed { wanted: false } => return self.post(at, CLOSE),
                Leaving::Stays(handed) => {
                    for block in handed {
                        self.note(at, block.rest()[0]);
                    }
                }
            }
            pass = true;
        }
    }

    fn send(&self, at: usize, byte: u8) {
        if self.sockets[at].handoff.try_enter() {
            stop_point();
            self.note(at, byte);
            return self.leave(at, false);
        }
        let block = Block::new(Payload::copy_of(&[byte]), 1, false, UdpAddress::NONE).unwrap();
        if let Entry::Owner(block) = self.sockets[at].handoff.enter_or_hand_over(block) {
            self.note(at, block.rest()[0]);
            self.leave(at, false);
        }
    }

    /// One turn, if no other thread is in one.
    fn try_turn(&self) -> bool {
        let Some(right) = self.lock.try_take() else {
            return false;
        };
        self.turn(&right);
        let _ = self.lock.give_back(right);
        true
    }

    /// What was done on a socket whose claim is free: nobody is at it any more.
    fn done(&self, at: usize) -> Option<(Vec<u8>, u32)> {
        let socket = &self.sockets[at];
        if !socket.claim.try_enter() {
            return None;
        }
        // SAFETY: this thread has the claim, which loom checks.
        let done = unsafe {
            (
                socket.done.with(|done| (*done).clone()),
                socket.delivered.with(|n| *n),
            )
        };
        // SAFETY: as above.
        assert!(unsafe { socket.claim.try_leave() });
        Some(done)
    }
}

fn bytes_of(seen: &[u8], bytes: &[u8]) -> Vec<u8> {
    seen.iter().copied().filter(|b| bytes.contains(b)).collect()
}

#[test]
fn loom_writes_of_a_thread_keep_their_order_and_none_is_lost() {
    loom::model(|| {
        let server = Server::new();
        let other = server.clone();
        let thread = thread::spawn(move || {
            other.send(0, b'a');
            other.send(0, b'b');
        });
        server.send(0, b'1');
        server.send(0, b'2');
        thread.join().unwrap();
        // What was passed on is with the claim now.
        assert!(server.try_turn());
        assert!(server.sockets[0].handoff.try_enter(), "free at the end");
        // SAFETY: this thread has just entered.
        let seen = server.sockets[0]
            .order
            .with(|order| unsafe { (*order).clone() });
        assert_eq!(bytes_of(&seen, b"ab"), b"ab");
        assert_eq!(bytes_of(&seen, b"12"), b"12");
    });
}

/// The I/O role needs the handoff lock that a sender may have: it does not wait, and the command is done once, with all that was written
/// before, by whoever runs the turn after the sender has left.
#[test]
fn loom_what_cannot_be_done_while_a_sender_is_inside_is_done_when_it_has_left() {
    loom::model(|| {
        let server = Server::new();
        // The sender is inside already, whatever loom makes of the rest.
        assert!(server.sockets[0].handoff.try_enter());
        let other = server.clone();
        let thread = thread::spawn(move || {
            other.note(0, b'a');
            other.leave(0, false);
            other.send(0, b'b');
        });
        server.post(0, CLOSE);
        server.post(0, 1);
        assert!(server.try_turn());
        thread.join().unwrap();
        assert!(server.try_turn());
        let (done, _) = server.done(0).expect("nobody is at it");
        // The one that had to wait comes before the one behind it.
        assert_eq!(done[..2], [CLOSE, 1]);
        let closes = done.iter().filter(|c| **c == CLOSE).count();
        // One more if a sender has passed the socket on by itself.
        assert!((1..=2).contains(&closes));
        // SAFETY: no other thread is left.
        let seen = server.sockets[0]
            .order
            .with(|order| unsafe { (*order).clone() });
        assert_eq!(bytes_of(&seen, b"ab"), b"ab");
        assert_eq!(bytes_of(&seen, b"c").len(), closes);
    });
}

/// A sender stops for ever with the handoff lock: what needs that waits, and the other socket does not.
#[test]
fn loom_a_sender_that_stops_holds_up_its_socket_alone() {
    for point in 1..6 {
        loom::model(move || {
            let server = Server::new();
            assert!(server.sockets[0].handoff.try_enter());
            let other = server.clone();
            let thread = thread::spawn(move || {
                stopping_at(point, || {
                    stop_point();
                    other.note(0, b'a');
                    other.leave(0, false);
                });
            });
            server.post(0, CLOSE);
            server.post(1, CLOSE);
            server.sockets[1].ready.store(1, Ordering::Relaxed);
            assert!(server.try_turn());
            assert_eq!(server.done(1), Some((vec![CLOSE], 1)));
            thread.join().unwrap();
            assert!(server.try_turn());
            if server.sockets[0].handoff.try_enter() {
                let done = server.done(0).expect("nobody is at it");
                assert_eq!(done, (vec![CLOSE], 0));
            }
        });
    }
}

/// A thread stops for ever anywhere in a turn, and another takes its place at any time: each event and each command of the socket
/// that the first one does not have in its hands is seen to once, and in order. If it does not stop, all are.
#[test]
fn loom_the_sockets_do_not_wait_for_a_thread_that_stops_within_a_turn() {
    for point in 1..25 {
        loom::model(move || {
            let server = Server::new();
            for at in 0..2 {
                server.sockets[at].ready.store(1, Ordering::Relaxed);
            }
            server.post(0, 1);
            server.post(0, 2);
            let other = server.clone();
            let stopped = Arc::new(AtomicBool::new(false));
            let stops = stopped.clone();
            // It is in its turn already, whatever loom makes of the rest.
            let right = server.lock.try_take().expect("a free lock");
            let thread = thread::spawn(move || {
                let is_stopped = stopping_at(point, || {
                    other.turn(&right);
                    let _ = other.lock.give_back(right);
                });
                stops.store(is_stopped, Ordering::Relaxed);
            });
            // The patience of this one may be over at any time.
            let seen = server.lock.progress();
            let right = server.lock.try_take();
            if let Some(right) = right.or_else(|| server.lock.take_from(seen)) {
                server.turn(&right);
                let _ = server.lock.give_back(right);
            }
            thread.join().unwrap();
            // What a thread that has lost its right has left is for the next turn.
            let seen = server.lock.progress();
            let right = server.lock.try_take();
            let right = right
                .or_else(|| server.lock.take_from(seen))
                .expect("no thread goes on");
            server.turn(&right);
            assert!(!server.lock.give_back(right), "no other thread waits");
            let done = [server.done(0), server.done(1)];
            let whole = [(vec![1, 2], 1), (vec![], 1)];
            let in_hand = done.iter().filter(|done| done.is_none()).count();
            let stopped = stopped.load(Ordering::Relaxed);
            assert!(in_hand <= usize::from(stopped), "{done:?}");
            for (done, whole) in done.iter().zip(whole) {
                assert!(done.is_none() || *done == Some(whole), "{done:?}");
            }
        });
    }
}

#[test]
fn loom_a_sleeping_role_is_woken_by_exactly_one_producer() {
    loom::model(|| {
        let agenda = Arc::new(Agenda::new());
        assert!(agenda.fall_asleep());
        let other = agenda.clone();
        let thread = thread::spawn(move || usize::from(other.push(item(1))));
        let here = usize::from(agenda.push(item(3)));
        assert_eq!(thread.join().unwrap() + here, 1);
        assert_eq!(std::iter::from_fn(|| agenda.pop()).count(), 2);
    });
}

#[test]
fn loom_nothing_is_left_behind_by_a_role_that_falls_asleep() {
    loom::model(|| {
        let agenda = Arc::new(Agenda::new());
        let other = agenda.clone();
        let thread = thread::spawn(move || other.push(item(1)));
        let asleep = agenda.fall_asleep();
        let woken = thread.join().unwrap();
        // It sees the claim itself, or the producer knows that it has to wake it; perhaps both.
        assert!(!asleep || woken);
        assert_eq!(std::iter::from_fn(|| agenda.pop()).count(), 1);
    });
}

/// The socket thread waits for events, and perhaps never comes back from its wait; a stand-in takes its place, and another thread asks
/// for something. What was asked is done once: by the stand-in, or because the sleeper is told.
#[test]
fn loom_a_stand_in_polls_for_a_socket_thread_that_stops_in_its_wait() {
    for comes_back in [false, true] {
        loom::model(move || {
            let server = Server::new();
            let right = server.lock.take_or_await().expect("a free lock");
            assert!(server.agenda.fall_asleep());
            assert!(server.lock.begin_wait(right));
            assert!(server.lock.try_take().is_none(), "workers do not poll");
            let other = server.clone();
            let socket = thread::spawn(move || {
                if comes_back {
                    let right = loop {
                        match other.lock.take_or_await() {
                            Some(right) => break right,
                            None => thread::park(),
                        }
                    };
                    other.turn(&right);
                    assert!(!other.lock.give_back(right), "no other thread waits");
                }
            });
            let waiter = socket.thread().clone();
            let other = server.clone();
            let asks = thread::spawn(move || other.post(0, 1));
            if let Some((right, before)) = server.lock.stand_in() {
                server.turn(&right);
                if !server.agenda.fall_asleep() {
                    server.told.swap(true, Ordering::SeqCst);
                }
                if server.lock.leave(right, before) {
                    waiter.unpark();
                }
            }
            socket.join().unwrap();
            asks.join().unwrap();
            let free = server.lock.is_free();
            assert_eq!(free, comes_back, "as the socket thread has left it");
            // A socket thread that is back looks at the agenda before it waits again.
            let seen = comes_back || server.told.swap(false, Ordering::SeqCst);
            if seen && server.agenda.has_some() {
                let right = server.lock.stand_in().expect("nobody is in a turn").0;
                server.turn(&right);
            }
            assert_eq!(server.done(0), Some((vec![1], 0)));
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
            let right = loop {
                match other.0.take_or_await() {
                    Some(right) => break right,
                    None => thread::park(),
                }
            };
            inside(&other);
            assert!(!other.0.give_back(right), "no other thread waits");
        });
        let waiter = socket.thread().clone();
        let worker = |shared: Arc<(PollerLock, UnsafeCell<i32>)>| {
            let waiter = waiter.clone();
            move || {
                if let Some(right) = shared.0.try_take() {
                    inside(&shared);
                    if shared.0.give_back(right) {
                        waiter.unpark();
                    }
                }
            }
        };
        let second = thread::spawn(worker(shared.clone()));
        worker(shared.clone())();
        second.join().unwrap();
        socket.join().unwrap();
        assert!(shared.0.try_take().is_some(), "free at the end");
    });
}

/// A holder that lost the lock gives nothing back that is another's, and a socket thread that waits for it is told by the one that took its place.
#[test]
fn loom_a_holder_that_lost_the_poller_lock_leaves_it_to_the_next() {
    loom::model(|| {
        let lock = Arc::new(PollerLock::new());
        let first = lock.try_take().expect("a free lock");
        let other = lock.clone();
        let late = thread::spawn(move || {
            let holds = other.holds(&first);
            (holds, other.give_back(first))
        });
        let seen = lock.progress();
        let taken = lock.take_from(seen);
        let has = taken.is_some();
        if let Some(right) = taken {
            assert!(lock.holds(&right), "whatever the first does");
            assert!(lock.try_take().is_none());
            assert!(lock.take_or_await().is_none(), "the socket thread waits");
            assert!(lock.give_back(right), "and is told");
        }
        let (holds, told) = late.join().unwrap();
        assert!(!told);
        assert!(holds || has);
        assert!(lock.is_free());
    });
}
