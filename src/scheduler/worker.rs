//! The loop of a worker thread.

use super::overflow::Overflow;
use super::park::Ended;
use super::timed::{Timed, precise_sleep};
use super::{
    Host, INJECTOR, Local, OVERFLOW, Ready, Remote, SHARED, Shared, TimesliceResult, WORKER, cpu,
    seeded, watchdog,
};
use crate::alloc::{self, reclaim};
use crate::base::clock;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Messages of one service in a row.
const BUDGET: usize = 64;
/// Turns in a row from the LIFO slot before the ring gets one.
const SLOT_TURNS: u32 = 32;
/// The shared queue is looked at first in one turn of so many, besides those that follow a long turn.
const INJECTOR_EVERY: u32 = 61;
/// First and longest sleep of the watcher between two looks.
const WATCH_FIRST: Duration = Duration::from_micros(30);
const WATCH_LAST: Duration = Duration::from_micros(500);
/// A worker that worked for so many nanoseconds without a break is one that should have been watched ...
const LONG_STRETCH: u64 = 500_000;
/// ... and for so many nanoseconds from then on those that get busy are watched: not those that wake up for a message or two.
const WATCH_FOR: u64 = 200_000_000;
/// What a search and a wake-up take of a worker's CPU time, in nanoseconds, about.
const SEARCH: u64 = 20_000;
/// That is a guess; after so many of them the CPU clock is read.
const ESTIMATES: u32 = 8;

/// Thread role: worker. Runs services until the node ends. One thread for each index at a time.
pub fn run_worker<H: Host>(index: usize) {
    with_worker(index, |worker: &mut Worker<H>| match seeded::seed() {
        Some(seed) => worker.run_seeded(seed),
        None => worker.run(),
    });
}

/// Thread role: spare worker. As [`run_worker`], while it is needed ([`super::spare`]).
#[cfg(feature = "lua")]
pub fn run_spare<H: Host>(index: usize) {
    with_worker(index, Worker::<H>::run_while_needed);
}

fn with_worker<H: Host>(index: usize, run: impl FnOnce(&mut Worker<H>)) {
    let Some(shared) = SHARED.get() else { return };
    let Some(local) = shared.workers[index].claim() else {
        return;
    };
    precise_sleep();
    WORKER.set(Some(local));
    local.activity.attach();
    let mut worker = Worker::<H> {
        shared,
        local,
        index,
        // Behind those of the thread that had the place before.
        ticks: local.ticks.load(Ordering::Relaxed) + 1,
        slot_turns: 0,
        until_shared: INJECTOR_EVERY,
        seen: vec![0; shared.workers.len()],
        seen_messages: vec![0; shared.workers.len()],
        owed: 0,
        overflow: Overflow::default(),
        busy_since: 0,
        polled: false,
        cpu_seen: 0,
        short_stretches: 0,
        estimates: 0,
        _host: PhantomData,
    };
    run(&mut worker);
    local.activity.detach();
    WORKER.set(None);
    local.give_back();
}

pub(super) struct Worker<H> {
    pub(super) shared: &'static Shared,
    pub(super) local: Local,
    index: usize,
    pub(super) ticks: u64,
    slot_turns: u32,
    /// Turns until the shared queue comes first: in the next one, if a service goes on, for what came from outside meanwhile.
    until_shared: u32,
    /// So many services of the shared queue are to be run before those of the worker's own queues.
    owed: usize,
    overflow: Overflow,
    /// Turn counts of the others at the watcher's last look, and what their monitors counted.
    seen: Vec<u64>,
    seen_messages: Vec<i32>,
    /// When the worker last found work after a search, in nanoseconds.
    busy_since: u64,
    /// That work was socket events, which it had waited for itself.
    polled: bool,
    /// CPU time of the thread, in nanoseconds, at the last look at it ...
    cpu_seen: u64,
    /// ... and about how much of it went into short stretches of work since, and into the searches between them.
    short_stretches: u64,
    /// ... and how many such guesses that is made of.
    estimates: u32,
    _host: PhantomData<H>,
}

impl<H: Host> Worker<H> {
    fn run(&mut self) {
        let mut guard = Some(reclaim::enter());
        while !self.shared.quits() {
            let Some(ready) = self.next().or_else(|| self.search(&mut guard)) else {
                continue;
            };
            // It is there: a search comes back with it.
            let guard = guard.get_or_insert_with(reclaim::enter);
            self.turn(ready, guard);
            guard.renew();
        }
    }

