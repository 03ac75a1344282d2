//! The queue of one service: many senders, one consumer at a time.
//!
//! One word, `head`, carries both the arrivals and the state:
//!
//! | head | meaning |
//! |---|---|
//! | `IDLE` | empty, and nobody is consumer: the sender of the next message becomes responsible for scheduling |
//! | `BUSY` | nothing new has arrived; somebody is the consumer, or the mailbox is in a run queue |
//! | `CLOSED` | the service is gone; nothing is accepted any more |
//! | a block | arrivals, newest first, down to the one that the consumer saw last; otherwise as `BUSY` |
//!
//! A sender pushes with one compare-and-swap and never waits for anybody: a sender that is preempted has either
//! pushed or not. The consumer only reads: it leaves the newest block that it has seen where it is (`seen`) and turns
//! what has come on top of it round into a list of its own. It writes `head` once, when it gives its role up: if
//! `head` is still the block that it saw last, nothing has come since. That block is kept until then, or until a newer
//! one has taken its place, so it cannot come back as another message meanwhile.
//!
//! Invariant (consumer role): whoever moved `head` away from `IDLE` (a push that answers [`Pushed::Schedule`], or
//! [`Mailbox::claim`]), and whoever it hands the mailbox to through a run queue, is the consumer until its
//! [`Mailbox::rest`] answers true. Only the consumer touches `local`.
//! A new mailbox belongs to its creator, as consumer.

mod node;

use crate::blocks::Class;
use crate::message::Message;
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::order_for_loom;
use node::Node;
use std::cell::UnsafeCell;
// No part of the protocol, so loom need not know.
use std::sync::atomic::AtomicUsize;

const IDLE: *mut Node = std::ptr::null_mut();
const BUSY: *mut Node = std::ptr::without_provenance_mut(1);
const CLOSED: *mut Node = std::ptr::without_provenance_mut(2);

/// The first length of a mailbox that is reported as overload; doubles with each report ("skynet_mq.h" users grep for it).
const OVERLOAD: usize = 1024;

/// What became of a message that was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Accepted; somebody else sees to it.
    Queued,
    /// Accepted, and the mailbox was idle: the caller is its consumer now and has to put it into a run queue.
    Schedule,
    /// The service is gone; the message still belongs to the caller.
    Closed,
}

struct Local {
    first: *mut Node,
    last: *mut Node,
    /// The newest block gathered, which `head` still refers to; null if `head` has none of ours. It is the last of the
    /// list, or has been popped when the list is empty.
    seen: *mut Node,
    overload: usize,
    threshold: usize,
}

impl Local {
    /// Counted when a message leaves, without that one: 1026 waiting messages are the first overload.
    #[cold]
    fn note_overload(&mut self, len: usize) {
        self.overload = len;
        while len > self.threshold {
            self.threshold = self.threshold.saturating_mul(2);
        }
    }
}

/// See the module's documentation.
pub struct Mailbox {
    head: AtomicPtr<Node>,
    /// Messages gathered and not popped. Written by the consumer alone, read by anybody who wants to know about.
    len: AtomicUsize,
    local: UnsafeCell<Local>,
}

// SAFETY: `head` is atomic; `local` is touched by the consumer alone, and the role is handed over with release/acquire
// (push and rest are release on `head`, claim and push are acquire).
unsafe impl Sync for Mailbox {}
// SAFETY: the messages it owns may be freed on any thread.
unsafe impl Send for Mailbox {}

