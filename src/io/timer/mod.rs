//! Timeouts with a resolution of one centisecond, or of a millisecond, without ticking.
//!
//! A worker without work sleeps until the next timer is due, and delivers it ([`fire_some`]), so that one thread has to be
//! given time for it and no more. If none does so in time, the timer thread does ([`thread_main`]), and if that
//! is late too, the monitor thread ([`update_if_late`]). Delivery is a message of type RESPONSE from source 0, outside of
//! the lock. The thread that delivers has a [`lease`] for it, which it loses if it does not go on; timers of one service keep
//! their order then too ([`hands`]).
//!
//! The timer thread sleeps until a little after the next event of the [`wheel`] (or for ever); an earlier new timer sets its
//! alarm, which wakes no thread. The signal handler and the end of the node wake it.
//!
//! Timers in milliseconds ([`timeout_millis`]) have a wheel of their own ([`resolution`]), made when the first one is set:
//! those in centiseconds cost and do what they did.
//!
//! With virtual time the clock waits for the timer thread, which moves it and delivers: see [`virtual_time`].

mod delivery;
mod hands;
mod lease;
mod resolution;
mod slab;
mod sleeper;
mod virtual_time;
mod wheel;

use crate::actor::service::{self, ThreadClass};
use crate::base::clock;
use crate::base::message::{Message, ptype};
use crate::scheduler::{self, watchdog};
use delivery::{Delivered, Delivery};
use lease::{Lease, Progress, Turn};
use resolution::{Centis, Millis, Resolution};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub use virtual_time::elsewhere;

struct Timers {
    centis: Resolution<Centis>,
    millis: Resolution<Millis>,
    lease: Lease,
    stopped: AtomicBool,
}

static TIMERS: OnceLock<Timers> = OnceLock::new();
/// A worker that sleeps until a timer is due has so many nanoseconds to come to it, before the timer thread does. What is due
/// while all workers are busy is later by so much.
const GRACE: u64 = 300_000;
/// A thread is late by so many nanoseconds: another delivers in its place. A fifth of the tick of most timers
/// (docs/internals/scheduler.md, "How long a thread is waited for").
const LATE: u64 = 2_000_000;
/// A worker delivers so many timers in a row, about. More are left to the timer thread, so that workers begin to handle them
/// meanwhile.
const FEW: usize = 1024;

fn timers() -> &'static Timers {
    TIMERS.get_or_init(|| {
        clock::init();
        Timers {
            centis: Resolution::new(),
            millis: Resolution::new(),
            lease: Lease::new(),
            stopped: AtomicBool::new(false),
        }
    })
}

/// Starts the clock and the timers of this process.
pub fn init() {
    timers().stopped.store(false, Ordering::Release);
}

/// Sends a RESPONSE with `session` to the service `handle` after `centis` centiseconds; with 0 or less at once, behind the
/// messages that are already queued. Answers the session, or -1 when it is to be sent at once and there is no such service.
pub fn timeout(handle: u32, centis: i32, session: i32) -> i32 {
    if centis <= 0 {
        let message = Message::empty(0, ptype::RESPONSE, session);
        return if service::push(handle, message) {
            session
        } else {
            -1
        };
    }
    add(handle, centis, session);
    session
}

/// Adds a timer in the future; answers its place.
fn add(handle: u32, centis: i32, session: i32) -> u32 {
    let (place, alarm) = timers().centis.add(centis as u64, handle, session);
    set_alarms(alarm);
    place
}

/// [`timeout`] for [`cancel`], which wants the place; none if the message is sent at once.
pub fn timeout_to_cancel(handle: u32, centis: i32, session: i32) -> Option<u32> {
    if centis <= 0 {
        timeout(handle, centis, session);
        return None;
    }
    Some(add(handle, centis, session))
}

/// Takes back a timer of [`timeout_to_cancel`]. False: it has fired, so that its message is on the way or has come.
pub fn cancel(handle: u32, place: u32, session: i32) -> bool {
    timers().centis.cancel(place, handle, session)
}

/// [`timeout`] in milliseconds.
pub fn timeout_millis(handle: u32, millis: i32, session: i32) -> i32 {
    if millis <= 0 {
        return timeout(handle, 0, session);
    }
    set_alarms(timers().millis.add(millis as u64, handle, session).1);
    session
}

/// For a timer that is due at `due`, which is earlier than those that the threads know of. Wakes none of them.
#[inline]
fn set_alarms(due: Option<u64>) {
    if let Some(due) = due {
        watchdog::TIMER.at_latest(due + GRACE);
        watchdog::MONITOR.at_latest(due + GRACE + LATE);
    }
}

/// Number of pending timers.
pub fn pending() -> usize {
    timers().centis.pending() + timers().millis.pending()
}

/// When there is something to do for a thread that finds the time, in nanoseconds of the monotonic clock; `u64::MAX`: never.
/// With virtual time never: the clock waits for the timer thread.
#[inline]
pub fn due() -> u64 {
    match TIMERS.get() {
        Some(timers) if !clock::is_virtual() => timers.next(),
        _ => u64::MAX,
    }
}

