//! Which thread polls the sockets: one word that says whether one does, and whether the socket thread waits for its end.
//!
//! | word | meaning |
//! |---|---|
//! | `FREE` | no thread polls |
//! | `HELD` | one does |
//! | `AWAITED` | one does, and the socket thread sleeps until the lock is free: the holder wakes it |
//!
//! The step from `HELD` to `AWAITED` and the return to `FREE` are updates of the same word, so either the holder sees that
//! it is awaited, or the socket thread sees that the lock is free: it never sleeps beside a free lock.

use crate::base::sync::atomic::{AtomicU32, Ordering};

const FREE: u32 = 0;
const HELD: u32 = 1;
const AWAITED: u32 = 2;

/// See the module's documentation.
pub struct PollerLock(AtomicU32);

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

    /// Any thread: takes the lock if it is free.
    pub fn try_take(&self) -> bool {
        self.0
            .compare_exchange(FREE, HELD, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    }

    /// Whether the lock is free at the moment.
    pub fn is_free(&self) -> bool {
        self.0.load(Ordering::SeqCst) == FREE
    }

    /// The socket thread only: takes the lock, or marks it as awaited. `false`: it may sleep until the holder
    /// wakes it, and asks again then.
    pub fn take_or_await(&self) -> bool {
        loop {
            if self.try_take() {
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
