//! Who sleeps, who searches: the word that senders look at after they made a service ready.
//!
//! One word holds two counts: workers that sleep and workers that are awake without work ("searching"). A sender wakes
//! somebody only when nobody searches and somebody sleeps, so a burst wakes one worker, which wakes the next when it
//! has found work. The list of sleepers and the count of them change together, under the mutex.
//!
//! No wake-up is lost: a sender first publishes the work, then looks at the word; a worker first counts as asleep,
//! then looks at all queues once more. All four are sequentially consistent, so one of them sees the other.

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::{Mutex, order_for_loom};

const ASLEEP: u32 = 1 << 16;
const SEARCHING: u32 = 1;

/// See the module's documentation.
pub(super) struct Idle {
    word: AtomicU32,
    sleepers: Mutex<Vec<usize>>,
}

impl Idle {
    pub(super) fn new() -> Idle {
        Idle {
            word: AtomicU32::new(0),
            sleepers: Mutex::new(Vec::new()),
        }
    }

    /// After work was published: the sleeper that the caller has to wake, if any. It counts as searching already.
    #[inline]
    pub(super) fn whom_to_wake(&self) -> Option<usize> {
        order_for_loom();
        let word = self.word.load(Ordering::SeqCst);
        if word < ASLEEP || word & (ASLEEP - 1) != 0 {
            None
        } else {
            self.take_sleeper()
        }
    }

    #[cold]
    fn take_sleeper(&self) -> Option<usize> {
        let mut sleepers = self.sleepers.lock();
        if self.searching() != 0 {
            return None;
        }
        let index = sleepers.pop()?;
        self.word.fetch_sub(ASLEEP - SEARCHING, Ordering::SeqCst);
        Some(index)
    }

    /// A worker begins to search.
    pub(super) fn search(&self) {
        self.word.fetch_add(SEARCHING, Ordering::SeqCst);
    }

    /// A searching worker has found work. True if it was the last that searched: there may be work for another.
    pub(super) fn found(&self) -> bool {
        self.word.fetch_sub(SEARCHING, Ordering::SeqCst) & (ASLEEP - 1) == SEARCHING
    }

    /// Searching worker `index` counts as asleep from now on. It looks at all queues after this and before it sleeps.
    /// `last`: others are to be woken before it.
    pub(super) fn give_up(&self, index: usize, last: bool) {
        let mut sleepers = self.sleepers.lock();
        let at = if last { 0 } else { sleepers.len() };
        sleepers.insert(at, index);
        self.word.fetch_add(ASLEEP - SEARCHING, Ordering::SeqCst);
        order_for_loom();
    }

    /// Worker `index` is awake, whoever woke it: it counts as searching.
    pub(super) fn awake(&self, index: usize) {
        let mut sleepers = self.sleepers.lock();
        // Not in the list: a waker took it out and counted it.
        if let Some(at) = sleepers.iter().position(|&i| i == index) {
            sleepers.remove(at);
            self.word.fetch_sub(ASLEEP - SEARCHING, Ordering::SeqCst);
        }
    }

    /// Whether a worker searches or sleeps.
    pub(super) fn someone_idles(&self) -> bool {
        self.word.load(Ordering::SeqCst) != 0
    }

    /// Number of workers that search.
    pub(super) fn searching(&self) -> u32 {
        self.word.load(Ordering::SeqCst) & (ASLEEP - 1)
    }

    /// Number of workers that neither search nor sleep, of `all`.
    pub(super) fn busy(&self, all: usize) -> usize {
        let word = self.word.load(Ordering::SeqCst);
        all.saturating_sub((word / ASLEEP + word % ASLEEP) as usize)
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicBool;

    /// Work that is published while a worker goes to sleep is found by its last look, or its sender wakes somebody.
    #[test]
    fn loom_no_wake_up_is_lost() {
        loom::model(|| {
            let idle = Arc::new(Idle::new());
            let work = Arc::new(AtomicBool::new(false));
            idle.search();
            let sender = {
                let (idle, work) = (idle.clone(), work.clone());
                loom::thread::spawn(move || {
                    work.store(true, Ordering::SeqCst);
                    idle.whom_to_wake()
                })
            };
            idle.give_up(7, false);
            let found = work.load(Ordering::SeqCst);
            let woken = sender.join().unwrap();
            assert!(found || woken == Some(7));
            idle.awake(7);
            assert_eq!(idle.searching(), 1, "counted once, whoever woke it");
            assert_eq!(idle.busy(1), 0);
        });
    }

    /// Two senders at once wake one worker, not two.
    #[test]
    fn loom_a_burst_wakes_one() {
        loom::model(|| {
            let idle = Arc::new(Idle::new());
            for index in 0..2 {
                idle.search();
                idle.give_up(index, false);
            }
            let other = idle.clone();
            let sender = loom::thread::spawn(move || other.whom_to_wake());
            let mine = idle.whom_to_wake();
            let theirs = sender.join().unwrap();
            assert!(mine.is_some() ^ theirs.is_some());
        });
    }
}
