//! Which workers sleep, and which one searches: the word that senders look at after they made a service ready.
//!
//! One word holds how many workers sleep, and which one searches for work in the place of all ("the searcher"). A sender
//! wakes a worker only when one sleeps and there is no searcher, and the woken worker is the searcher from then on: so
//! a burst wakes one worker, which wakes the next when it has found work. Other workers may search besides; they go to
//! sleep when they find nothing.
//!
//! No wake-up is lost: a sender first publishes the work, then looks at the word; a worker first counts as asleep and is
//! not the searcher any more, then looks at all queues once more. All four are sequentially consistent, so one of them
//! sees the other.
//!
//! Nothing here is locked, so that no thread waits for a worker that stops in here. What such a worker leaves behind is a
//! searcher that does not search, and [`super::watchdog`] takes that away from it ([`Idle::clear_searcher`]); or a count
//! that is one too high, for which senders look for a sleeper in vain until the worker goes on.

use super::park::{Ended, Parker};
use crate::base::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::base::sync::{order_for_loom, stop_point};

const ASLEEP: u32 = 1 << 16;
const SEARCHER: u32 = ASLEEP - 1;

/// See the module's documentation.
pub(super) struct Idle {
    /// Number of workers that sleep, at least, and index + 1 of the searcher.
    word: AtomicU32,
    parkers: Box<[Parker]>,
    /// The worker that went to sleep last, probably: its caches are the warmest.
    last: AtomicUsize,
}

impl Idle {
    pub(super) fn new(parkers: Box<[Parker]>) -> Idle {
        Idle {
            word: AtomicU32::new(0),
            parkers,
            last: AtomicUsize::new(0),
        }
    }

    /// Where worker `index` sleeps.
    pub(super) fn parker(&self, index: usize) -> &Parker {
        &self.parkers[index]
    }

    /// After work was published: whether to call [`Idle::notify_one`].
    #[inline]
    pub(super) fn should_notify(&self) -> bool {
        order_for_loom();
        let word = self.word.load(Ordering::SeqCst);
        word >= ASLEEP && word & SEARCHER == 0
    }

    /// Wakes a sleeping worker and makes it the searcher, if there is none; one that waits for socket events only if no
    /// other sleeps. False if none was woken.
    #[cold]
    pub(super) fn notify_one(&self) -> bool {
        let count = self.parkers.len();
        let last = self.last.load(Ordering::Relaxed);
        for polling in [false, true] {
            for i in 0..count {
                let index = (last + i) % count;
                let parker = &self.parkers[index];
                if !parker.is_listed(polling) {
                    continue;
                }
                if !self.set_searcher(index) {
                    return false;
                }
                stop_point();
                if parker.take() {
                    stop_point();
                    self.word.fetch_sub(ASLEEP, Ordering::SeqCst);
                    return true;
                }
                stop_point();
                // It woke up by itself.
                self.clear_searcher(index);
            }
        }
        false
    }

    /// Makes `index` the searcher. False if there is one.
    fn set_searcher(&self, index: usize) -> bool {
        self.update(|word| (word & SEARCHER == 0).then_some(word | (index as u32 + 1)))
    }

    /// `index` is not the searcher any more. False if it was not.
    pub(super) fn clear_searcher(&self, index: usize) -> bool {
        self.update(|word| (word & SEARCHER == index as u32 + 1).then_some(word & !SEARCHER))
    }

    fn update(&self, change: impl Fn(u32) -> Option<u32>) -> bool {
        let mut word = self.word.load(Ordering::SeqCst);
        loop {
            let Some(new) = change(word) else {
                return false;
            };
            match self
                .word
                .compare_exchange(word, new, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Worker `index` begins to search.
    pub(super) fn transition_to_searching(&self, index: usize) {
        self.set_searcher(index);
    }

    /// Worker `index` has found work. True if it was the searcher: there may be work for another.
    pub(super) fn transition_from_searching(&self, index: usize) -> bool {
        self.clear_searcher(index)
    }

    /// Worker `index` counts as asleep from now on, in a wait for socket events if it `polls`. It looks at all queues
    /// after this and before it sleeps. False if it had been woken already: it does not count as asleep.
    pub(super) fn transition_to_parked(&self, index: usize, polls: bool) -> bool {
        self.update(|word| {
            let searcher = word & SEARCHER;
            let rest = if searcher == index as u32 + 1 {
                0
            } else {
                searcher
            };
            Some(((word & !SEARCHER) + ASLEEP) | rest)
        });
        stop_point();
        if !self.parkers[index].list(polls) {
            stop_point();
            self.word.fetch_sub(ASLEEP, Ordering::SeqCst);
            return false;
        }
        if !polls {
            self.last.store(index, Ordering::Relaxed);
        }
        order_for_loom();
        stop_point();
        true
    }

    /// Worker `index`, which was listed, is awake and searches. True if it was woken, false if its wait ended by itself.
    pub(super) fn transition_from_parked(&self, index: usize) -> bool {
        let ended = self.parkers[index].end();
        if ended != Ended::Taken {
            stop_point();
            self.word.fetch_sub(ASLEEP, Ordering::SeqCst);
        }
        stop_point();
        self.transition_to_searching(index);
        stop_point();
        ended != Ended::ByItself
    }

    /// Worker `index` does not run although its sleep is over: others are woken before it.
    pub(super) fn pass_over(&self, index: usize) {
        let next = (index + 1) % self.parkers.len();
        let (passed, kept) = (Ordering::Relaxed, Ordering::Relaxed);
        // Only a hint, like the order itself.
        let _ = self.last.compare_exchange(index, next, passed, kept);
    }

    /// Whether a worker searches or sleeps.
    pub(super) fn has_idle_worker(&self) -> bool {
        self.word.load(Ordering::SeqCst) != 0
    }

    /// Whether `index` is the searcher.
    pub(super) fn is_searcher(&self, index: usize) -> bool {
        self.searcher() == Some(index)
    }

    pub(super) fn searcher(&self) -> Option<usize> {
        ((self.word.load(Ordering::SeqCst) & SEARCHER) as usize).checked_sub(1)
    }

    /// Whether each worker in its turn was seen asleep, and not about to wake up.
    pub(super) fn all_listed(&self) -> bool {
        order_for_loom();
        let listed = |parker: &Parker| parker.is_listed(false) || parker.is_listed(true);
        self.parkers.iter().all(listed)
    }

    /// Number of workers that sleep, at least.
    pub(super) fn asleep(&self) -> usize {
        (self.word.load(Ordering::SeqCst) / ASLEEP) as usize
    }
}
