//! The queue of one service: many senders, one consumer at a time.
//!
//! One word, `head`, carries both the arrivals and the state:
//!
//! | head | meaning |
//! |---|---|
//! | `IDLE` | empty, without a consumer: the sender of the next message becomes responsible for scheduling |
//! | `BUSY` | nothing new has arrived; there is a consumer, or the mailbox is in a run queue |
//! | `CLOSED` | the service is gone; nothing is accepted any more |
//! | a block | arrivals, newest first, down to the one that the consumer saw last; otherwise as `BUSY` |
//!
//! A sender pushes with one compare-and-swap and never waits for another thread: a sender that is preempted has either
//! pushed or not. The consumer only reads: it leaves the newest block that it has seen where it is (`seen`) and turns
//! what has come on top of it round into a list of its own. It writes `head` once, when it gives its role up: if
//! `head` is still the block that it saw last, nothing has come since. That block is kept until then, or until a newer
//! one has taken its place, so it cannot come back as another message meanwhile.
//!
//! The consumer has a value that says so, [`Consumer`], and `local` is within reach of that alone. It comes from the
//! transitions that move `head` away from `IDLE`: a push that answers [`Pushed::Schedule`], and [`Mailbox::try_acquire`]. It
//! ends in the one back, [`Consumer::try_release`]. Between the two it moves, so there is never a second. On its way through
//! a run queue, or through C, it is a token or a pointer; [`Mailbox::assume_consumer`] makes it anew.
//!
//! A mailbox also holds something that belongs to its consumer, as a lock holds what it protects: [`Consumer::owned`].

mod consumer;
mod node;

use crate::alloc::freelist::Class;
use crate::base::message::Message;
use crate::base::sync::atomic::{AtomicPtr, Ordering};
use crate::base::sync::order_for_loom;
pub use consumer::Consumer;
use node::Node;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
// No part of the protocol, so loom need not know.
use std::sync::atomic::AtomicUsize;

const IDLE: *mut Node = std::ptr::null_mut();
const BUSY: *mut Node = std::ptr::without_provenance_mut(1);
const CLOSED: *mut Node = std::ptr::without_provenance_mut(2);

/// The first length of a mailbox that is reported as overload; doubles with each report ("skynet_mq.h" users grep for it).
const OVERLOAD: usize = 1024;

/// What became of a message that was pushed.
#[must_use]
pub(super) enum Pushed<'a, T> {
    /// Accepted; the consumer, or the worker that will be, handles it.
    Queued,
    /// Accepted, and the mailbox was idle: the caller is its consumer now and has to put it into a run queue.
    Schedule(Consumer<'a, T>),
    /// The service is gone; the message still belongs to the caller.
    Closed,
}

struct Local {
    first: *mut Node,
    last: *mut Node,
    /// The newest block gathered, which `head` still refers to; null if `head` refers to none that was gathered. It is the last of the
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
pub(super) struct Mailbox<T> {
    head: AtomicPtr<Node>,
    /// Messages gathered and not popped. Written by the consumer alone, read by any thread, as an estimate.
    len: AtomicUsize,
    local: UnsafeCell<Local>,
    owned: UnsafeCell<T>,
}

// SAFETY: `head` is atomic; `local` and `owned` are touched by the consumer alone, and the role is handed over with
// release/acquire (push and try_release are release on `head`, try_acquire and push are acquire).
unsafe impl<T: Send> Sync for Mailbox<T> {}
// SAFETY: the messages it owns may be freed on any thread.
unsafe impl<T: Send> Send for Mailbox<T> {}

impl<T> Mailbox<T> {
    /// An empty mailbox without a consumer. `owned` belongs to the consumer that will be.
    pub fn new(owned: T) -> Mailbox<T> {
        Mailbox {
            head: AtomicPtr::new(IDLE),
            len: AtomicUsize::new(0),
            local: UnsafeCell::new(Local {
                first: std::ptr::null_mut(),
                last: std::ptr::null_mut(),
                seen: std::ptr::null_mut(),
                overload: 0,
                threshold: OVERLOAD,
            }),
            owned: UnsafeCell::new(owned),
        }
    }

    /// Any thread: adds a message at the end. `payload` says what is known of the block that its data is.
    #[inline(always)]
    pub fn push(&self, message: Message, payload: Class) -> Pushed<'_, T> {
        let mut head = self.head.load(Ordering::Relaxed);
        if head == CLOSED {
            return Pushed::Closed;
        }
        let node = node::alloc();
        // SAFETY: the block is known to this thread alone until it is published.
        unsafe { Node::put(node, message) };
        loop {
            let next = if head == IDLE || head == BUSY {
                std::ptr::null_mut()
            } else {
                head
            };
            // SAFETY: the block is known to this thread alone until it is published.
            unsafe { Node::link(node, next, payload) };
            match self
                .head
                .compare_exchange_weak(head, node, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => {
                    return if head == IDLE {
                        Pushed::Schedule(self.role())
                    } else {
                        Pushed::Queued
                    };
                }
                Err(now) if now == CLOSED => {
                    // SAFETY: the block was never published.
                    unsafe { node::free(node) };
                    return Pushed::Closed;
                }
                Err(now) => head = now,
            }
        }
    }

