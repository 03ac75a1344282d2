//! The queue of commands to the I/O thread: many producers, one consumer, no lock, and one word that also says whether
//! the consumer sleeps.
//!
//! | word | meaning |
//! |---|---|
//! | `0` | empty, the consumer is awake |
//! | `1` | empty, the consumer sleeps in the kernel: the next producer must wake it |
//! | address | a list of items, newest first |

use crate::base::sync::atomic::{AtomicUsize, Ordering};

const ASLEEP: usize = 1;

struct Item<T> {
    next: *mut Item<T>,
    value: T,
}

/// A lock-free FIFO whose consumer takes everything at once.
pub struct CommandQueue<T> {
    word: AtomicUsize,
    _owns: std::marker::PhantomData<T>,
}

// SAFETY: values only move through the queue, from the thread that pushes to the one that takes.
unsafe impl<T: Send> Sync for CommandQueue<T> {}

impl<T> CommandQueue<T> {
    /// An empty queue with an awake consumer.
    pub fn new() -> CommandQueue<T> {
        CommandQueue {
            word: AtomicUsize::new(0),
            _owns: std::marker::PhantomData,
        }
    }

    /// Appends `value`. `true`: the consumer was asleep, and this caller (and no other) must wake it.
    #[must_use]
    pub fn push(&self, value: T) -> bool {
        let item = Box::into_raw(Box::new(Item {
            next: std::ptr::null_mut(),
            value,
        }));
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            let older = if seen == ASLEEP { 0 } else { seen };
            // SAFETY: the item is not published before the exchange succeeds.
            unsafe { (*item).next = older as *mut Item<T> };
            // Release publishes the item. Acquire on the old list is not needed: this thread never looks inside.
            match self.word.compare_exchange_weak(
                seen,
                item as usize,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return seen == ASLEEP,
                Err(now) => seen = now,
            }
        }
    }

    /// Announces that the consumer, or the worker that waits in its place, is about to sleep. `false`: there is something
    /// to do first.
    pub fn fall_asleep(&self) -> bool {
        let word = self
            .word
            .compare_exchange(0, ASLEEP, Ordering::AcqRel, Ordering::Relaxed);
        matches!(word, Ok(_) | Err(ASLEEP))
    }

    /// Any thread: whether the consumer sleeps, or is about to, and nothing is there.
    pub fn is_asleep(&self) -> bool {
        self.word.load(Ordering::SeqCst) == ASLEEP
    }

    /// Any thread: whether something is there.
    pub fn has_some(&self) -> bool {
        self.word.load(Ordering::Acquire) > ASLEEP
    }

    /// Takes everything, oldest first, and marks the consumer as awake. Only the consumer calls it.
    pub fn take(&self) -> Batch<T> {
        if self.word.load(Ordering::Relaxed) == 0 {
            return Batch {
                next: std::ptr::null_mut(),
            };
        }
        let word = self.word.swap(0, Ordering::Acquire);
        let mut newest = if word == ASLEEP {
            std::ptr::null_mut()
        } else {
            word as *mut Item<T>
        };
        let mut oldest: *mut Item<T> = std::ptr::null_mut();
        while !newest.is_null() {
            // SAFETY: the swap made this thread the only one that has the list.
            let next = unsafe { std::mem::replace(&mut (*newest).next, oldest) };
            oldest = newest;
            newest = next;
        }
        Batch { next: oldest }
    }
}

impl<T> Drop for CommandQueue<T> {
    fn drop(&mut self) {
        drop(self.take());
    }
}

/// What one [`CommandQueue::take`] got, oldest first; the rest is dropped with it.
pub struct Batch<T> {
    next: *mut Item<T>,
}

impl<T> Iterator for Batch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if self.next.is_null() {
            return None;
        }
        // SAFETY: the item came from `Box::into_raw` in `push` and is taken once.
        let item = unsafe { Box::from_raw(self.next) };
        self.next = item.next;
        Some(item.value)
    }
}

impl<T> Drop for Batch<T> {
    fn drop(&mut self) {
        for value in self.by_ref() {
            drop(value);
        }
    }
}