impl Timers {
    /// When the next timer fires, or timers move to a lower level of a wheel, in nanoseconds of the node's clock.
    #[inline]
    fn next(&self) -> u64 {
        self.centis.due().min(self.millis.due())
    }

    /// Whether timers that are due wait for a thread that has stopped.
    fn hold(&self) -> bool {
        self.centis.holds() || self.millis.holds()
    }
}

/// Delivers everything that is due, for a host that has a loop of its own. Waits for another thread that does it.
pub fn update() {
    let mut other = Other::default();
    while !other.update(clock::monotonic_nanos()) {
        thread::yield_now();
    }
}

/// A worker: delivers what is due, unless another thread does (false), or the first few.
pub fn fire_some() -> bool {
    let Some(turn) = timers().lease.try_take() else {
        return false;
    };
    if !deliver(turn, FEW) {
        watchdog::TIMER.ring();
    }
    true
}

/// Another thread than the timer thread, at time `now`: delivers what that thread should have delivered for some time.
/// When to look again. Waits for no other thread.
pub fn update_if_late(other: &mut Other, now: u64) -> u64 {
    let late = due().saturating_add(GRACE + LATE);
    if late > now {
        return late;
    }
    scheduler::timer_is_late(now);
    other.update(now);
    now + LATE
}

/// What a thread has seen of the one that delivers.
#[derive(Default)]
pub struct Other {
    seen: Progress,
    since: u64,
}

impl Other {
    /// Delivers what is due, unless another thread does and goes on. False: it is to be looked at again soon.
    fn update(&mut self, now: u64) -> bool {
        let turn = self.turn(now);
        turn.is_some_and(|turn| deliver(turn, usize::MAX))
    }

    /// The right to deliver, also that of a thread that has not gone on for some time.
    fn turn(&mut self, now: u64) -> Option<Turn> {
        let lease = &timers().lease;
        if let Some(turn) = lease.try_take() {
            return Some(turn);
        }
        let seen = lease.progress();
        if seen != self.seen {
            (self.seen, self.since) = (seen, now);
            return None;
        }
        let patient = now.saturating_sub(self.since) < LATE;
        (!patient).then(|| lease.take_from(seen)).flatten()
    }
}

/// Delivers what is due, `most` timers at most. False if it was not all.
fn deliver(turn: Turn, most: usize) -> bool {
    let timers = timers();
    let mut delivery = Delivery::new(&timers.lease, &turn, most);
    let send = |(handle, session)| {
        // A service that is gone does not need its timers.
        let _ = service::push(handle, Message::empty(0, ptype::RESPONSE, session));
    };
    let mut delivered = delivery.run(&timers.centis, send);
    if delivered == Delivered::All {
        delivered = delivery.run(&timers.millis, send);
    }
    timers.lease.give_back(turn);
    if delivered == Delivered::Released {
        watchdog::TIMER.ring();
        watchdog::MONITOR.at_latest(clock::monotonic_nanos() + LATE);
    }
    delivered == Delivered::All
}

/// Virtual time: lets 1/100 s pass, and delivers what is due then.
pub fn pass_tick() {
    clock::pass_tick();
    update();
}

/// Makes the timer thread look around. May be called in a signal handler.
pub fn wake() {
    watchdog::TIMER.ring();
}

/// Before the timer thread starts. See [`Alarm::open`](crate::base::alarm::Alarm::open).
pub fn open() -> std::io::Result<Option<std::io::Error>> {
    watchdog::TIMER.open()
}

/// Ends [`thread_main`].
pub fn stop() {
    timers().stopped.store(true, Ordering::Release);
    watchdog::TIMER.ring();
}

/// Body of the timer thread: until [`stop`], or until no service is left (the thread that makes that happen calls
/// [`wake`]). Calls `look_around` with the time whenever it wakes up, which says when it wants to look again.
pub fn thread_main(look_around: impl Fn(u64) -> u64) {
    service::init_thread(ThreadClass::Timer);
    let timers = timers();
    if clock::is_virtual() {
        return virtual_time::thread_main(look_around);
    }
    let mut watch = watchdog::Watch::default();
    let mut other = Other::default();
    loop {
        watchdog::TIMER.reset();
        let now = clock::monotonic_nanos();
        let around = look_around(now);
        let mut updated = true;
        if due() <= now {
            scheduler::timer_is_late(now);
            updated = other.update(now);
        }
        if timers.stopped.load(Ordering::Acquire) || service::total() == 0 {
            return;
        }
        let due = timers.centis.set_alarm().min(timers.millis.set_alarm());
        let now = clock::monotonic_nanos();
        let mut until = due.saturating_add(GRACE);
        if !updated {
            until = until.max(now + LATE);
        }
        // Another thread delivers if this one does not wake up in time.
        watchdog::MONITOR.at_latest(until.saturating_add(LATE));
        let look = watchdog::look_if_late(&mut watch, now);
        watchdog::TIMER.sleep(until.min(look).min(around));
        timers.centis.clear_alarm();
        timers.millis.clear_alarm();
    }
}
