//! Sees to it that ready work does not wait for a worker that the system does not run.
//!
//! Two threads look, the monitor thread and, if that one is late itself, the timer thread; each remembers for itself
//! what it saw ([`Watch`]), and nothing is locked, so neither depends on the other or on a worker.
//!
//! - The searcher ([`super::idle`]) that has not looked at the queues for [`PATIENCE`] is none any more. That is a worker that
//!   was woken and does not run, one that was preempted while it searched or watched, or one whose waker did not come to
//!   wake it.
//! - When something is ready, a worker sleeps and there is no searcher, one is woken, which is the searcher then. So
//!   one worker after the other is woken until one takes the work or none is left.
//! - Something is ready when it is in the shared queue or in a ring, or has been in the slot of a worker for that long while
//!   the worker was in the same turn.
//! - When no worker is left to be woken, because all others are busy, what a worker that is in the same turn for
//!   [`LONG_PATIENCE`] has in its ring and its slot goes to the shared queue, one by one. The busy ones look there now and
//!   then. (Longer than a slice of the system: services that change their worker cost.)
//!
//! They look every [`TICK`] while a worker is the searcher or something is ready, and more and more seldom, up to
//! [`SLOWEST_TICK`], while workers are in long messages; when all workers sleep and nothing is ready, they sleep too. The
//! thread that changes that, which always wakes a worker or becomes the searcher, sets their alarms ([`arm`]).

use super::{INJECTOR, OVERFLOW, Remote, SHARED, Shared, spare};
use crate::base::alarm::Alarm;
use crate::base::clock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// A worker that should look at the queues, and does not for so many nanoseconds, is not counted on.
const PATIENCE: u64 = 900_000;
const LONG_PATIENCE: u64 = 5_000_000;
const TICK: u64 = 1_000_000;
/// While all workers are busy.
const BUSY_TICK: u64 = 2_000_000;
const SLOWEST_TICK: u64 = 64_000_000;
/// The monitor thread is late by so much: the timer thread looks in its place.
const LATE: u64 = 3_000_000;

/// How often the queues are looked at: not at all, now and then, or every tick.
const ASLEEP: u32 = 0;
const SLOW: u32 = 1;
const FAST: u32 = 2;

static PACE: AtomicU32 = AtomicU32::new(ASLEEP);
/// When the monitor thread last looked.
static BEAT: AtomicU64 = AtomicU64::new(0);
/// The alarm of the monitor thread.
pub static MONITOR: Alarm = Alarm::new();
/// The alarm of the timer thread.
pub static TIMER: Alarm = Alarm::new();

/// After a worker was woken or has become the searcher: it is looked soon whether it does its work.
#[inline]
pub(super) fn arm() {
    if PACE.load(Ordering::SeqCst) != FAST {
        arm_now();
    }
}

/// The alarms first: a thread that stops here has set them, or another does it once more.
#[cold]
fn arm_now() {
    let now = clock::monotonic_nanos();
    MONITOR.at_latest(now + TICK);
    TIMER.at_latest(now + TICK + LATE);
    PACE.store(FAST, Ordering::SeqCst);
}

/// What a thread that looks has seen so far.
#[derive(Default)]
pub struct Watch {
    searcher: Option<(usize, u32)>,
    searcher_since: u64,
    /// Turns of each worker, and since when it is in that one.
    turns: Vec<(u64, u64)>,
    /// Between the last two looks.
    tick: u64,
}

/// What is to be expected of the workers.
#[derive(PartialEq)]
enum Need {
    /// Nothing until [`arm`] sets the alarms.
    Nothing,
    /// All is well, and workers are at work.
    Little,
    /// The queues have to be looked at soon.
    Much,
}

/// Monitor thread: one look at time `now`. When the next one is due.
pub fn look(watch: &mut Watch, now: u64) -> u64 {
    BEAT.store(now, Ordering::Relaxed);
    SHARED
        .get()
        .map_or(u64::MAX, |shared| watch.look(shared, now))
}