    /// Any thread: becomes the consumer of an idle mailbox.
    pub fn try_acquire(&self) -> Option<Consumer<'_, T>> {
        order_for_loom();
        self.head
            .compare_exchange(IDLE, BUSY, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
            .then(|| self.role())
    }

    /// The role of the consumer, for a caller that has it although the value that says so is not at hand.
    ///
    /// # Safety
    /// The role is the caller's: the value was given up for a token, which the caller has (and gives up for this), or it is
    /// lent: the holder of the value waits for the caller, which uses the answer before it returns.
    #[inline(always)]
    pub(super) unsafe fn assume_consumer(&self) -> Consumer<'_, T> {
        self.role()
    }

    #[inline(always)]
    fn role(&self) -> Consumer<'_, T> {
        Consumer {
            mailbox: self,
            thread: PhantomData,
        }
    }

    /// Consumer: adds to the length, modulo the size of a word.
    #[inline(always)]
    fn count(&self, by: usize) {
        let len = self.len.load(Ordering::Relaxed);
        self.len.store(len.wrapping_add(by), Ordering::Relaxed);
    }

    /// Any thread: the length when the consumer last looked.
    pub(super) fn last_len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }
}

impl<T> Drop for Mailbox<T> {
    fn drop(&mut self) {
        // Borrowed mutably: there is no other consumer.
        let mut consumer = self.role();
        consumer.close();
        while let Some((message, _)) = consumer.pop() {
            // SAFETY: the payload is a block of the C allocator that belonged to the message.
            unsafe { libc::free(message.data) };
        }
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests;

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use crate::base::message::ptype;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;

    /// Two senders and the consumers that they become: exactly one is told to schedule at a time, nothing is lost.
    #[test]
    fn loom_exactly_one_sender_schedules_and_nothing_is_lost() {
        loom::model(|| {
            let mailbox = Arc::new(Mailbox::new(()));
            let seen = Arc::new(AtomicUsize::new(0));
            let inside = Arc::new(AtomicUsize::new(0));
            let send = |source: u32| {
                let (mailbox, seen, inside) = (mailbox.clone(), seen.clone(), inside.clone());
                loom::thread::spawn(move || {
                    let message = Message::empty(source, ptype::TEXT, 1);
                    if let Pushed::Schedule(consumer) = mailbox.push(message, Class::UNPOOLED) {
                        let mut role = Some(consumer);
                        while let Some(mut consumer) = role.take() {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two consumers");
                            while consumer.pop().is_some() {
                                seen.fetch_add(1, Ordering::SeqCst);
                            }
                            inside.fetch_sub(1, Ordering::SeqCst);
                            role = consumer.try_release();
                        }
                    }
                })
            };
            let a = send(1);
            let b = send(2);
            a.join().unwrap();
            b.join().unwrap();
            assert_eq!(seen.load(Ordering::SeqCst), 2);
            assert!(mailbox.try_acquire().is_some(), "idle at the end");
        });
    }

    /// A message is either accepted before the end, and then found by the consumer that closes, or refused.
    #[test]
    fn loom_a_send_during_close_is_kept_or_refused() {
        loom::model(|| {
            let mailbox = Arc::new(Mailbox::new(()));
            let mut consumer = mailbox.try_acquire().unwrap();
            let other = mailbox.clone();
            let sender = loom::thread::spawn(move || {
                match other.push(Message::empty(1, ptype::TEXT, 1), Class::UNPOOLED) {
                    Pushed::Queued => 1,
                    Pushed::Closed => 0,
                    Pushed::Schedule(_) => panic!("the closer is the consumer"),
                }
            });
            consumer.close();
            let mut found = 0;
            while consumer.pop().is_some() {
                found += 1;
            }
            assert_eq!(found, sender.join().unwrap());
        });
    }

    /// Retirement: one side sets a flag and tries to acquire, the other releases, looks at the flag and tries to acquire.
    /// Exactly one of them ends the service.
    #[test]
    fn loom_a_retired_service_is_ended_exactly_once() {
        use loom::sync::atomic::AtomicBool;
        loom::model(|| {
            let world = Arc::new((
                Mailbox::new(()),
                AtomicBool::new(false),
                AtomicUsize::new(0),
            ));
            let consumer = world.0.try_acquire().unwrap();
            let other = world.clone();
            let retiring = loom::thread::spawn(move || {
                let (mailbox, retired, ended) = &*other;
                retired.store(true, Ordering::SeqCst);
                if mailbox.try_acquire().is_some() {
                    ended.fetch_add(1, Ordering::SeqCst);
                }
            });
            let (mailbox, retired, ended) = &*world;
            // The end of a turn, as in `service::turn`.
            assert!(consumer.try_release().is_none(), "nothing was sent");
            if retired.load(Ordering::SeqCst) && mailbox.try_acquire().is_some() {
                ended.fetch_add(1, Ordering::SeqCst);
            }
            retiring.join().unwrap();
            assert_eq!(ended.load(Ordering::SeqCst), 1);
        });
    }
}
