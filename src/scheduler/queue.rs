//! The run queue of one worker: a ring that its worker fills, and from which everybody takes.
//!
//! The owner pushes at `tail` (a plain store, published with release). Owner and thieves take at `head` with one
//! compare-and-swap, one service at a time. A slot is written again only after `head` has passed it, so what was read before a
//! successful exchange was still there.
//!
//! Pushing needs the owner's half, [`Producer`], of which there is one.

use super::Ready;
use crate::base::not_impl::assert_not_impl;
use crate::base::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use crate::base::sync::stop_point;
use std::marker::PhantomData;
use std::ptr::NonNull;

/// Slots of a ring. Small under loom, so that a model reaches the wrap.
const SIZE: usize = if cfg!(feature = "loom") { 4 } else { 256 };

/// See the module's documentation.
#[repr(align(64))]
pub(super) struct RunQueue {
    head: AtomicU32,
    tail: AtomicU32,
    slots: Box<[AtomicPtr<()>]>,
}

/// The half of the owner, which alone adds to the ring, and only on its own thread.
#[derive(Clone, Copy)]
pub(super) struct Producer<'a> {
    ring: &'a RunQueue,
    thread: PhantomData<*const ()>,
}

assert_not_impl!(Producer<'_>, Send);

impl RunQueue {
    pub(super) fn new() -> RunQueue {
        RunQueue {
            head: AtomicU32::new(0),
            tail: AtomicU32::new(0),
            slots: (0..SIZE)
                .map(|_| AtomicPtr::new(std::ptr::null_mut()))
                .collect(),
        }
    }

    #[inline]
    fn slot(&self, at: u32) -> &AtomicPtr<()> {
        &self.slots[at as usize % SIZE]
    }

    /// # Safety
    /// All answers are on one thread at a time.
    #[inline(always)]
    pub(super) unsafe fn producer(&self) -> Producer<'_> {
        Producer {
            ring: self,
            thread: PhantomData,
        }
    }

    /// Takes the oldest.
    #[inline]
    pub(super) fn pop(&self) -> Option<Ready> {
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            if head == self.tail.load(Ordering::Acquire) {
                return None;
            }
            let ready = self.slot(head).load(Ordering::Relaxed);
            stop_point();
            match self.head.compare_exchange(
                head,
                head.wrapping_add(1),
                Ordering::SeqCst,
                Ordering::Acquire,
            ) {
                // SAFETY: the exchange took this slot from its ring, and what was in it had been put there by `push`.
                Ok(_) => return Some(unsafe { Ready::from_raw(NonNull::new_unchecked(ready)) }),
                Err(now) => head = now,
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        let head = self.head.load(Ordering::Acquire);
        let len = self.tail.load(Ordering::Acquire).wrapping_sub(head) as usize;
        // `tail` may have gone on meanwhile, and others taken from it.
        len.min(SIZE)
    }

    /// True if nothing is there.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head.load(Ordering::SeqCst) == self.tail.load(Ordering::SeqCst)
    }
}

impl Producer<'_> {
    /// Adds at the end; gives it back if the ring is full.
    #[inline]
    pub(super) fn push(self, ready: Ready) -> Result<(), Ready> {
        let ring = self.ring;
        let tail = ring.tail.load(Ordering::Relaxed);
        let head = ring.head.load(Ordering::Acquire);
        if tail.wrapping_sub(head) as usize >= SIZE {
            return Err(ready);
        }
        stop_point();
        ring.slot(tail)
            .store(ready.into_raw().as_ptr(), Ordering::Relaxed);
        stop_point();
        ring.tail.store(tail.wrapping_add(1), Ordering::SeqCst);
        Ok(())
    }

    /// Whether a push would succeed.
    fn has_room(self) -> bool {
        let head = self.ring.head.load(Ordering::Acquire);
        (self.ring.tail.load(Ordering::Relaxed).wrapping_sub(head) as usize) < SIZE
    }

    /// Moves half of what another ring has (at least one) here, and takes the oldest.
    ///
    /// One by one: a thief that is preempted in between holds one service, and the others find the rest in either ring. Half of
    /// the ring by a single exchange would be nowhere until the thief goes on.
    pub(super) fn steal_from(self, victim: &RunQueue) -> Option<Ready> {
        let len = victim.len();
        for _ in 0..len - len / 2 {
            if !self.has_room() {
                break;
            }
            let Some(ready) = victim.pop() else { break };
            if let Err(ready) = self.push(ready) {
                // Not after `has_room`: other threads only make room.
                return Some(ready);
            }
            stop_point();
        }
        self.ring.pop()
    }
}