    /// As [`Worker::run`]. Between two turns the worker holds nothing but its queues.
    #[cfg(feature = "lua")]
    fn run_while_needed(&mut self) {
        let mut guard = Some(reclaim::enter());
        while !self.shared.quits() {
            if super::spare::is_surplus() {
                self.local.clear_out();
                self.shared.wake_for_surplus();
                cpu::interrupt();
                self.local.activity.detach();
                drop(guard.take());
                alloc::before_sleep();
                if !super::spare::rest(self.index) {
                    return;
                }
                guard = Some(reclaim::enter());
                self.local.activity.attach();
                continue;
            }
            let Some(ready) = self.next().or_else(|| self.search(&mut guard)) else {
                continue;
            };
            let guard = guard.get_or_insert_with(reclaim::enter);
            self.turn(ready, guard);
            guard.renew();
        }
    }

    #[inline(always)]
    fn turn(&mut self, ready: Ready, guard: &reclaim::Guard) {
        self.ticks += 1;
        self.local.ticks.store(self.ticks, Ordering::Relaxed);
        match H::turn(ready, guard, &self.local.activity, BUDGET) {
            TimesliceResult::More(ready) => self.goes_on(ready),
            TimesliceResult::Idle | TimesliceResult::Ended => {}
        }
    }

    #[inline(never)]
    fn goes_on(&mut self, ready: Ready) {
        self.until_shared = 1;
        let alone = self.local.queue.is_empty();
        self.local.keep(ready);
        if !alone {
            self.shared.wake_for_surplus();
        }
    }

    /// The next service of the worker's own queues and the shared one.
    #[inline(always)]
    fn next(&mut self) -> Option<Ready> {
        self.until_shared -= 1;
        if self.until_shared == 0 {
            self.look_at_shared();
        }
        if self.owed != 0 {
            self.owed -= 1;
            if let Some(ready) = INJECTOR.pop() {
                return Some(ready);
            }
            self.owed = 0;
        }
        if self.slot_turns < SLOT_TURNS
            && let Some(ready) = self.local.take_lifo_slot(self.shared)
        {
            self.slot_turns += 1;
            return Some(ready);
        }
        self.slot_turns = 0;
        self.next_of_ring()
    }

    #[cold]
    fn look_at_shared(&mut self) {
        self.until_shared = INJECTOR_EVERY;
        self.owed = 1 + self.shared.part_of(&INJECTOR);
        let part = OVERFLOW.len().div_ceil(self.shared.sharers());
        self.overflow.set_part(part);
    }

    #[inline(never)]
    fn next_of_ring(&mut self) -> Option<Ready> {
        let ring = &self.local.queue;
        self.overflow
            .next(|| ring.len())
            .or_else(|| ring.pop())
            .or_else(|| self.local.take_shared(self.shared))
            .or_else(|| self.local.take_lifo_slot(self.shared))
    }

    /// Looks elsewhere, sleeps if nothing is there. `None` to look at everything anew.
    #[cold]
    pub(super) fn search(&mut self, guard: &mut Option<reclaim::Guard>) -> Option<Ready> {
        cpu::interrupt();
        self.local.activity.end();
        self.note_stretch();
        self.begin_search();
        let mut pause = WATCH_FIRST;
        let mut woken = false;
        for seen in &mut self.seen {
            *seen = 0;
        }
        loop {
            self.look();
            if self.shared.quits() {
                self.shared.idle.transition_from_searching(self.index);
                return None;
            }
            if let Some(ready) = self.own() {
                self.begin_stretch();
                self.polled = true;
                if self.shared.idle.transition_from_searching(self.index) && self.shared.anything()
                {
                    self.shared.wake_for_surplus();
                }
                return Some(ready);
            }
            if let Some(ready) = self.steal().or_else(|| self.steal_lifo_slot(woken)) {
                let watch = self.begin_stretch();
                let last = self.shared.idle.transition_from_searching(self.index);
                // If there is more to do or to watch, another worker goes on with that. Who fills a slot later wakes one then.
                if last && (self.shared.anything() || watch && self.shared.any_slot()) {
                    self.shared.wake_for_surplus();
                }
                return Some(ready);
            }

            if self.fire_timers() {
                continue;
            }
            let all_idle = !self.shared.workers.iter().any(Remote::works);
            if all_idle || !self.shared.idle.is_searcher(self.index) {
                woken = self.sleep(guard);
                pause = WATCH_FIRST;
            } else {
                woken = self.pause(guard, pause);
                pause = (pause * 2).min(WATCH_LAST);
            }
        }
    }

