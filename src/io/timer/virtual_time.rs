//! The timer thread of a node whose time is virtual: when nothing happens any more before the next timer fires, the clock
//! jumps there.
//!
//! # When the clock may jump
//!
//! The clock stands still while services work. It jumps to the next timer when, at one moment, all of this holds:
//!
//! 1. No service runs and none is ready: all workers sleep, and the run queues are empty ([`crate::scheduler::stillness`]).
//! 2. The I/O thread sleeps, has no command, and the kernel has no event for it.
//! 3. No socket is awaited ([`socket::at_rest`]): no name is being looked up and no connection being made; every open
//!    connection has both of its ends in this node, and what one end has sent the other has read, unless its owner does not
//!    read. Listening sockets are not awaited, nor are connections whose owner has not started them.
//! 4. No timer is due at the present time, nor held for a thread that has stopped with earlier ones ([`super::hands`]).
//! 5. Nothing is under way *elsewhere*: what other threads do for a service, which says so by the command `ELSEWHERE`
//!    ([`elsewhere`]). Services in Rust do so for `ctx.offload` and `ctx.elsewhere`. It counts as work of services.
//!
//! While 3. does not hold because of something outside of the node (a connection to another process, a look-up, a datagram
//! socket, a descriptor of the application's own), whatever it is may take real time, so the clock goes on as a real one.
//! It does so too when services have worked for [`BUSY`] without a pause, as a loop may wait for the clock. In a seeded
//! order, in which no clock of the machine may have a part, turns are counted instead ([`seeded`]).
//!
//! What the node does not know of is not waited for: threads and processes that a module in C starts, and their messages, unless it
//! says that they are under way.
//!
//! # Why it never jumps too early
//!
//! What makes a service ready is a worker, the I/O thread, or this thread. The workers' turns and those of the I/O thread are
//! counted, so if the counts are the same before and behind the looks at 1., 2. and 3., these held at one moment between
//! (`loom_the_clock_does_not_jump_while_something_is_ready` in [`crate::scheduler::stillness`]). After that moment only this thread
//! can end them, or the world outside, whose messages might as well have come behind the jump. What is under way elsewhere has its
//! ends counted in the same way: if nothing was at both looks and nothing has ended in between, nothing was all the time, as what begins
//! in between would have ended in between; and the messages of what ended before are in their mailboxes.

pub mod elsewhere;

use super::{timers, update};
use crate::actor::service;
use crate::base::clock;
use crate::io::socket::{self, Rest};
use crate::scheduler::{seeded, stillness, watchdog};
use std::sync::atomic::Ordering;

/// Services that work for so many nanoseconds without a pause may be waiting for the clock.
const BUSY: u64 = 1_000_000_000;
/// Bytes between two sockets of the node are on their way: they are looked for this soon, in nanoseconds.
const SOON: u64 = 1_000_000;

/// What the node is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Services, or the I/O thread, have something to do. Whoever ends that wakes this thread.
    Busy,
    /// Nothing happens for a moment.
    InFlight,
    /// Nothing happens before something outside does.
    Outside,
    /// Nothing happens before the next timer.
    Still,
}

fn state() -> State {
    let Some(elsewhere) = elsewhere::look() else {
        return State::Busy;
    };
    let Some(workers) = stillness::look() else {
        return State::Busy;
    };
    if timers().hold() {
        return State::Busy;
    }
    let turns = socket::turns();
    let rest = socket::at_rest();
    let is_same = socket::turns() == turns
        && stillness::look() == Some(workers)
        && elsewhere::look() == Some(elsewhere);
    if rest == Rest::Busy || !is_same {
        return State::Busy;
    }
    match rest {
        Rest::InFlight => State::InFlight,
        Rest::Outside => State::Outside,
        _ => State::Still,
    }
}

/// In the place of [`super::thread_main`].
pub(super) fn thread_main(look_around: impl Fn(u64) -> u64) {
    let timers = timers();
    let mut watch = watchdog::Watch::default();
    let mut busy_since = clock::monotonic_nanos();
    loop {
        watchdog::TIMER.reset();
        let around = look_around(clock::monotonic_nanos());
        // In a seeded order services are not disturbed in the middle of a step.
        let state = match seeded::try_between_steps() {
            Some(_between) => {
                update();
                state()
            }
            None => State::Busy,
        };
        if timers.stopped.load(Ordering::Acquire) || service::total() == 0 {
            return;
        }
        let now = clock::monotonic_nanos();
        if state != State::Busy {
            busy_since = now;
        }
        let next = timers.next();
        match state {
            State::Still if next != u64::MAX => {
                clock::jump_to(next);
                continue;
            }
            State::Still => {}
            State::Outside => clock::run(),
            State::Busy if now - busy_since >= BUSY && !seeded::is_on() => clock::run(),
            State::Busy | State::InFlight => {}
        }
        let mut until = match state {
            State::InFlight => now + SOON,
            State::Busy => busy_since.max(now) + BUSY,
            State::Still | State::Outside => u64::MAX,
        };
        if let Some(distance) = clock::distance(next) {
            until = until.min(now.saturating_add(distance));
        }
        let look = watchdog::look_if_late(&mut watch, now);
        watchdog::TIMER.sleep(until.min(look).min(around));
    }
}