#[cfg(test)]
pub fn item(i: usize) -> Ready {
    let number = std::num::NonZero::new(i * 8 + 8).unwrap();
    // SAFETY: it is never run.
    unsafe { Ready::from_raw(NonNull::without_provenance(number)) }
}

/// What [`item`] was made of.
#[cfg(test)]
pub fn number(ready: Ready) -> usize {
    ready.into_raw().addr().get() / 8 - 1
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn first_in_first_out_until_full_and_across_the_wrap() {
        let queue = RunQueue::new();
        // SAFETY: this thread alone.
        let owner = unsafe { queue.producer() };
        for round in 0..3 {
            for i in 0..SIZE {
                owner.push(item(round * SIZE + i)).unwrap();
            }
            assert_eq!(owner.push(item(0)), Err(item(0)), "full");
            for i in 0..SIZE {
                assert_eq!(queue.pop(), Some(item(round * SIZE + i)));
            }
            assert_eq!(queue.pop(), None);
        }
    }

    #[test]
    fn a_thief_takes_the_older_half() {
        let (a, b) = (RunQueue::new(), RunQueue::new());
        // SAFETY: this thread alone.
        let (owner, thief) = unsafe { (a.producer(), b.producer()) };
        for i in 0..10 {
            owner.push(item(i)).unwrap();
        }
        assert_eq!(thief.steal_from(&a), Some(item(0)));
        let stolen: Vec<_> = std::iter::from_fn(|| b.pop()).collect();
        assert_eq!(stolen, (1..5).map(item).collect::<Vec<_>>());
        assert_eq!(a.pop(), Some(item(5)));
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    /// Owner and thief take from the same ring across its wrap: each item leaves exactly once.
    #[test]
    fn loom_each_item_is_taken_exactly_once() {
        loom::model(|| {
            let queue = Arc::new(RunQueue::new());
            // SAFETY: this thread alone.
            let owner = unsafe { queue.producer() };
            owner.push(item(0)).unwrap();
            owner.push(item(1)).unwrap();
            let thief = {
                let queue = queue.clone();
                loom::thread::spawn(move || {
                    let own = RunQueue::new();
                    let mut got = Vec::new();
                    // SAFETY: a ring of this thread.
                    got.extend(unsafe { own.producer() }.steal_from(&queue));
                    got.extend(std::iter::from_fn(|| own.pop()));
                    got
                })
            };
            let mut got = Vec::new();
            got.extend(queue.pop());
            for i in 2..5 {
                assert!(owner.push(item(i)).is_ok() || i >= 4);
            }
            got.extend(thief.join().unwrap());
            got.extend(std::iter::from_fn(|| queue.pop()));
            let mut got: Vec<_> = got.into_iter().map(number).collect();
            got.sort_unstable();
            assert!(got.windows(2).all(|w| w[0] != w[1]), "taken twice: {got:?}");
            assert!(got.len() >= 4, "lost: {got:?}");
        });
    }

    /// A thief stops for ever, wherever it is: all but the one that it holds are in one of the rings.
    #[test]
    fn loom_a_thief_that_stops_hides_one() {
        for point in 1..14 {
            loom::model(move || {
                let queue = Arc::new(RunQueue::new());
                let own = Arc::new(RunQueue::new());
                for i in 0..4 {
                    // SAFETY: this thread alone.
                    unsafe { queue.producer() }.push(item(i)).unwrap();
                }
                let thief = {
                    let (queue, own) = (queue.clone(), own.clone());
                    loom::thread::spawn(move || {
                        crate::base::sync::stopping_at(point, || {
                            // SAFETY: no other thread adds to that ring.
                            drop(unsafe { own.producer() }.steal_from(&queue));
                        });
                    })
                };
                let mut got: Vec<_> = queue.pop().into_iter().collect();
                thief.join().unwrap();
                got.extend(std::iter::from_fn(|| queue.pop().or_else(|| own.pop())));
                let mut got: Vec<_> = got.into_iter().map(number).collect();
                got.sort_unstable();
                assert!(got.windows(2).all(|w| w[0] != w[1]), "taken twice: {got:?}");
                assert!(got.len() >= 3, "hidden: {got:?}");
            });
        }
    }
}
