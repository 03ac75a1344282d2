//! Services in an order that a seed decides: one worker takes one message of one ready service at a time, and which one comes
//! next is the choice of a generator. So a run can be had again, with the race that it showed.
//!
//! The order depends on nothing but the seed and what services do, as long as what comes from outside comes at the same
//! points. So the other threads that make services ready, the I/O thread and the timer thread, do it only *between steps*: while
//! the worker sleeps. Whatever they have for it then is there as a whole before the worker looks again.

use super::worker::Worker;
use super::{Host, INJECTOR, OVERFLOW, Ready, TimesliceResult};
use crate::alloc::reclaim;
use parking_lot::{Mutex, MutexGuard};
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

struct Setting {
    seed: u64,
    /// Lets 1/100 s pass on the node's clock, and delivers what is due then.
    pass_time: fn(),
}

static SETTING: OnceLock<Setting> = OnceLock::new();
/// So many turns without a pause take 1/100 s: a loop may wait for the clock, and no real one may have a part in this.
const TURNS_OF_A_TICK: u32 = 1000;
/// Held by the worker while it is not asleep, and by the other threads while they make services ready.
static STEPS: Mutex<()> = Mutex::new(());

/// The right to make services ready: the worker sleeps, or waits for this.
pub type Between = Option<MutexGuard<'static, ()>>;

/// Before the workers start, of which there is one. `pass_time` lets 1/100 s pass on the node's clock.
pub fn use_seed(seed: u64, pass_time: fn()) {
    let _ = SETTING.set(Setting { seed, pass_time });
}

/// Whether a seed decides.
#[inline]
pub fn is_on() -> bool {
    SETTING.get().is_some()
}

/// The seed, if one decides.
pub fn seed() -> Option<u64> {
    SETTING.get().map(|setting| setting.seed)
}

/// The I/O thread, about to make services ready: waits until the worker sleeps. Nothing, and no wait, without a seed.
#[inline]
pub fn between_steps() -> Between {
    is_on().then(|| STEPS.lock())
}

/// The timer thread: as [`between_steps`]; `None` if the worker does not sleep.
pub fn try_between_steps() -> Option<Between> {
    if !is_on() {
        return Some(None);
    }
    STEPS.try_lock().map(Some)
}

/// A generator of the kind splitmix64: it is there for orders, not for secrets.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `bound`, which is not 0. (That low numbers come a little more often does not matter.)
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

impl<H: Host> Worker<H> {
    /// In the place of [`Worker::run`].
    pub(super) fn run_seeded(&mut self, seed: u64) {
        let mut random = Random(seed);
        let mut guard = Some(reclaim::enter());
        let mut ready: Vec<Ready> = Vec::new();
        let mut steps = Some(STEPS.lock());
        let mut without_pause = 0;
        while !self.shared.quits() {
            self.gather(&mut ready);
            if ready.is_empty() {
                drop(steps.take());
                ready.extend(self.search(&mut guard));
                steps = Some(STEPS.lock());
                without_pause = 0;
                continue;
            }
            without_pause += 1;
            if without_pause == TURNS_OF_A_TICK {
                without_pause = 0;
                if let Some(setting) = SETTING.get() {
                    (setting.pass_time)();
                }
            }
            let chosen = ready.swap_remove(random.below(ready.len()));
            let guard = guard.get_or_insert_with(reclaim::enter);
            self.ticks += 1;
            self.local.ticks.store(self.ticks, Ordering::Relaxed);
            if let TimesliceResult::More(again) = H::turn(chosen, guard, &self.local.activity, 1) {
                ready.push(again);
            }
            guard.renew();
        }
        // Whatever ends the node may look for them.
        ready.into_iter().for_each(|ready| INJECTOR.push(ready));
    }

    /// Takes all that is ready, in the order in which it became so.
    fn gather(&self, ready: &mut Vec<Ready>) {
        let shared = || OVERFLOW.pop().or_else(|| INJECTOR.pop());
        let queued = std::iter::from_fn(|| self.local.queue.pop().or_else(shared));
        ready.extend(queued);
        ready.extend(self.local.take_lifo_slot(self.shared));
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::Random;

    #[test]
    fn a_seed_always_gives_the_same_numbers_and_another_one_others() {
        let numbers = |seed| {
            let mut random = Random(seed);
            (0..20).map(|_| random.below(10)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1), numbers(1));
        assert_ne!(numbers(1), numbers(2));
        for number in 0..10 {
            assert!(numbers(3).contains(&number) || numbers(4).contains(&number));
        }
    }
}
