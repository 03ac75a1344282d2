//! Which thread polls the sockets: one word that says whether one does, and whether the socket thread waits for its end.
//!
//! | word | meaning |
//! |---|---|
//! | `FREE` | no thread polls |
//! | `HELD` | one runs a turn |
//! | `AWAITED` | one does, and the socket thread sleeps until the lock is given back: the holder wakes it |
//! | `WAITS` | the socket thread waits for events: it runs the next turn, or a stand-in does if that thread does not run |
//!
//! The step from `HELD` to `AWAITED` and the return to `FREE` or `WAITS` are updates of the same word, so either the holder sees
//! that it is awaited, or the socket thread sees that the lock is not held: it never sleeps beside a free lock. A thread that stops in
//! a wait holds nothing.

use crate::base::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
const AWAITED: u32 = 2;
const WAITS: u32 = 3;

/// See the module's documentation.
pub struct PollerLock(AtomicU32);

/// What the word was before a stand-in took the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before(u32);

impl Default for PollerLock {
    fn default() -> PollerLock {
        PollerLock::new()
    }
}

impl PollerLock {
    /// A free lock.
    pub fn new() -> PollerLock {
        PollerLock(AtomicU32::new(FREE))
    }

    fn take_from(&self, word: u32) -> bool {
        self.0
            .compare_exchange(word, HELD, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Any thread: takes the lock if it is free.
    pub fn try_take(&self) -> bool {
        self.take_from(FREE)
    }

    /// Whether the lock is free at the moment.
    pub fn is_free(&self) -> bool {
        self.0.load(Ordering::SeqCst) == FREE
    }

    /// The socket thread only, which holds the lock: it gives it up for the time of a wait for events. Workers do not poll
    /// meanwhile.
    pub fn begin_wait(&self) {
        self.0.store(WAITS, Ordering::SeqCst);
    }

    /// A stand-in: takes the lock if no thread runs a turn.
    pub fn stand_in(&self) -> Option<Before> {
        [WAITS, FREE]
            .into_iter()
            .find(|word| self.take_from(*word))
            .map(Before)
    }

    /// The stand-in: leaves the lock as it was `before`. `true`: the socket thread is to be woken.
    #[must_use]
    pub fn leave(&self, before: Before) -> bool {
        self.0.swap(before.0, Ordering::Release) == AWAITED
    }

    /// The socket thread only: takes the lock, after a wait too, or marks it as awaited. `false`: it may sleep until the
    /// holder wakes it, and asks again then.
    pub fn take_or_await(&self) -> bool {
        loop {
            if self.take_from(WAITS) || self.try_take() {
                return true;
            }
            match self
                .0
                .compare_exchange(HELD, AWAITED, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) | Err(AWAITED) => return false,
                Err(_) => {}
            }
        }
    }

    /// The holder: gives the lock up. `true`: the socket thread is to be woken.
    #[must_use]
    pub fn give_back(&self) -> bool {
        self.0.swap(FREE, Ordering::Release) == AWAITED
    }
}