/// Timer thread: [`look`], if the monitor thread does not.
pub fn look_if_late(watch: &mut Watch, now: u64) -> u64 {
    if PACE.load(Ordering::SeqCst) == ASLEEP {
        return u64::MAX;
    }
    let slowest = match PACE.load(Ordering::Relaxed) {
        FAST => BUSY_TICK,
        _ => SLOWEST_TICK,
    };
    let late = BEAT.load(Ordering::Relaxed) + slowest + LATE;
    match SHARED.get() {
        Some(shared) if now >= late => watch.look(shared, now),
        Some(_) => late,
        None => u64::MAX,
    }
}

impl Watch {
    fn look(&mut self, shared: &Shared, now: u64) -> u64 {
        self.see_to_searcher(shared, now);
        let pace = match self.see_to_work(shared, now) {
            Need::Nothing => ASLEEP,
            Need::Little => SLOW,
            Need::Much => FAST,
        };
        PACE.store(pace, Ordering::SeqCst);
        // A thread that made work ready since, and saw the old pace, did not set the alarms.
        let pace = match shared.need() {
            Need::Nothing => pace,
            Need::Little => pace.max(SLOW),
            Need::Much => FAST,
        };
        PACE.fetch_max(pace, Ordering::SeqCst);
        self.tick = match pace {
            ASLEEP => return u64::MAX,
            SLOW => (self.tick * 2).clamp(TICK, SLOWEST_TICK),
            _ if shared.idle.has_idle_worker() => TICK,
            _ => BUSY_TICK,
        };
        now + self.tick
    }

    /// Takes the place of a searcher that does not search.
    fn see_to_searcher(&mut self, shared: &Shared, now: u64) {
        let idle = &shared.idle;
        let searcher = idle
            .searcher()
            .map(|index| (index, shared.workers[index].looks.load(Ordering::Acquire)));
        if searcher != self.searcher {
            self.searcher = searcher;
            self.searcher_since = now;
            return;
        }
        let Some((index, _)) = searcher else { return };
        if now.saturating_sub(self.searcher_since) < PATIENCE || !idle.clear_searcher(index) {
            return;
        }
        // Surplus work is not for it either.
        let _ = shared
            .watcher
            .compare_exchange(index + 1, 0, Ordering::SeqCst, Ordering::Relaxed);
        idle.parker(index).wake_again();
    }

    /// Wakes a worker for what is ready.
    fn see_to_work(&mut self, shared: &Shared, now: u64) -> Need {
        self.turns.resize(shared.workers.len(), (0, now));
        let mut waits = !INJECTOR.is_empty() || !OVERFLOW.is_empty();
        for (worker, (turn, since)) in shared.workers.iter().zip(&mut self.turns) {
            let ticks = worker.ticks.load(Ordering::Relaxed);
            if ticks != *turn {
                (*turn, *since) = (ticks, now);
            }
            let full = !worker.lifo_slot.is_empty();
            if full && now.saturating_sub(*since) >= PATIENCE {
                worker.held_at.store(ticks, Ordering::Relaxed);
                waits = true;
            }
            waits |= !worker.queue.is_empty();
        }
        if waits && shared.idle.should_notify() {
            shared.idle.notify_one();
        }
        if waits && shared.idle.searcher().is_none() && !shared.is_single() {
            let held_up =
                |(_, (_, since)): &(_, &(u64, u64))| now.saturating_sub(*since) >= LONG_PATIENCE;
            let workers = shared.workers.iter().zip(&self.turns);
            workers.filter(held_up).for_each(|(w, _)| w.clear_out());
        }
        shared.need()
    }
}

impl Remote {
    /// Any thread, where there are several workers: what waits for this one waits for all others too.
    pub(super) fn clear_out(&self) {
        while let Some(ready) = self.queue.pop().or_else(|| self.lifo_slot.take()) {
            INJECTOR.push(ready);
        }
    }
}

impl Shared {
    fn need(&self) -> Need {
        let asleep = self.idle.asleep();
        if self.idle.searcher().is_some() {
            return Need::Much;
        }
        let queued = self.anything() || self.any_slot();
        if queued && (asleep != 0 || !self.is_single()) {
            Need::Much
        } else if asleep < spare::running(self.workers.len()) && !self.is_single() {
            Need::Little
        } else {
            Need::Nothing
        }
    }
}
