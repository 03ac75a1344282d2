//! Whether nothing is ready and nothing runs: what the jump of a virtual clock waits for.

use super::{SHARED, Shared};
use std::sync::atomic::Ordering;

/// How many turns all workers have had, if all of them sleep and nothing is ready.
///
/// Two answers that are equal mean that between them there was a moment at which nothing was ready and no worker ran a turn:
/// see [`is_still`]. With work that other threads could have made ready in between (the I/O thread), the caller counts that
/// thread's turns likewise.
pub fn look() -> Option<u64> {
    SHARED.get()?.look()
}

impl Shared {
    fn look(&self) -> Option<u64> {
        is_still(
            super::turns,
            || self.anything() || self.any_slot(),
            || self.idle.all_listed(),
        )
    }
}

/// The order of the looks is what counts.
///
/// A worker is listed after its last turn, and ceases to be before it takes anything; it counts a turn when that
/// begins. Suppose that a token is ready or being run when the queues are looked at and found empty. Then a worker has
/// taken it and is not listed at that moment. It was listed at the first look at the workers, or is at the second: if
/// at the first, it has woken up since, and will be seen awake at the second look unless it has had its turn by then,
/// which is counted; if it was awake at the first look, that was the end of it. So nothing is ready at that moment, and
/// as no worker is awake then, nothing becomes so by itself.
#[inline]
fn is_still(
    turns: impl Fn() -> u64,
    queued: impl Fn() -> bool,
    all_listed: impl Fn() -> bool,
) -> Option<u64> {
    let before = turns();
    let still = all_listed() && !queued() && all_listed();
    // What a worker did before it was listed is seen by what follows.
    crate::base::sync::atomic::fence(Ordering::SeqCst);
    (still && turns() == before).then_some(before)
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::is_still;
    use crate::base::sync::order_for_loom;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
    use loom::thread;

    /// Two workers as the scheduler has them: a queue of tokens, turns counted when they begin, and a mark of each that it
    /// is listed.
    #[derive(Default)]
    struct Workers {
        queued: AtomicUsize,
        turns: [AtomicU64; 2],
        listed: [AtomicBool; 2],
        /// Turns that are still to come, or under way.
        left: AtomicUsize,
    }

    impl Workers {
        fn turns(&self) -> u64 {
            let of = |turns: &AtomicU64| turns.load(Ordering::Relaxed);
            self.turns.iter().map(of).sum()
        }

        fn take(&self) -> bool {
            let take = |n: usize| n.checked_sub(1);
            let (held, free) = (Ordering::SeqCst, Ordering::SeqCst);
            self.queued.fetch_update(held, free, take).is_ok()
        }

        /// Wakes up, takes a token, if there is one, runs it and sleeps. `sends`: the turn makes another token ready.
        fn work(&self, index: usize, sends: bool) {
            self.listed[index].store(false, Ordering::SeqCst);
            order_for_loom();
            if self.take() {
                let turns = self.turns[index].load(Ordering::Relaxed);
                self.turns[index].store(turns + 1, Ordering::Relaxed);
                if sends {
                    self.queued.fetch_add(1, Ordering::SeqCst);
                }
                self.left.fetch_sub(1, Ordering::SeqCst);
            }
            order_for_loom();
            self.listed[index].store(true, Ordering::SeqCst);
        }
    }

    /// A token is ready; the worker that runs it makes another ready, which the other worker may take at any moment, or
    /// find nothing. Whoever finds the node still finds that both turns are over, or that a token is left that nobody has
    /// taken: never that one is ready or being run unseen.
    #[test]
    fn loom_the_clock_does_not_jump_while_something_is_ready() {
        loom::model(|| {
            let workers = Arc::new(Workers::default());
            workers.queued.store(1, Ordering::SeqCst);
            workers.left.store(2, Ordering::SeqCst);
            for listed in &workers.listed {
                listed.store(true, Ordering::SeqCst);
            }
            let threads: Vec<_> = (0..2)
                .map(|index| {
                    let workers = workers.clone();
                    thread::spawn(move || workers.work(index, index == 0))
                })
                .collect();
            let still = is_still(
                || workers.turns(),
                || {
                    order_for_loom();
                    workers.queued.load(Ordering::SeqCst) != 0
                },
                || {
                    order_for_loom();
                    let listed = |mark: &AtomicBool| mark.load(Ordering::SeqCst);
                    workers.listed.iter().all(listed)
                },
            );
            if still.is_some() {
                // The second turn makes nothing ready if it was the second worker's alone.
                let over = 2 - workers.left.load(Ordering::SeqCst);
                let ready = workers.queued.load(Ordering::SeqCst);
                assert_eq!(ready, 0, "something is ready");
                assert!(over >= 1, "a turn is under way");
                assert_eq!(still, Some(over as u64));
            }
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
}