    fn begin_search(&self) {
        self.shared.idle.transition_to_searching(self.index);
        watchdog::arm();
    }

    /// There is work. Whether it is to be watched.
    fn begin_stretch(&mut self) -> bool {
        self.busy_since = clock::monotonic_nanos();
        let since = self.shared.long_stretch.load(Ordering::Relaxed);
        let watch = self.busy_since.saturating_sub(since) < WATCH_FOR;
        self.local.watched.store(watch, Ordering::Relaxed);
        watch
    }

    /// Shows the watchdog that the worker is about to look at the queues.
    fn look(&self) {
        let looks = self.local.looks.load(Ordering::Relaxed);
        self.local
            .looks
            .store(looks.wrapping_add(1), Ordering::Release);
    }

    /// A stretch of work is over. A long one is noted, but not one in which the thread did not have the processor.
    fn note_stretch(&mut self) {
        let now = clock::monotonic_nanos();
        let passed = now.saturating_sub(self.busy_since);
        // A batch of events is no long callback: no watcher is needed because of it.
        if std::mem::take(&mut self.polled) || passed < LONG_STRETCH {
            self.short_stretches += passed + SEARCH;
            self.estimates += 1;
            if self.estimates == ESTIMATES {
                self.worked();
            }
            return;
        }
        if self.worked() >= LONG_STRETCH {
            self.shared.long_stretch.store(now, Ordering::Relaxed);
        }
    }

    /// CPU time since the last look at it, less what short stretches took, about.
    fn worked(&mut self) -> u64 {
        let cpu = clock::thread_cpu_nanos();
        let worked = cpu
            .saturating_sub(self.cpu_seen)
            .saturating_sub(self.short_stretches);
        self.cpu_seen = cpu;
        self.short_stretches = 0;
        self.estimates = 0;
        worked
    }

    /// Whether another is in the same callback as at the last look.
    fn long_callback(&mut self) -> bool {
        let mut long = false;
        for (seen, other) in self.seen_messages.iter_mut().zip(&self.shared.workers) {
            let now = other.activity.count();
            long |= *seen == now && other.activity.is_busy();
            *seen = now;
        }
        long
    }

    /// What this worker made ready itself while it waited for socket events.
    fn own(&self) -> Option<Ready> {
        self.local
            .take_lifo_slot(self.shared)
            .or_else(|| self.local.queue.pop())
    }

    /// Takes from the shared queue or another worker's ring.
    fn steal(&self) -> Option<Ready> {
        if let Some(ready) = self.local.take_shared(self.shared) {
            return Some(ready);
        }
        let workers = &self.shared.workers;
        (1..workers.len())
            .map(|i| &workers[(self.index + i) % workers.len()])
            .find_map(|victim| self.local.steal_from(victim))
    }

    /// Takes the slot of a worker that is in the same turn as at the last look, or (just `woken`) as when it woke this one, or
    /// as when the watchdog found it held up.
    fn steal_lifo_slot(&mut self, woken: bool) -> Option<Ready> {
        for (i, victim) in self.shared.workers.iter().enumerate() {
            if i == self.index {
                continue;
            }
            let ticks = victim.ticks.load(Ordering::Relaxed);
            let held_up = self.seen[i] == ticks
                || (woken && victim.woke_at.load(Ordering::Relaxed) == ticks)
                || victim.held_at.load(Ordering::Relaxed) == ticks;
            self.seen[i] = ticks;
            if held_up && let Some(ready) = victim.lifo_slot.take() {
                victim.reset_notify_backoff();
                return Some(ready);
            }
        }
        None
    }

    /// Makes ready whose timers are due. False if none are, or another thread is at it.
    fn fire_timers(&self) -> bool {
        let due = H::timer_due();
        if due == u64::MAX || due > clock::monotonic_nanos() {
            return false;
        }
        // As a thread that is no worker: in the order of the timers, and where all workers find them.
        let local = WORKER.take();
        let fired = H::fire_timers();
        WORKER.set(local);
        fired
    }

