//! The protocol of grace periods, without threads and lists: one global epoch and a word for each participant.

use crate::base::sync::atomic::{AtomicU64, Ordering, fence};

/// The word of a participant that holds no reference.
const OUTSIDE: u64 = 0;

/// The global epoch; only ever grows.
pub(super) struct Epoch(AtomicU64);

impl Epoch {
    #[cfg(not(feature = "loom"))]
    pub(super) const fn new() -> Epoch {
        Epoch(AtomicU64::new(1))
    }

    #[cfg(feature = "loom")]
    pub(super) fn new() -> Epoch {
        Epoch(AtomicU64::new(1))
    }

    /// Owner of `word`: it may hold references from now on.
    pub(super) fn enter(&self, word: &AtomicU64) {
        word.store(self.0.load(Ordering::Acquire), Ordering::Relaxed);
        // Pairs with the fence in `oldest`: either it sees the word, or this thread sees what was unlinked before it.
        fence(Ordering::SeqCst);
    }

    /// Owner of `word`: it holds none. Release: the last reads come before it, so what is freed after this is not read.
    #[inline]
    pub(super) fn leave(&self, word: &AtomicU64) {
        word.store(OUTSIDE, Ordering::Release);
    }

    /// Owner of `word`, inside: it holds none from before this call.
    ///
    /// No fence: the epoch is loaded with acquire before the next reads, so a thread that announces a tag has seen
    /// everything that was unlinked before the tag was given out.
    #[inline]
    pub(super) fn renew(&self, word: &AtomicU64) {
        let now = self.0.load(Ordering::Acquire);
        // Only a store when it has moved: the word's cache line stays with this thread as long as nothing is retired.
        if word.load(Ordering::Relaxed) != now {
            word.store(now, Ordering::Release);
        }
    }

    /// A tag for what was just unlinked. It is a new epoch, so that a participant that has seen it has seen the unlinking too.
    /// SeqCst: it is ordered before the fence in `oldest` of the same thread, and the unlinking, which comes before it, too.
    pub(super) fn tag(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// What was tagged with this or less is out of every participant's sight.
    pub(super) fn oldest<'a>(&self, words: impl Iterator<Item = &'a AtomicU64>) -> u64 {
        // Pairs with the fence in `enter`.
        fence(Ordering::SeqCst);
        words
            .map(|word| word.load(Ordering::Acquire))
            .filter(|&epoch| epoch != OUTSIDE)
            .min()
            .unwrap_or(u64::MAX)
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, AtomicUsize};

    /// `linked` is a pointer to a block, `alive` the block: a reader that found it linked must find it alive.
    struct World {
        epoch: Epoch,
        word: AtomicU64,
        linked: AtomicUsize,
        alive: AtomicBool,
    }

    fn look(world: &World) {
        if world.linked.load(Ordering::Acquire) == 1 {
            assert!(
                world.alive.load(Ordering::SeqCst),
                "used after it was freed"
            );
        }
    }

    fn model(reader: fn(&World)) {
        loom::model(move || {
            let world = Arc::new(World {
                epoch: Epoch::new(),
                word: AtomicU64::new(OUTSIDE),
                linked: AtomicUsize::new(1),
                alive: AtomicBool::new(true),
            });
            let other = world.clone();
            let thread = loom::thread::spawn(move || reader(&other));
            world.linked.store(0, Ordering::Release);
            let tag = world.epoch.tag();
            if world.epoch.oldest([&world.word].into_iter()) >= tag {
                world.alive.store(false, Ordering::SeqCst);
            }
            thread.join().unwrap();
        });
    }

    #[test]
    fn loom_a_block_is_not_freed_under_a_reader_that_enters() {
        model(|world| {
            world.epoch.enter(&world.word);
            look(world);
            world.epoch.leave(&world.word);
        });
    }

    #[test]
    fn loom_a_block_is_not_freed_under_a_worker_between_turns() {
        model(|world| {
            world.epoch.enter(&world.word);
            look(world);
            world.epoch.renew(&world.word);
            look(world);
            world.epoch.leave(&world.word);
        });
    }
}