impl Mailbox {
    /// An empty mailbox whose consumer is the caller.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Mailbox {
        Mailbox {
            head: AtomicPtr::new(BUSY),
            len: AtomicUsize::new(0),
            local: UnsafeCell::new(Local {
                first: std::ptr::null_mut(),
                last: std::ptr::null_mut(),
                seen: std::ptr::null_mut(),
                overload: 0,
                threshold: OVERLOAD,
            }),
        }
    }

    /// Any thread: adds a message at the end. `payload` says what is known of the block that its data is.
    #[inline(always)]
    pub fn push(&self, message: Message, payload: Class) -> Pushed {
        let mut head = self.head.load(Ordering::Relaxed);
        if head == CLOSED {
            return Pushed::Closed;
        }
        let node = node::alloc();
        // SAFETY: the block is ours until it is published.
        unsafe { Node::put(node, message, payload) };
        loop {
            if head == CLOSED {
                // SAFETY: the block was never published.
                unsafe { node::free(node) };
                return Pushed::Closed;
            }
            let next = if head == IDLE || head == BUSY {
                std::ptr::null_mut()
            } else {
                head
            };
            // SAFETY: the block is ours until it is published.
            unsafe { Node::set_next(node, next) };
            match self
                .head
                .compare_exchange_weak(head, node, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => {
                    return if head == IDLE {
                        Pushed::Schedule
                    } else {
                        Pushed::Queued
                    };
                }
                Err(now) => head = now,
            }
        }
    }

    /// Any thread: becomes the consumer of an idle mailbox.
    pub fn claim(&self) -> bool {
        order_for_loom();
        self.head
            .compare_exchange(IDLE, BUSY, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Consumer: takes in what has arrived, so that [`Mailbox::len`] counts it.
    #[inline(always)]
    pub fn gather(&self) {
        let head = self.head.load(Ordering::Acquire);
        // SAFETY: the caller is the consumer.
        let seen = unsafe { (*self.local.get()).seen };
        if head == seen || head == BUSY || head == IDLE || head == CLOSED {
            return;
        }
        self.append(head);
    }

    /// Consumer: appends arrivals (newest first, down to the block seen last) to the list, oldest first.
    #[inline(always)]
    fn append(&self, newest: *mut Node) {
        // SAFETY: the caller is the consumer, so the blocks above the one it saw last are its own.
        unsafe {
            let local = &mut *self.local.get();
            let mut first = std::ptr::null_mut();
            let mut node = newest;
            while !node.is_null() && node != local.seen {
                let next = Node::next(node);
                Node::set_next(node, first);
                first = node;
                self.count(1);
                node = next;
            }
            if local.first.is_null() {
                local.first = first;
                if !local.seen.is_null() {
                    node::free(local.seen);
                }
            } else {
                Node::set_next(local.last, first);
            }
            local.last = newest;
            local.seen = newest;
        }
    }

    /// Consumer: adds to the length, modulo the size of a word.
    #[inline(always)]
    fn count(&self, by: usize) {
        let len = self.len.load(Ordering::Relaxed);
        self.len.store(len.wrapping_add(by), Ordering::Relaxed);
    }

    /// Consumer: the oldest message, and the class of its payload.
    #[inline(always)]
    pub fn pop(&self) -> Option<(Message, Class)> {
        // SAFETY: the caller is the consumer.
        unsafe {
            if (*self.local.get()).first.is_null() {
                self.gather();
            }
            let local = &mut *self.local.get();
            let node = local.first;
            if node.is_null() {
                // Seen empty: the next overload is reported from the start again.
                local.threshold = OVERLOAD;
                return None;
            }
            local.first = Node::next(node);
            self.count(usize::MAX);
            if self.len.load(Ordering::Relaxed) > local.threshold {
                local.note_overload(self.len.load(Ordering::Relaxed));
            }
            let message = Node::message(node);
            if node != local.seen {
                node::free(node);
            }
            Some(message)
        }
    }

    /// Consumer: gives the role up if nothing is left. True: somebody else may be the consumer already.
    /// False: something has arrived, the caller still is.
    #[inline]
    pub fn rest(&self) -> bool {
        // SAFETY: the caller is the consumer.
        let local = unsafe { &mut *self.local.get() };
        if !local.first.is_null() {
            return false;
        }
        // Once the exchange has succeeded another thread may be the consumer.
        let seen = std::mem::replace(&mut local.seen, std::ptr::null_mut());
        let expected = if seen.is_null() { BUSY } else { seen };
        let rested = self
            .head
            .compare_exchange(expected, IDLE, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok();
        order_for_loom();
        if !rested {
            // SAFETY: we still are the consumer.
            unsafe { (*self.local.get()).seen = seen };
        } else if !seen.is_null() {
            // SAFETY: popped, and `head` does not refer to it any more.
            unsafe { node::free(seen) };
        }
        rested
    }

    /// Consumer: number of messages that wait, those included that arrived up to now.
    pub fn len(&self) -> usize {
        self.gather();
        self.len.load(Ordering::Relaxed)
    }

    /// Any thread: the length when the consumer last looked.
    pub fn last_len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Consumer: true if no message waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Consumer: the length at which an overload was noticed since the last call, or 0.
    #[inline]
    pub fn take_overload(&self) -> usize {
        // SAFETY: the caller is the consumer.
        let local = unsafe { &mut *self.local.get() };
        std::mem::take(&mut local.overload)
    }

    /// Consumer: accepts nothing any more; the caller pops what is left. The role stays with the caller for ever.
    pub fn close(&self) {
        let head = self.head.swap(CLOSED, Ordering::AcqRel);
        // SAFETY: the caller is the consumer.
        let seen = unsafe { (*self.local.get()).seen };
        if head != IDLE && head != BUSY && head != CLOSED && head != seen {
            self.append(head);
        }
        // SAFETY: as above; `head` refers to no block any more, so those of the list are freed as they are popped.
        unsafe {
            let local = &mut *self.local.get();
            let seen = std::mem::replace(&mut local.seen, std::ptr::null_mut());
            if local.first.is_null() && !seen.is_null() {
                node::free(seen);
            }
        }
    }

    /// Any thread: true after [`Mailbox::close`].
    pub fn is_closed(&self) -> bool {
        self.head.load(Ordering::Acquire) == CLOSED
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.close();
        while let Some((message, _)) = self.pop() {
            // SAFETY: the payload is a block of the C allocator that belonged to the message.
            unsafe { libc::free(message.data) };
        }
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use crate::message::ptype;
    use std::sync::Arc;

    fn message(source: u32, session: i32) -> Message {
        Message::empty(source, ptype::TEXT, session)
    }

    #[test]
    fn messages_leave_in_the_order_in_which_they_came() {
        let mailbox = Mailbox::new();
        for i in 0..10 {
            assert_eq!(mailbox.push(message(1, i), Class::FOREIGN), Pushed::Queued);
        }
        assert_eq!(mailbox.len(), 10);
        for i in 0..5 {
            assert_eq!(mailbox.pop().unwrap().0.session, i);
        }
        mailbox.push(message(1, 10), Class::FOREIGN);
        for i in 5..11 {
            assert_eq!(mailbox.pop().unwrap().0.session, i);
        }
        assert!(mailbox.pop().is_none());
        assert!(mailbox.rest());
        assert_eq!(
            mailbox.push(message(1, 0), Class::FOREIGN),
            Pushed::Schedule
        );
        assert!(!mailbox.rest(), "a message waits");
        mailbox.close();
        assert_eq!(mailbox.push(message(1, 1), Class::FOREIGN), Pushed::Closed);
        assert_eq!(
            mailbox.pop().unwrap().0.session,
            0,
            "what came before the end is still there"
        );
    }

    #[test]
    fn overload_is_reported_above_1024_then_at_each_doubling_and_anew_after_empty() {
        let mailbox = Mailbox::new();
        // Adds messages, takes one off, and answers what was noticed.
        let fill = |n| {
            for i in 0..n {
                mailbox.push(message(1, i), Class::FOREIGN);
            }
            mailbox.gather();
            mailbox.pop();
            mailbox.take_overload()
        };
        assert_eq!(fill(1025), 0);
        assert_eq!(fill(2), 1025);
        assert_eq!(fill(2), 0);
        assert_eq!(fill(1024), 2049);
        while mailbox.pop().is_some() {}
        assert_eq!(fill(1026), 1025);
    }

    #[test]
    fn each_sender_s_messages_keep_their_order_and_none_is_lost() {
        const SENDERS: u32 = 4;
        const EACH: i32 = 20_000;
        let mailbox = Arc::new(Mailbox::new());
        let senders: Vec<_> = (0..SENDERS)
            .map(|source| {
                let mailbox = mailbox.clone();
                std::thread::spawn(move || {
                    for i in 0..EACH {
                        mailbox.push(message(source, i), Class::FOREIGN);
                    }
                })
            })
            .collect();
        let mut next = [0; SENDERS as usize];
        let mut seen = 0;
        while seen < SENDERS as i32 * EACH {
            let Some((message, _)) = mailbox.pop() else {
                std::thread::yield_now();
                continue;
            };
            assert_eq!(message.session, next[message.source as usize]);
            next[message.source as usize] += 1;
            seen += 1;
        }
        for sender in senders {
            sender.join().unwrap();
        }
        assert!(mailbox.rest());
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use crate::message::ptype;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;

    /// Two senders and whoever they make the consumer: exactly one is told to schedule at a time, nothing is lost.
    #[test]
    fn loom_exactly_one_sender_schedules_and_nothing_is_lost() {
        loom::model(|| {
            let mailbox = Arc::new(Mailbox::new());
            assert!(mailbox.rest());
            let seen = Arc::new(AtomicUsize::new(0));
            let inside = Arc::new(AtomicUsize::new(0));
            let send = |source: u32| {
                let (mailbox, seen, inside) = (mailbox.clone(), seen.clone(), inside.clone());
                loom::thread::spawn(move || {
                    if mailbox.push(Message::empty(source, ptype::TEXT, 1), Class::FOREIGN)
                        == Pushed::Schedule
                    {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two consumers");
                        loop {
                            while mailbox.pop().is_some() {
                                seen.fetch_add(1, Ordering::SeqCst);
                            }
                            inside.fetch_sub(1, Ordering::SeqCst);
                            if mailbox.rest() {
                                break;
                            }
                            inside.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                })
            };
            let a = send(1);
            let b = send(2);
            a.join().unwrap();
            b.join().unwrap();
            assert_eq!(seen.load(Ordering::SeqCst), 2);
            assert!(mailbox.claim(), "idle at the end");
        });
    }

    /// A message is either accepted before the end, and then found by whoever closes, or refused.
    #[test]
    fn loom_a_send_during_close_is_kept_or_refused() {
        loom::model(|| {
            let mailbox = Arc::new(Mailbox::new());
            let other = mailbox.clone();
            let sender = loom::thread::spawn(move || {
                other.push(Message::empty(1, ptype::TEXT, 1), Class::FOREIGN)
            });
            mailbox.close();
            let mut found = 0;
            while mailbox.pop().is_some() {
                found += 1;
            }
            match sender.join().unwrap() {
                Pushed::Queued => assert_eq!(found, 1),
                Pushed::Closed => assert_eq!(found, 0),
                Pushed::Schedule => panic!("the closer is the consumer"),
            }
        });
    }

    /// Retirement: one side sets a flag and claims, the other rests, looks at the flag and claims. Exactly one of them
    /// ends the service.
    #[test]
    fn loom_a_retired_service_is_ended_exactly_once() {
        use loom::sync::atomic::AtomicBool;
        loom::model(|| {
            let world = Arc::new((Mailbox::new(), AtomicBool::new(false), AtomicUsize::new(0)));
            let other = world.clone();
            let retiring = loom::thread::spawn(move || {
                let (mailbox, retired, ended) = &*other;
                retired.store(true, Ordering::SeqCst);
                if mailbox.claim() {
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            });
            let (mailbox, retired, ended) = &*world;
            // The end of a turn, as in `service::turn`.
            if retired.load(Ordering::SeqCst) {
                ended.fetch_add(1, Ordering::SeqCst);
            } else if mailbox.rest() && retired.load(Ordering::SeqCst) && mailbox.claim() {
                ended.fetch_add(1, Ordering::SeqCst);
            }
            retiring.join().unwrap();
            assert_eq!(ended.load(Ordering::SeqCst), 1);
        });
    }
}
