//! What services have used, which is known: by that the samples of a profile of CPU time are weighed at its end.
//!
//! The system looks at timers of CPU time when its clock ticks. A service that works in short turns after timers, which fire at those
//! ticks too, is over before the next one, and what it has used is added to what runs then: samples say little about who has used how
//! much. But each service counts what its turns take ([`Context::cost_micros`]). So all that is called by one name gets as many samples as it has
//! used, and each of its stacks the part of these that it has of those that were taken.

use super::super::context::Context;
use super::super::figures;
use super::{Target, name_of};
use crate::scheduler::{self, Activity};
use std::collections::{HashMap, HashSet};

/// Of a service that was under way at no sample.
pub(super) const BETWEEN: &str = "[between samples]";

/// What a worker is in.
#[derive(Clone, Copy)]
struct Turn {
    service: u32,
    message: i32,
    /// Nanoseconds that the service has not counted yet.
    open: u64,
    /// CPU time of the thread.
    cpu: u64,
}

impl Turn {
    fn of(activity: &Activity) -> Option<Turn> {
        let running = activity.running()?;
        Some(Turn {
            service: running.destination,
            message: running.version,
            open: activity.callback_nanos().unwrap_or(0),
            cpu: activity.cpu_nanos()?,
        })
    }
}

/// What there was when the profile began.
pub(super) struct Before {
    /// Nanoseconds of services.
    costs: HashMap<u32, u64>,
    turns: Vec<Option<Turn>>,
}

/// What services called by a name have used in the meantime.
#[derive(Default)]
pub(super) struct Used {
    /// Nanoseconds.
    pub by_label: HashMap<String, u64>,
    /// Those of which nobody knows, as they do not count.
    pub unknown: HashSet<String>,
    /// The services that are there.
    pub live: HashSet<u32>,
}

fn cost(context: &Context) -> u64 {
    context.cost_micros().saturating_mul(1000)
}

impl Before {
    pub fn now() -> Before {
        let mut costs = HashMap::new();
        // In this order: what is counted meanwhile is not counted twice.
        let turns = scheduler::activities().map(Turn::of).collect();
        figures::each(|context| {
            costs.insert(context.handle(), cost(context));
        });
        Before { costs, turns }
    }

    /// What has been used since, as far as it is `target`.
    pub fn used(&self, target: &Target) -> Used {
        let mut open: HashMap<u32, i64> = HashMap::new();
        for (activity, before) in scheduler::activities().zip(&self.turns) {
            let turn = Turn::of(activity);
            for (service, nanos) in difference(*before, turn) {
                *open.entry(service).or_default() += nanos;
            }
        }
        let mut used = Used::default();
        figures::each(|context| {
            let handle = context.handle();
            used.live.insert(handle);
            if !target.includes(context) {
                return;
            }
            let label = target.label(handle, Some(name_of(context)));
            if !context.is_profiled() {
                used.unknown.insert(label);
                return;
            }
            let before = self.costs.get(&handle).copied().unwrap_or(0);
            let counted = cost(context).saturating_sub(before);
            let open = open.get(&handle).copied().unwrap_or(0);
            *used.by_label.entry(label).or_default() += counted.saturating_add_signed(open);
        });
        used
    }
}

/// What is to be added to what services have counted: for a message that goes on what it has used, less what one had used that has ended.
fn difference(before: Option<Turn>, now: Option<Turn>) -> impl Iterator<Item = (u32, i64)> {
    let same = |a: Turn, b: Turn| a.service == b.service && a.message == b.message;
    let goes_on = before.zip(now).is_some_and(|(a, b)| same(a, b));
    let ended = before.filter(|_| !goes_on);
    let ended = ended.map(|turn| (turn.service, turn.open.cast_signed().saturating_neg()));
    let under_way = now.map(|turn| {
        let most = before.map_or(u64::MAX, |before| turn.cpu.saturating_sub(before.cpu));
        let nanos = if goes_on { most } else { turn.open.min(most) };
        (turn.service, nanos.cast_signed())
    });
    ended.into_iter().chain(under_way)
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn turn(service: u32, message: i32, open: u64, cpu: u64) -> Option<Turn> {
        Some(Turn {
            service,
            message,
            open,
            cpu,
        })
    }

    fn sums(before: Option<Turn>, now: Option<Turn>) -> Vec<(u32, i64)> {
        difference(before, now).collect()
    }

    #[test]
    fn a_message_counts_as_far_as_it_is_within_the_profile() {
        assert_eq!(sums(None, None), []);
        assert_eq!(sums(turn(1, 5, 30, 100), None), [(1, -30)]);
        assert_eq!(sums(None, turn(2, 6, 40, 100)), [(2, 40)]);
        let (first, later) = (turn(1, 5, 30, 100), turn(2, 6, 40, 900));
        assert_eq!(sums(first, later), [(1, -30), (2, 40)]);
        // The same message all the time: what its thread has used, however long that took.
        assert_eq!(sums(first, turn(1, 5, 7000, 900)), [(1, 800)]);
        // Another one that has waited for the processor.
        assert_eq!(sums(first, turn(1, 6, 7000, 900)), [(1, -30), (1, 800)]);
    }
}
