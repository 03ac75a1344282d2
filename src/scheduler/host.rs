//! What the scheduler does not know itself.

use super::Activity;
use std::time::Duration;

/// A service that has messages, as run queues hold it: a pointer that only a [`Host`] looks into.
#[repr(C)]
pub struct Ready {
    _opaque: [u8; 0],
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimesliceResult {
    /// Nothing is left; the sender of the next message schedules the service.
    Idle,
    /// Messages wait; the caller puts the service back into a run queue.
    More,
    /// The service has ended; it must not be touched any more.
    Ended,
}

/// What a worker does with its time, apart from choosing: handling messages, and waiting for socket events.
pub trait Host: 'static {
    /// The right to wait for events in place of the socket thread.
    type PollLease;

    /// Gives a service up to `budget` of its messages, and writes down what it does in `activity`.
    ///
    /// # Safety
    /// `ready` was taken from a run queue, so that the caller is the consumer of its mailbox; it is inside a guard of
    /// [`crate::alloc::reclaim`] until it has dealt with the answer.
    unsafe fn turn(ready: *mut Ready, activity: &Activity, budget: usize) -> TimesliceResult;

    /// For a worker that has nothing to do: the right to wait for events, if that is worth it; `briefly`: for less than a
    /// millisecond.
    fn try_poll_lease(briefly: bool) -> Option<Self::PollLease>;

    /// Waits for events, no longer than `limit`, and makes the services ready that get them. `awake` is called in between.
    fn poll(lease: Self::PollLease, limit: Option<Duration>, awake: &mut dyn FnMut());
}

/// What the scheduler calls, now and then, on any thread.
#[derive(Clone, Copy)]
pub struct Hooks {
    /// Ends the wait of a worker in [`Host::poll`].
    pub wake_poller: fn(),
    /// The last service has ended, and the workers stop.
    pub on_empty: fn(),
}
