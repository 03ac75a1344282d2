//! What the scheduler does not know itself.

use super::Activity;
use super::injector::Token;
use crate::alloc::reclaim;
use crate::base::not_impl::assert_not_impl;
use std::ptr::NonNull;
use std::time::Duration;

/// A service that has messages, together with the right to run it. Run queues hold it as a pointer that only a [`Host`] looks
/// into.
///
/// There is one for a service at most: this is no copy of a pointer, it moves, and only its holder may run the service or
/// put it into a run queue. If it is dropped the service never runs again.
#[must_use = "the service never runs again if this is lost"]
#[repr(transparent)]
#[derive(Debug, PartialEq, Eq)]
pub struct Ready(NonNull<()>);

// Two of them do not compile.
assert_not_impl!(Ready, Clone);

// SAFETY: the right to run a service is not bound to a thread.
unsafe impl Send for Ready {}

impl Token for Ready {
    fn into_raw(self) -> NonNull<()> {
        Ready::into_raw(self)
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Ready {
        // SAFETY: contract of this function.
        unsafe { Ready::from_raw(raw) }
    }
}

impl Ready {
    /// The token as a pointer, which stands for it until [`Ready::from_raw`] makes it anew.
    #[inline(always)]
    pub fn into_raw(self) -> NonNull<()> {
        self.0
    }

    /// The pointer, while the token stays what it is.
    pub fn as_raw(&mut self) -> NonNull<()> {
        self.0
    }

    /// # Safety
    /// `raw` is what the [`Host`] of the workers looks into, and stands for the right to run it, which is the caller's: it made
    /// that right, or took `raw` from where [`Ready::into_raw`] had put it, and no other thread did.
    #[inline(always)]
    pub unsafe fn from_raw(raw: NonNull<()>) -> Ready {
        Ready(raw)
    }
}

/// How a turn ended.
#[derive(Debug, PartialEq, Eq)]
pub enum TimesliceResult {
    /// Nothing is left; the sender of the next message schedules the service.
    Idle,
    /// Messages wait; the caller puts the service back into a run queue.
    More(Ready),
    /// The service has ended.
    Ended,
}

/// What a worker does with its time, apart from choosing: handling messages, and waiting for socket events and timers.
pub trait Host: 'static {
    /// The right to wait for events in place of the socket thread.
    type PollLease;

    /// Gives a service up to `budget` of its messages, and writes down what it does in `activity`. `guard` keeps the service's
    /// memory, also if the turn is its last.
    fn turn(
        ready: Ready,
        guard: &reclaim::Guard,
        activity: &Activity,
        budget: usize,
    ) -> TimesliceResult;

    /// For a worker that has nothing to do: the right to wait for events, if that is worth it; `briefly`: for less than a
    /// millisecond.
    fn try_poll_lease(briefly: bool) -> Option<Self::PollLease>;

    /// Waits for events, no longer than `limit`, and makes the services ready that get them. `awake` is called in between.
    fn poll(lease: Self::PollLease, limit: Option<Duration>, awake: &mut dyn FnMut());

    /// When the next timer is due, in nanoseconds of the monotonic clock; `u64::MAX` if there is none.
    fn timer_due() -> u64;

    /// Makes the services ready whose timers are due, or some of them. False if another thread is at it.
    fn fire_timers() -> bool;
}

/// What the scheduler calls, now and then, on any thread.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Ends the wait of a worker in [`Host::poll`].
    pub wake_poller: fn(),
    /// The last service has ended, and the workers stop.
    pub on_empty: fn(),
}
