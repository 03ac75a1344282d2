//! The right to deliver timers. One thread has it at a time, so that timers keep their order; a thread that does not go on
//! loses it to another.
//!
//! Whoever has it takes one timer after the other (a few at a time when there are many), under the lock of the wheel,
//! and looks there whether it still has the right ([`Lease::holds`]). So when another takes the right away
//! ([`Lease::take_from`]), what is left with the thread that stopped is what it had taken last and not yet sent, which keeps its
//! order too ([`super::hands`]).

use crate::base::sync::atomic::{AtomicU64, Ordering};

const NOBODY: u64 = 0;

/// See the module's documentation.
pub struct Lease {
    holder: AtomicU64,
    /// Numbers of holders that were given out.
    given: AtomicU64,
    /// Changes with each timer that is taken. Only a hint whether the holder goes on.
    steps: AtomicU64,
}

/// The right itself, as long as no other thread takes it away.
pub struct Turn(u64);

impl Turn {
    /// No other turn has this number.
    #[inline]
    pub fn number(&self) -> u64 {
        self.0
    }
}

/// How far the holder was.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    holder: u64,
    steps: u64,
}

impl Lease {
    pub fn new() -> Lease {
        Lease {
            holder: AtomicU64::new(NOBODY),
            given: AtomicU64::new(NOBODY),
            steps: AtomicU64::new(0),
        }
    }

    /// The right, if no thread has it.
    pub fn try_take(&self) -> Option<Turn> {
        if self.holder.load(Ordering::Relaxed) != NOBODY {
            return None;
        }
        self.replace(NOBODY)
    }

    /// The right of the holder that has not gone on since `seen`.
    pub fn take_from(&self, seen: Progress) -> Option<Turn> {
        if self.progress() != seen {
            return None;
        }
        self.replace(seen.holder)
    }

    fn replace(&self, before: u64) -> Option<Turn> {
        let turn = self.given.fetch_add(1, Ordering::Relaxed) + 1;
        let (taken, free) = (Ordering::AcqRel, Ordering::Relaxed);
        let replaced = self.holder.compare_exchange(before, turn, taken, free);
        replaced.is_ok().then_some(Turn(turn))
    }

    /// Under the lock of what is taken, before each: whether the right is still there.
    #[inline]
    pub fn holds(&self, turn: &Turn) -> bool {
        // One holder: no need for an atomic addition, and one that lost the right does no harm.
        let steps = self.steps.load(Ordering::Relaxed).wrapping_add(1);
        self.steps.store(steps, Ordering::Relaxed);
        self.holder.load(Ordering::Acquire) == turn.0
    }

    /// The end, unless another thread has taken the right away.
    pub fn give_back(&self, turn: Turn) {
        let (free, relaxed) = (Ordering::Release, Ordering::Relaxed);
        let _ = self.holder.compare_exchange(turn.0, NOBODY, free, relaxed);
    }

    pub fn progress(&self) -> Progress {
        Progress {
            holder: self.holder.load(Ordering::Relaxed),
            steps: self.steps.load(Ordering::Relaxed),
        }
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use crate::base::sync::{stop_point, stopping_at};
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    struct Timers {
        lease: Lease,
        due: Mutex<Vec<u32>>,
        /// With the number of the turn.
        sent: Mutex<Vec<(u64, u32)>>,
    }

    impl Timers {
        fn new() -> Arc<Timers> {
            Arc::new(Timers {
                lease: Lease::new(),
                due: Mutex::new(vec![3, 2, 1]),
                sent: Mutex::default(),
            })
        }

        fn deliver(&self, turn: Turn) {
            loop {
                stop_point();
                let mut due = self.due.lock().unwrap();
                if !self.lease.holds(&turn) {
                    return;
                }
                let Some(timer) = due.pop() else { break };
                drop(due);
                stop_point();
                self.sent.lock().unwrap().push((turn.number(), timer));
            }
            stop_point();
            self.lease.give_back(turn);
        }

        fn sent(&self) -> Vec<(u64, u32)> {
            self.sent.lock().unwrap().clone()
        }
    }

    #[test]
    fn loom_timers_are_sent_once_and_in_their_order() {
        loom::model(|| {
            let timers = Timers::new();
            let other = timers.clone();
            let deliver = |timers: &Timers| {
                if let Some(turn) = timers.lease.try_take() {
                    timers.deliver(turn);
                }
            };
            let thread = thread::spawn(move || deliver(&other));
            deliver(&timers);
            thread.join().unwrap();
            let sent: Vec<u32> = timers.sent().into_iter().map(|(_, timer)| timer).collect();
            assert_eq!(sent, [1, 2, 3]);
        });
    }

    /// What the thread that stops has in its hand is one timer; all others are sent, in their order, by the one that takes
    /// its place.
    #[test]
    fn loom_timers_do_not_wait_for_a_thread_that_stops_while_it_delivers() {
        for point in 1..9 {
            loom::model(move || {
                let timers = Timers::new();
                let other = timers.clone();
                // It delivers already, whatever loom makes of the rest.
                let turn = timers.lease.try_take().expect("no thread has it");
                let stops = thread::spawn(move || {
                    stopping_at(point, || other.deliver(turn));
                });
                // Its patience may be over at any time.
                let seen = timers.lease.progress();
                if let Some(turn) = timers.lease.take_from(seen) {
                    timers.deliver(turn);
                    let sent = timers.sent();
                    assert!(sent.len() >= 2, "{sent:?}");
                }
                stops.join().unwrap();
                // Once each, and nothing is taken by a turn that another one has followed.
                let mut sent = timers.sent();
                sent.sort_by_key(|(turn, _)| *turn);
                assert!(sent.is_sorted_by(|(_, a), (_, b)| a < b), "{sent:?}");
            });
        }
    }
}
