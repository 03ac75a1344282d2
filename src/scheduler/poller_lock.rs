//! Which thread polls the sockets: one word that says whether one does, and whether the socket thread waits for its end.
//!
//! | state | meaning |
//! |---|---|
//! | `FREE` | no thread polls |
//! | `HELD` | one runs a turn |
//! | `AWAITED` | one does, and the socket thread sleeps until the lock is given back: the holder wakes it |
//! | `WAITS` | the socket thread waits for events: it runs the next turn, or a stand-in does if that thread does not run |
//!
//! Beside the state is a number, another one each time the lock is taken ([`Right`]).
//!
//! The step from `HELD` to `AWAITED` and the return to `FREE` or `WAITS` are updates of the same word, so either the holder sees
//! that it is awaited, or the socket thread sees that the lock is not held: it never sleeps beside a free lock. A thread that stops in
//! a wait holds nothing.
//!
//! **The lock protects nothing**: what a turn touches has locks of its own, for which no thread waits. It is there so that one thread does what
//! one can do. So it is taken away ([`PollerLock::take_from`]) from a holder that does not go on, which finds that out
//! ([`PollerLock::holds`]) before its next step.

use crate::base::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::base::sync::stop_point;

const FREE: u64 = 0;
const HELD: u64 = 1;
const AWAITED: u64 = 2;
const WAITS: u64 = 3;
const STATE: u64 = 3;

/// See the module's documentation.
pub struct PollerLock {
    word: AtomicU64,
    /// Changes with each step of the holder. Only a hint whether it goes on.
    steps: AtomicU32,
}

/// The right to run a turn, as long as no other thread takes it away.
#[derive(Debug, PartialEq, Eq)]
pub struct Right(u64);

/// What the state was before a stand-in took the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before(u64);

/// How far the turns are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    word: u64,
    steps: u32,
}

/// Which turn was the last one, while none was under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Last(Option<u64>);

impl Before {
    /// It was taken from a holder that did not go on ([`PollerLock::take_from`]).
    pub const TAKEN_AWAY: Before = Before(FREE);
}

impl Right {
    /// This turn, as the last one of a thread that gives the lock back now.
    pub fn as_last(&self) -> Last {
        Last(Some(self.0))
    }

    /// Whether this is the turn behind that one, with none in between.
    pub fn is_next(&self, last: Last) -> bool {
        last.0 == Some(self.0.wrapping_sub(1) & (u64::MAX >> 2))
    }
}

fn is_held(word: u64) -> bool {
    matches!(word & STATE, HELD | AWAITED)
}

impl Default for PollerLock {
    fn default() -> PollerLock {
        PollerLock::new()
    }
}

impl PollerLock {
    /// A free lock.
    pub fn new() -> PollerLock {
        PollerLock {
            word: AtomicU64::new(FREE),
            steps: AtomicU32::new(0),
        }
    }

    /// The lock with a new number, if the word is still the one that was seen.
    fn replace(&self, seen: u64, state: u64) -> Result<Right, u64> {
        stop_point();
        let number = (seen >> 2).wrapping_add(1) & (u64::MAX >> 2);
        self.word
            .compare_exchange(
                seen,
                number << 2 | state,
                Ordering::SeqCst,
                Ordering::SeqCst,
            )
            .map(|_| Right(number))
    }

    fn take_in(&self, state: u64) -> Option<Right> {
        let mut seen = self.word.load(Ordering::SeqCst);
        while seen & STATE == state {
            match self.replace(seen, HELD) {
                Ok(right) => return Some(right),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// Any thread: takes the lock if it is free.
    pub fn try_take(&self) -> Option<Right> {
        self.take_in(FREE)
    }

    /// Whether the lock is free at the moment.
    pub fn is_free(&self) -> bool {
        self.word.load(Ordering::SeqCst) & STATE == FREE
    }

    /// The last turn; none if one is under way.
    pub fn last(&self) -> Last {
        let word = self.word.load(Ordering::SeqCst);
        Last((!is_held(word)).then_some(word >> 2))
    }

    /// Whether the right is still there. Shows that its holder goes on.
    #[inline]
    pub fn holds(&self, right: &Right) -> bool {
        stop_point();
        // One holder: no need for an atomic addition, and one that lost the right does no harm.
        let steps = self.steps.load(Ordering::Relaxed).wrapping_add(1);
        self.steps.store(steps, Ordering::Relaxed);
        self.word.load(Ordering::Acquire) >> 2 == right.0
    }

    /// How far the holder is, if there is one.
    pub fn progress(&self) -> Progress {
        Progress {
            word: self.word.load(Ordering::SeqCst),
            steps: self.steps.load(Ordering::Relaxed),
        }
    }

    /// Any thread: takes the lock from a holder that has not gone on since `seen`. Whether the socket thread waits for it stays
    /// as it was.
    pub fn take_from(&self, seen: Progress) -> Option<Right> {
        if !is_held(seen.word) || self.progress() != seen {
            return None;
        }
        self.replace(seen.word, seen.word & STATE).ok()
    }

    /// Leaves the lock in this state. The state before; `None`: another thread has taken it away.
    fn leave_in(&self, right: Right, state: u64) -> Option<u64> {
        stop_point();
        let mut seen = self.word.load(Ordering::Relaxed);
        while seen >> 2 == right.0 {
            match self.word.compare_exchange(
                seen,
                seen & !STATE | state,
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(seen & STATE),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// The socket thread only, which holds the lock: it gives it up for the time of a wait for events. Workers do not poll
    /// meanwhile. `false`: another thread has taken the lock away.
    pub fn begin_wait(&self, right: Right) -> bool {
        // No other thread awaits the lock.
        self.leave_in(right, WAITS).is_some()
    }

    /// A stand-in: takes the lock if no thread runs a turn.
    pub fn stand_in(&self) -> Option<(Right, Before)> {
        [WAITS, FREE]
            .into_iter()
            .find_map(|state| Some((self.take_in(state)?, Before(state))))
    }

    /// The stand-in: leaves the lock as it was `before`. `true`: the socket thread is to be woken.
    #[must_use]
    pub fn leave(&self, right: Right, before: Before) -> bool {
        self.leave_in(right, before.0) == Some(AWAITED)
    }

    /// The socket thread only: takes the lock, after a wait too, or marks it as awaited. `None`: it may sleep until the
    /// holder wakes it, and asks again then; but not for ever, as the holder may be stopped.
    pub fn take_or_await(&self) -> Option<Right> {
        let mut seen = self.word.load(Ordering::SeqCst);
        loop {
            let next = match seen & STATE {
                AWAITED => return None,
                HELD => seen & !STATE | AWAITED,
                _ => match self.replace(seen, HELD) {
                    Ok(right) => return Some(right),
                    Err(now) => {
                        seen = now;
                        continue;
                    }
                },
            };
            match self
                .word
                .compare_exchange(seen, next, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => return None,
                Err(now) => seen = now,
            }
        }
    }

    /// The holder: gives the lock up. `true`: the socket thread is to be woken.
    #[must_use]
    pub fn give_back(&self, right: Right) -> bool {
        self.leave_in(right, FREE) == Some(AWAITED)
    }
}
