//! Timeouts with a resolution of one centisecond, or of a millisecond, without ticking.
//!
//! [`thread_main`] sleeps until the next event of the [`wheel`] (or for ever), an earlier new timer wakes it, and so do the
//! signal handler and the end of the node. Delivery is a message of type RESPONSE from source 0, outside of the lock.
//! When the system does not run that thread in time, the monitor thread delivers in its place ([`update_if_late`]).
//!
//! Timers in milliseconds ([`timeout_millis`]) have a wheel of their own, made when the first one is set: those in
//! centiseconds cost and do what they did.
//!
//! With virtual time the clock waits for the timer thread, which moves it: see [`virtual_time`].
//!
//! Locks: `firing` is held by the thread that delivers, so that two callers of [`update`] cannot overtake each other;
//! `state` is held for at most one step of the wheel.

mod slab;
mod virtual_time;
mod wheel;

use crate::actor::service::{self, ThreadClass};
use crate::alloc::memory;
use crate::base::clock;
use crate::base::message::{Message, ptype};
use crate::scheduler::watchdog;
use parking_lot::{Mutex, MutexGuard};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use wheel::{BATCH, Fired, Step, Wheel};

struct State {
    wheel: Wheel,
    /// Tick for which the timer thread has set its alarm; a timer before it must wake the thread. 0: it is awake.
    alarm: u64,
}

/// The wheel of milliseconds; its alarm is as that of [`State`].
#[derive(Default)]
struct Fine {
    wheel: Option<Wheel>,
    alarm: u64,
}

struct Timers {
    state: Mutex<State>,
    fine: Mutex<Fine>,
    firing: Mutex<()>,
    stopped: AtomicBool,
}

static TIMERS: OnceLock<Timers> = OnceLock::new();
/// The timer thread is late by so many nanoseconds: another thread delivers in its place.
const LATE: u64 = 2_000_000;

fn timers() -> &'static Timers {
    TIMERS.get_or_init(|| {
        clock::init();
        Timers {
            state: Mutex::new(State {
                wheel: Wheel::new(clock::now()),
                alarm: 0,
            }),
            fine: Mutex::default(),
            firing: Mutex::new(()),
            stopped: AtomicBool::new(false),
        }
    })
}

/// Starts the clock and the timers of this process.
pub fn init() {
    timers().stopped.store(false, Ordering::Release);
}

/// Whether the timer thread, asleep until `alarm`, has to wake for a timer; it counts as awake then.
#[inline(always)]
fn comes_before(alarm: &mut u64, expiry: u64) -> bool {
    let earlier = expiry < *alarm;
    if earlier {
        *alarm = 0;
    }
    earlier
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
    let mut state = timers().state.lock();
    // Under the lock, so that the wheel cannot be ahead of the clock's reading.
    let expiry = clock::now() + centis as u64;
    // Nodes are the timers', not the service's that happens to need the first of a chunk.
    let place = memory::uncharged(|| state.wheel.add(expiry, handle, session));
    let wake = comes_before(&mut state.alarm, expiry);
    drop(state);
    if wake {
        watchdog::TIMER.ring();
    }
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
    let mut state = timers().state.lock();
    memory::uncharged(|| state.wheel.cancel(place, handle, session))
}

/// [`timeout`] in milliseconds.
pub fn timeout_millis(handle: u32, millis: i32, session: i32) -> i32 {
    if millis <= 0 {
        return timeout(handle, 0, session);
    }
    let mut fine = timers().fine.lock();
    // Under the lock, as above. A timer is never early: what is left of the present millisecond does not count.
    let now = clock::millis();
    let expiry = now + millis as u64 + 1;
    memory::uncharged(|| {
        let wheel = fine.wheel.get_or_insert_with(|| Wheel::new(now));
        wheel.add(expiry, handle, session);
    });
    let wake = comes_before(&mut fine.alarm, expiry);
    drop(fine);
    if wake {
        watchdog::TIMER.ring();
    }
    session
}

/// Number of pending timers.
pub fn pending() -> usize {
    let timers = timers();
    let fine = timers.fine.lock().wheel.as_ref().map_or(0, Wheel::len);
    timers.state.lock().wheel.len() + fine
}

