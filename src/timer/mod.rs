//! Timeouts with a resolution of one centisecond, or of a millisecond, without ticking.
//!
//! [`thread_main`] sleeps until the next event of the [`wheel`] (or for ever), an earlier new timer wakes it, and so do the
//! signal handler and the end of the node. Delivery is a message of type RESPONSE from source 0, outside of the lock.
//!
//! Timers in milliseconds ([`timeout_millis`]) have a wheel of their own, made when the first one is set: those in
//! centiseconds cost and do what they did.
//!
//! Locks: `firing` is held by whoever delivers, so that two callers of [`update`] cannot overtake each other; `state` is
//! held for at most one step of the wheel.

mod park;
mod slab;
mod wheel;

use crate::message::{Message, ptype};
use crate::service::{self, ThreadClass};
use crate::{clock, memory, signals};
use parking_lot::Mutex;
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
/// mail that is already queued. Answers the session, or -1 when it is to be sent at once and there is no such service.
pub fn timeout(handle: u32, centis: i32, session: i32) -> i32 {
    if centis <= 0 {
        let message = Message::empty(0, ptype::RESPONSE, session);
        return if service::push(handle, message) {
            session
        } else {
            -1
        };
    }
    let mut state = timers().state.lock();
    // Under the lock, so that the wheel cannot be ahead of the clock's reading.
    let expiry = clock::now() + centis as u64;
    // Nodes are the timers', not the service's that happens to need the first of a chunk.
    memory::uncharged(|| state.wheel.add(expiry, handle, session));
    let wake = comes_before(&mut state.alarm, expiry);
    drop(state);
    if wake {
        park::wake();
    }
    session
}

/// [`timeout`] in milliseconds.
pub fn timeout_millis(handle: u32, millis: i32, session: i32) -> i32 {
    if millis <= 0 {
        return timeout(handle, 0, session);
    }
    let mut fine = timers().fine.lock();
    // Under the lock, as above. A timer is never early: what is left of the present millisecond does not count.
    let now = clock::monotonic_millis();
    let expiry = now + millis as u64 + 1;
    memory::uncharged(|| {
        let wheel = fine.wheel.get_or_insert_with(|| Wheel::new(now));
        wheel.add(expiry, handle, session);
    });
    let wake = comes_before(&mut fine.alarm, expiry);
    drop(fine);
    if wake {
        park::wake();
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
    let timers = timers();
    let _firing = timers.firing.lock();
    let mut fired = Vec::with_capacity(BATCH);
    let target = clock::now();
    fire(
        |fired| timers.state.lock().wheel.step(target, fired),
        &mut fired,
    );
    if timers.fine.lock().wheel.is_some() {
        let target = clock::monotonic_millis();
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

/// Makes the timer thread look around. May be called in a signal handler.
pub fn wake() {
    park::wake();
}

/// Ends [`thread_main`].
pub fn stop() {
    timers().stopped.store(true, Ordering::Release);
    park::wake();
}

/// Body of the timer thread: until [`stop`], or until no service is left (whoever makes that happen calls [`wake`]).
pub fn thread_main() {
    service::init_thread(ThreadClass::Timer);
    let timers = timers();
    loop {
        let ticket = park::ticket();
        signals::deliver();
        update();
        if timers.stopped.load(Ordering::Acquire) || service::total() == 0 {
            return;
        }
        let mut state = timers.state.lock();
        let next = state.wheel.next_event();
        state.alarm = next.unwrap_or(u64::MAX);
        drop(state);
        let mut until = next.map(clock::instant_of);
        let mut fine = timers.fine.lock();
        let next = fine.wheel.as_ref().and_then(Wheel::next_event);
        fine.alarm = next.unwrap_or(u64::MAX);
        drop(fine);
        if let Some(first) = next.map(clock::instant_of_millis)
            && until.is_none_or(|u| (first.tv_sec, first.tv_nsec) < (u.tv_sec, u.tv_nsec))
        {
            until = Some(first);
        }
        park::sleep(ticket, until);
        timers.state.lock().alarm = 0;
        timers.fine.lock().alarm = 0;
    }
}
