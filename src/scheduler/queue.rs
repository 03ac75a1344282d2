//! The run queue of one worker: a ring that its worker fills, and from which everybody takes.
//!
//! The owner pushes at `tail` (a plain store, published with release). Owner and thieves take at `head` with one
//! compare-and-swap, one service at a time. A slot is written again only after `head` has passed it, so what was read before a
//! successful exchange was still there.

use super::Ready;
use crate::base::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use crate::base::sync::stop_point;

/// Slots of a ring. Small under loom, so that a model reaches the wrap.
const SIZE: usize = if cfg!(feature = "loom") { 4 } else { 256 };

/// See the module's documentation.
#[repr(align(64))]
pub(super) struct RunQueue {
    head: AtomicU32,
    tail: AtomicU32,
    slots: Box<[AtomicPtr<Ready>]>,
}

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
    fn slot(&self, at: u32) -> &AtomicPtr<Ready> {
        &self.slots[at as usize % SIZE]
    }

    /// Owner: adds at the end. False if the ring is full.
    #[inline]
    pub(super) fn push(&self, ready: *mut Ready) -> bool {
        let tail = self.tail.load(Ordering::Relaxed);
        let head = self.head.load(Ordering::Acquire);
        if tail.wrapping_sub(head) as usize >= SIZE {
            return false;
        }
        stop_point();
        self.slot(tail).store(ready, Ordering::Relaxed);
        stop_point();
        self.tail.store(tail.wrapping_add(1), Ordering::SeqCst);
        true
    }

    /// Any thread: takes the oldest.
    #[inline]
    pub(super) fn pop(&self) -> Option<*mut Ready> {
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
                Ok(_) => return Some(ready),
                Err(now) => head = now,
            }
        }
    }

    /// Owner: whether a push would succeed.
    pub(super) fn has_room(&self) -> bool {
        let head = self.head.load(Ordering::Acquire);
        (self.tail.load(Ordering::Relaxed).wrapping_sub(head) as usize) < SIZE
    }

    /// Any thread: how many there are.
    pub(super) fn len(&self) -> usize {
        let head = self.head.load(Ordering::Acquire);
        let len = self.tail.load(Ordering::Acquire).wrapping_sub(head) as usize;
        // `tail` may have gone on meanwhile, and others taken from it.
        len.min(SIZE)
    }

    /// Any thread: moves half of what is there (at least one) to `into`, which the caller owns, and takes the oldest.
    ///
    /// One by one: a thief that is preempted in between holds one service, and the others find the rest in either ring. Half of
    /// the ring by a single exchange would be nowhere until the thief goes on.
    pub(super) fn steal(&self, into: &RunQueue) -> Option<*mut Ready> {
        let len = self.len();
        for _ in 0..len - len / 2 {
            if !into.has_room() {
                break;
            }
            let Some(ready) = self.pop() else { break };
            into.push(ready);
            stop_point();
        }
        into.pop()
    }

    /// Any thread: true if nothing is there.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head.load(Ordering::SeqCst) == self.tail.load(Ordering::SeqCst)
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn item(i: usize) -> *mut Ready {
        std::ptr::without_provenance_mut(i * 8 + 8)
    }

    #[test]
    fn first_in_first_out_until_full_and_across_the_wrap() {
        let queue = RunQueue::new();
        for round in 0..3 {
            for i in 0..SIZE {
                assert!(queue.push(item(round * SIZE + i)));
            }
            assert!(!queue.push(item(0)), "full");
            for i in 0..SIZE {
                assert_eq!(queue.pop(), Some(item(round * SIZE + i)));
            }
            assert_eq!(queue.pop(), None);
        }
    }

    #[test]
    fn a_thief_takes_the_older_half() {
        let (a, b) = (RunQueue::new(), RunQueue::new());
        for i in 0..10 {
            a.push(item(i));
        }
        assert_eq!(a.steal(&b), Some(item(0)));
        let stolen: Vec<_> = std::iter::from_fn(|| b.pop()).collect();
        assert_eq!(stolen, (1..5).map(item).collect::<Vec<_>>());
        assert_eq!(a.pop(), Some(item(5)));
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    fn item(i: usize) -> *mut Ready {
        std::ptr::without_provenance_mut(i * 8 + 8)
    }

    /// Owner and thief take from the same ring across its wrap: each item leaves exactly once.
    #[test]
    fn loom_each_item_is_taken_exactly_once() {
        loom::model(|| {
            let queue = Arc::new(RunQueue::new());
            queue.push(item(0));
            queue.push(item(1));
            let thief = {
                let queue = queue.clone();
                loom::thread::spawn(move || {
                    let own = RunQueue::new();
                    let mut got = Vec::new();
                    got.extend(queue.steal(&own));
                    got.extend(std::iter::from_fn(|| own.pop()));
                    got
                })
            };
            let mut got = Vec::new();
            got.extend(queue.pop());
            for i in 2..5 {
                assert!(queue.push(item(i)) || i >= 4);
            }
            got.extend(thief.join().unwrap());
            got.extend(std::iter::from_fn(|| queue.pop()));
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
                    queue.push(item(i));
                }
                let thief = {
                    let (queue, own) = (queue.clone(), own.clone());
                    loom::thread::spawn(move || {
                        crate::base::sync::stopping_at(point, || {
                            queue.steal(&own);
                        });
                    })
                };
                let mut got: Vec<_> = queue.pop().into_iter().collect();
                thief.join().unwrap();
                got.extend(std::iter::from_fn(|| queue.pop().or_else(|| own.pop())));
                got.sort_unstable();
                assert!(got.windows(2).all(|w| w[0] != w[1]), "taken twice: {got:?}");
                assert!(got.len() >= 3, "hidden: {got:?}");
            });
        }
    }
}
