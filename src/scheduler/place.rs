//! Keeps a worker that is woken off the processors of the workers that are busy.
//!
//! A kernel wakes a thread where it slept or where its waker runs, whichever it takes for idle. Virtual machines mislead
//! it: it takes a halted processor for one that the host uses otherwise, and queues the woken thread behind its waker,
//! for milliseconds, while another processor idles. Two things are done about that:
//!
//! - While somebody is busy, a worker that watches excludes the processors of the busy ones before it sleeps
//!   ([`Place::avoid`]). It runs services, which may start threads that inherit its set, only with the full set again
//!   ([`Place::anywhere`]).
//! - A worker that wakes up on the processor of a worker that woke it moves on ([`Place::leave`]).
//!
//! Nothing stays pinned, and a set of processors given from outside is kept.

use crate::clock;

/// The processor that the thread runs on; -1 if the system does not say.
pub(super) fn processor() -> i32 {
    #[cfg(target_os = "linux")]
    // SAFETY: no precondition.
    return unsafe { libc::sched_getcpu() };
    #[cfg(not(target_os = "linux"))]
    -1
}

#[cfg(target_os = "linux")]
mod set {
    use std::mem::size_of;

    use libc::{c_ulong, cpu_set_t};

    const WORDS: usize = size_of::<cpu_set_t>() / size_of::<c_ulong>();

    /// A set of processors: a `cpu_set_t`, whose words are at hand here. A turn of a worker combines such sets, and
    /// bit by bit that cost thousands of instructions.
    #[derive(Clone, Copy, PartialEq)]
    #[repr(C)]
    pub(in super::super) struct Set([c_ulong; WORDS]);

    impl Set {
        pub(in super::super) fn new() -> Set {
            Set([0; WORDS])
        }

        /// Where the calling thread may run.
        pub(in super::super) fn of_thread() -> Option<Set> {
            let mut set = Set::new();
            // SAFETY: a cpu_set_t is these words (sched_setaffinity(2), CPU_SET(3)); 0 is the calling thread.
            let result =
                unsafe { libc::sched_getaffinity(0, size_of::<Set>(), set.0.as_mut_ptr().cast()) };
            (result == 0).then_some(set)
        }

        /// Lets the calling thread run there only.
        pub(in super::super) fn apply(&self) -> bool {
            // SAFETY: as above.
            unsafe { libc::sched_setaffinity(0, size_of::<Set>(), self.0.as_ptr().cast()) == 0 }
        }

        pub(in super::super) fn add(&mut self, processor: i32) {
            let bits = c_ulong::BITS as usize;
            if let Ok(processor) = usize::try_from(processor)
                && let Some(word) = self.0.get_mut(processor / bits)
            {
                *word |= 1 << (processor % bits);
            }
        }

        /// What of it is not in `other`.
        pub(in super::super) fn without(&self, other: &Set) -> Set {
            let mut rest = *self;
            for (word, taken) in rest.0.iter_mut().zip(&other.0) {
                *word &= !taken;
            }
            rest
        }

        pub(in super::super) fn len(&self) -> usize {
            self.0.iter().map(|word| word.count_ones() as usize).sum()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod set {
    /// A set of processors: unknown here, so every thread runs anywhere.
    #[derive(Clone, Copy, PartialEq)]
    pub(in super::super) struct Set;

    impl Set {
        pub(in super::super) fn new() -> Set {
            Set
        }

        pub(in super::super) fn of_thread() -> Option<Set> {
            None
        }

        pub(in super::super) fn apply(&self) -> bool {
            false
        }

        pub(in super::super) fn add(&mut self, _: i32) {}

        pub(in super::super) fn without(&self, _: &Set) -> Set {
            Set
        }

        pub(in super::super) fn len(&self) -> usize {
            0
        }
    }
}

pub(super) use set::Set;

/// Where one worker may run. Used by its own thread only.
pub(super) struct Place {
    /// The set from outside and the processors taken out of it, while some are.
    narrowed: Option<(Set, Set)>,
    /// When the thread last moved on, in nanoseconds.
    left_at: u64,
}

/// A thread does not move on again before so many nanoseconds have passed: where wake-ups are that frequent, calls that
/// avoid a collision cost more than the collision.
const LEAVE_EVERY: u64 = 1_000_000;

impl Place {
    pub(super) fn new() -> Place {
        Place {
            narrowed: None,
            left_at: 0,
        }
    }

    /// Excludes `busy` from the processors of this thread, unless nothing would be left.
    pub(super) fn avoid(&mut self, busy: Set) {
        if busy.len() == 0 {
            return self.anywhere();
        }
        let all = match self.narrowed {
            Some((_, away)) if away == busy => return,
            Some((all, _)) => Some(all),
            None => Set::of_thread(),
        };
        let Some(all) = all else { return };
        let rest = all.without(&busy);
        if rest.len() == 0 || rest == all {
            self.anywhere();
        } else if rest.apply() {
            self.narrowed = Some((all, busy));
        }
    }

    /// Takes every exclusion back.
    #[inline]
    pub(super) fn anywhere(&mut self) {
        if let Some((all, _)) = self.narrowed.take() {
            all.apply();
        }
    }

    /// Moves the thread off processor `from`, if it runs there and may run on more of them than `busy`.
    pub(super) fn leave(&mut self, from: i32, busy: usize) {
        if self.narrowed.is_some() || from < 0 || processor() != from {
            return;
        }
        let now = clock::monotonic_nanos();
        if now - self.left_at < LEAVE_EVERY {
            return;
        }
        self.left_at = now;
        let Some(all) = Set::of_thread() else { return };
        let mut here = Set::new();
        here.add(from);
        let others = all.without(&here);
        if others.len() >= busy.max(1) && others.apply() {
            all.apply();
        }
    }
}

#[cfg(all(test, target_os = "linux", not(feature = "loom")))]
mod tests {
    use super::*;

    fn set(processors: &[i32]) -> Set {
        let mut set = Set::new();
        for &processor in processors {
            set.add(processor);
        }
        set
    }

    #[test]
    fn sets_are_counted_and_subtracted_in_every_word() {
        let all = set(&[0, 1, 63, 64, 200, 1023]);
        assert_eq!(all.len(), 6);
        let rest = all.without(&set(&[1, 64, 65, 1023]));
        assert!(rest == set(&[0, 63, 200]));
        assert!(set(&[-1, 1024]) == Set::new());
    }

    #[test]
    fn who_moves_on_may_run_where_it_could_before() {
        let before = Set::of_thread().unwrap();
        Place::new().leave(processor(), 0);
        assert!(Set::of_thread().unwrap() == before);
    }

    #[test]
    fn exclusions_end_with_the_set_from_before() {
        let before = Set::of_thread().unwrap();
        let mut place = Place::new();
        let here = processor();
        place.avoid(set(&[here]));
        if before.len() > 1 {
            assert_ne!(processor(), here);
            assert_eq!(Set::of_thread().unwrap().len(), before.len() - 1);
        }
        place.anywhere();
        assert!(Set::of_thread().unwrap() == before);
    }

    #[test]
    fn a_thread_keeps_a_processor_when_all_are_busy() {
        let before = Set::of_thread().unwrap();
        let mut place = Place::new();
        place.avoid(before);
        assert!(Set::of_thread().unwrap() == before);
    }
}
