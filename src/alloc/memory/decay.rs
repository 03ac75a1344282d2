//! Free pages go back to the system in time, also when no thread allocates.
//!
//! jemalloc gives pages back some time after they became free (`dirty_decay_ms`, ten seconds), but looks at its clock only
//! when a thread allocates or frees in that arena. What a burst leaves behind would stay in arenas whose threads sleep, and
//! in those of a busy node that others free into. So the monitor thread asks all arenas to look: [`PERIOD`] apart while
//! services run; when none runs, a few times more until everything that they may have freed is due, then no more. An allocator that has threads of its own
//! for this (`background_thread`), or is set to keep everything, is left alone; so is any other than jemalloc.

use super::jemalloc;

/// Nanoseconds between two looks at most while services run.
const PERIOD: u64 = 1_000_000_000;
/// So many looks while a page that was freed goes back, if services run: what they free goes in small parts.
const LOOKS: u64 = 10;
/// So many if none runs. Each wakes a thread of a node that has nothing to do.
const QUIET_LOOKS: u64 = 4;
/// More free pages than this are worth to be looked at on their own account: a megabyte.
const MANY_PAGES: usize = 256;

/// What the monitor thread remembers between two looks.
#[derive(Debug)]
pub struct Decay {
    /// How long free pages are kept; None if that is not to be looked after.
    kept: Option<u64>,
    turns: u64,
    /// Until then there may be pages that are due.
    until: u64,
    last: u64,
}

impl Decay {
    /// For the allocator of this process, as it is set now.
    pub fn of_process() -> Decay {
        Decay::with(time_kept())
    }

    fn with(kept: Option<u64>) -> Decay {
        Decay {
            kept,
            turns: 0,
            until: 0,
            last: 0,
        }
    }

    /// At time `now`, when the services of the node have had so many `turns`. Answers when to look again.
    pub fn look(&mut self, now: u64, turns: u64) -> u64 {
        let (due, next) = self.plan(now, turns);
        if due {
            decay();
        }
        next
    }

    /// Now and then: not only services free memory. Costs nothing while it is looked at anyway.
    pub fn check(&mut self, now: u64) {
        if self.kept.is_some() && now >= self.until && jemalloc::dirty_pages() > MANY_PAGES {
            self.extend(now);
        }
    }

    fn period(kept: u64) -> u64 {
        (kept / LOOKS).clamp(PERIOD / 20, PERIOD)
    }

    fn quiet_period(kept: u64) -> u64 {
        (kept / QUIET_LOOKS).max(Self::period(kept))
    }

    fn extend(&mut self, now: u64) {
        let kept = self.kept.unwrap_or(0);
        // The first look may be late by a period, and only after that the time begins for what was freed before it; the last one may be
        // late by a long period.
        self.until = now + kept + Self::period(kept) + Self::quiet_period(kept);
    }

    /// Whether to look now, and when next.
    fn plan(&mut self, now: u64, turns: u64) -> (bool, u64) {
        let Some(kept) = self.kept else {
            return (false, u64::MAX);
        };
        let period = if turns == self.turns {
            Self::quiet_period(kept)
        } else {
            self.turns = turns;
            self.extend(now);
            Self::period(kept)
        };
        if now >= self.until {
            return (false, u64::MAX);
        }
        let next = self.last + period;
        if now < next {
            return (false, next);
        }
        self.last = now;
        (true, now + period)
    }
}

/// How many nanoseconds jemalloc keeps free pages; None if it needs no reminder.
fn time_kept() -> Option<u64> {
    if !jemalloc::present() || jemalloc::read::<bool>(c"background_thread") == Some(true) {
        return None;
    }
    let dirty = jemalloc::read::<isize>(c"arenas.dirty_decay_ms")?;
    let muzzy = jemalloc::read::<isize>(c"arenas.muzzy_decay_ms")?;
    // -1 keeps them for good, 0 does not keep them at all.
    let kept = u64::try_from(dirty).unwrap_or(0) + u64::try_from(muzzy).unwrap_or(0);
    (kept > 0).then_some(kept.saturating_mul(1_000_000).min(u64::MAX / 4))
}

/// Gives back what is due. 4096 is MALLCTL_ARENAS_ALL.
fn decay() {
    jemalloc::command(c"arena.4096.decay");
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Times of all looks from `from` on, when nothing else wakes the thread and no service runs.
    fn looks(decay: &mut Decay, from: u64, turns: u64) -> Vec<u64> {
        let mut times = Vec::new();
        let mut now = from;
        while now != u64::MAX {
            let (due, next) = decay.plan(now, turns);
            if due {
                times.push(now);
            }
            now = next;
        }
        times
    }

    #[test]
    fn after_the_last_turn_pages_are_looked_at_until_all_are_due_and_then_no_more() {
        let mut decay = Decay::with(Some(10 * SECOND));
        let times = looks(&mut decay, 100 * SECOND, 7);
        assert_eq!(times.first(), Some(&(100 * SECOND)));
        assert!(times.last().is_some_and(|&last| last >= 111 * SECOND));
        assert!(times.len() <= 7, "{times:?}");
        assert!(looks(&mut decay, 200 * SECOND, 7).is_empty());
        assert!(!looks(&mut decay, 300 * SECOND, 8).is_empty());
    }

    #[test]
    fn a_busy_node_looks_once_a_period() {
        let mut decay = Decay::with(Some(10 * SECOND));
        let mut count = 0;
        for turn in 1..=10_000 {
            count += u32::from(decay.plan(SECOND + turn * SECOND / 1000, turn).0);
        }
        assert_eq!(count, 10);
    }

    #[test]
    fn an_allocator_that_keeps_everything_is_left_alone() {
        assert!(looks(&mut Decay::with(None), SECOND, 1).is_empty());
    }
}