/// Delivers everything that is due. The timer thread does it; so does a host that has a loop of its own.
pub fn update() {
    let firing = timers().firing.lock();
    deliver(firing);
}

/// [`update`], unless another thread does it at the moment. When that was not possible, it is to be looked at again soon.
fn try_update() -> bool {
    timers().firing.try_lock().map(deliver).is_some()
}

/// Another thread than the timer thread, at time `now`: delivers what that thread should have delivered for some time.
/// When to look again. Waits for no other thread.
pub fn update_if_late(now: u64) -> u64 {
    if clock::is_virtual() {
        // Nothing is late: the clock waits for the timer thread.
        return u64::MAX;
    }
    match next_due() {
        Some(due) if due.saturating_add(LATE) > now => due.saturating_add(LATE),
        Some(_) => {
            try_update();
            now + LATE
        }
        None => now + LATE,
    }
}

/// When there is something to do, in nanoseconds of the monotonic clock; `None` if that cannot be told without a wait.
fn next_due() -> Option<u64> {
    let timers = timers();
    let next = timers.state.try_lock()?.wheel.next_event();
    let fine = timers.fine.try_lock()?;
    let fine = fine.wheel.as_ref().and_then(Wheel::next_event);
    let next = next.map_or(u64::MAX, clock::nanos_of);
    Some(next.min(fine.map_or(u64::MAX, clock::nanos_of_millis)))
}

fn deliver(_firing: MutexGuard<'_, ()>) {
    let timers = timers();
    let mut fired = Vec::with_capacity(BATCH);
    let target = clock::now();
    fire(
        |fired| timers.state.lock().wheel.step(target, fired),
        &mut fired,
    );
    if timers.fine.lock().wheel.is_some() {
        let target = clock::millis();
        let step = |fired: &mut Vec<Fired>| match &mut timers.fine.lock().wheel {
            Some(wheel) => wheel.step(target, fired),
            None => Step::Done,
        };
        fire(step, &mut fired);
    }
}

/// Takes steps of a wheel until nothing is due, and delivers what has fired in each.
fn fire(mut step: impl FnMut(&mut Vec<Fired>) -> Step, fired: &mut Vec<Fired>) {
    loop {
        let done = step(fired) == Step::Done;
        for (handle, session) in fired.drain(..) {
            // A service that is gone does not need its timers.
            let _ = service::push(handle, Message::empty(0, ptype::RESPONSE, session));
        }
        if done {
            return;
        }
    }
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

/// Before the timer thread starts.
pub fn open() -> std::io::Result<()> {
    watchdog::TIMER.open()
}

/// Ends [`thread_main`].
pub fn stop() {
    timers().stopped.store(true, Ordering::Release);
    watchdog::TIMER.ring();
}

/// Body of the timer thread: until [`stop`], or until no service is left (the thread that makes that happen calls
/// [`wake`]). Calls `look_around` whenever it wakes up.
pub fn thread_main(look_around: impl Fn()) {
    service::init_thread(ThreadClass::Timer);
    let timers = timers();
    if clock::is_virtual() {
        return virtual_time::thread_main(look_around);
    }
    let mut watch = watchdog::Watch::default();
    loop {
        watchdog::TIMER.reset();
        look_around();
        let updated = try_update();
        if timers.stopped.load(Ordering::Acquire) || service::total() == 0 {
            return;
        }
        let mut state = timers.state.lock();
        let next = state.wheel.next_event();
        state.alarm = next.unwrap_or(u64::MAX);
        drop(state);
        let mut until = next.map_or(u64::MAX, clock::nanos_of);
        let mut fine = timers.fine.lock();
        let next = fine.wheel.as_ref().and_then(Wheel::next_event);
        fine.alarm = next.unwrap_or(u64::MAX);
        drop(fine);
        until = until.min(next.map_or(u64::MAX, clock::nanos_of_millis));
        let now = clock::monotonic_nanos();
        if !updated {
            until = until.max(now + LATE);
        }
        // Another thread delivers if this one does not wake up in time.
        watchdog::MONITOR.at_latest(until.saturating_add(LATE));
        let look = watchdog::look_if_late(&mut watch, now);
        watchdog::TIMER.sleep(until.min(look));
        timers.state.lock().alarm = 0;
        timers.fine.lock().alarm = 0;
    }
}