    /// Sleeps until it is woken, until a timer is due, or until there are socket events; the worker searches again after. False if it was
    /// not woken.
    fn sleep(&mut self, guard: &mut Option<reclaim::Guard>) -> bool {
        let (shared, index) = (self.shared, self.index);
        let idle = &shared.idle;
        let lease = H::try_poll_lease(false);
        if !idle.transition_to_parked(index, lease.is_some()) {
            self.begin_search();
            return true;
        }
        let awake = || {
            let woken = idle.transition_from_parked(index);
            watchdog::arm();
            woken
        };
        // A last look. Slots of others count only when no other worker is left that would look at them.
        if shared.anything() || shared.quits() || (idle.searcher().is_none() && shared.any_slot()) {
            awake();
            return true;
        }
        if clock::is_virtual() {
            // The clock may have waited for this worker.
            watchdog::TIMER.ring();
        }
        *guard = None;
        alloc::before_sleep();
        let timed = Timed::new(shared, index, H::timer_due());
        let limit = timed.as_ref().map(Timed::limit);
        if let Some(lease) = lease {
            return self.poll(lease, limit, guard, &awake);
        }
        match limit {
            Some(limit) => idle.parker(index).sleep_for(limit),
            None => idle.parker(index).sleep(),
        }
        *guard = Some(reclaim::enter());
        awake()
    }

    /// Sleeps in a wait for socket events, which the parker knows of. `awake` is called when that is over and nothing is
    /// delivered yet; it answers whether the worker was woken, and so does this.
    fn poll(
        &self,
        lease: H::PollLease,
        limit: Option<Duration>,
        guard: &mut Option<reclaim::Guard>,
        awake: &dyn Fn() -> bool,
    ) -> bool {
        let mut woken = true;
        H::poll(lease, limit, &mut || {
            *guard = Some(reclaim::enter());
            woken = awake();
        });
        woken
    }

    /// The watcher sleeps between two looks. True if it was woken.
    fn pause(&mut self, guard: &mut Option<reclaim::Guard>, time: Duration) -> bool {
        let (shared, watcher) = (self.shared, self.index + 1);
        shared.watcher.store(watcher, Ordering::SeqCst);
        // Another may be the watcher by now, if this thread did not run for long.
        let awake = || {
            let (held, free) = (Ordering::SeqCst, Ordering::Relaxed);
            let _ = shared.watcher.compare_exchange(watcher, 0, held, free);
        };
        // A worker that filled its slot between the look and this store could not notify this one: look again soon.
        let held_up = |(other, seen): (&Remote, &u64)| {
            other.ticks.load(Ordering::Relaxed) == *seen && !other.lifo_slot.is_empty()
        };
        let mut others = shared.workers.iter().zip(&self.seen);
        let time = if others.any(held_up) {
            WATCH_FIRST
        } else {
            time
        };
        if shared.anything() || shared.quits() {
            awake();
            return false;
        }
        // What this worker delivers itself is not for others to wake it for.
        *guard = None;
        let parker = shared.idle.parker(self.index);
        if self.long_callback()
            && let Some(lease) = H::try_poll_lease(true)
        {
            return self.poll_briefly(lease, time, guard, &awake);
        }
        let woken = parker.sleep_briefly(time);
        if !woken && let Some(lease) = H::try_poll_lease(true) {
            // Those that are watched will poll themselves soon; events that have piled up meanwhile are worth a look.
            return self.poll_briefly(lease, Duration::ZERO, guard, &awake);
        }
        *guard = Some(reclaim::enter());
        awake();
        woken
    }

    /// [`Worker::poll`] of the watcher.
    fn poll_briefly(
        &self,
        lease: H::PollLease,
        time: Duration,
        guard: &mut Option<reclaim::Guard>,
        awake: &dyn Fn(),
    ) -> bool {
        let parker = self.shared.idle.parker(self.index);
        if parker.begin_poll() {
            return self.poll(lease, Some(time), guard, &|| {
                let ended = parker.end();
                awake();
                ended != Ended::ByItself
            });
        }
        *guard = Some(reclaim::enter());
        awake();
        true
    }
}
