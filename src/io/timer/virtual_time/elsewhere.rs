//! What other threads do for services, as these say.

use crate::base::clock;
use crate::scheduler::watchdog;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much is under way.
const ONE: u64 = 1;
const UNDER_WAY: u64 = u32::MAX as u64;
/// How often something has ended, above that.
const ENDED: u64 = 1 << 32;

static STATE: AtomicU64 = AtomicU64::new(0);

/// Something begins. False: time is not virtual, and nobody needs to say so.
pub fn begin() -> bool {
    clock::is_virtual() && begin_in(&STATE)
}

/// It has ended; what it has sent was sent before. False: nothing is under way.
pub fn end() -> bool {
    let is_one = end_in(&STATE);
    if is_one {
        // The clock may have waited for it.
        watchdog::TIMER.ring();
    }
    is_one
}

/// How often something has ended so far, if nothing is under way.
pub fn look() -> Option<u64> {
    // Acquire, with the release of `end`: what was sent before that is seen in the run queues. Sequentially consistent, as the looks at those.
    look_in(STATE.load(Ordering::SeqCst))
}

fn begin_in(state: &AtomicU64) -> bool {
    let begun = |now: u64| (now & UNDER_WAY != UNDER_WAY).then_some(now + ONE);
    let order = Ordering::SeqCst;
    state.fetch_update(order, order, begun).is_ok()
}

fn end_in(state: &AtomicU64) -> bool {
    let ended = |now: u64| (now & UNDER_WAY != 0).then_some(now.wrapping_add(ENDED) - ONE);
    let order = Ordering::SeqCst;
    state.fetch_update(order, order, ended).is_ok()
}

fn look_in(state: u64) -> Option<u64> {
    (state & UNDER_WAY == 0).then_some(state / ENDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_began_and_ended_between_two_looks_is_seen_by_the_second() {
        let state = AtomicU64::new(0);
        let look = || look_in(state.load(Ordering::SeqCst));
        let first = look();
        assert!(first.is_some());
        assert!(begin_in(&state) && begin_in(&state));
        assert_eq!(look(), None);
        assert!(end_in(&state));
        assert_eq!(look(), None, "one is still under way");
        assert!(end_in(&state));
        assert!(look().is_some() && look() != first);
        assert!(!end_in(&state), "an end too many changes nothing");
        assert!(look().is_some());
    }
}
