//! What the workers of a node do: the turns of services, the sockets, and the timers.

use crate::actor::service;
use crate::alloc::reclaim::Guard;
use crate::io::socket::{self, PollLease};
use crate::io::timer;
use crate::scheduler::{Activity, Host, Ready, TimesliceResult};
use std::time::Duration;

/// See [`Host`].
pub(super) enum Node {}

impl Host for Node {
    type PollLease = PollLease<'static>;

    #[inline(always)]
    fn turn(ready: Ready, guard: &Guard, activity: &Activity, budget: usize) -> TimesliceResult {
        let result = service::turn(ready, guard, activity, budget);
        socket::end_turn();
        result
    }

    #[inline]
    fn try_poll_lease(briefly: bool) -> Option<PollLease<'static>> {
        socket::try_poll_lease(briefly)
    }

    #[inline]
    fn poll(lease: PollLease<'static>, limit: Option<Duration>, awake: &mut dyn FnMut()) {
        socket::poll(lease, limit, awake);
    }

    #[inline]
    fn timer_due() -> u64 {
        timer::due()
    }

    fn fire_timers() -> bool {
        timer::fire_some()
    }
}
