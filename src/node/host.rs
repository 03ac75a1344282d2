//! What the workers of a node do: the turns of services, and the sockets.

use crate::actor::service;
use crate::io::socket::{self, Leader};
use crate::scheduler::{Activity, Host, Ready, Turn};
use std::time::Duration;

/// See [`Host`].
pub(super) enum Node {}

impl Host for Node {
    type Leader = Leader<'static>;

    #[inline(always)]
    unsafe fn turn(ready: *mut Ready, activity: &Activity, budget: usize) -> Turn {
        // SAFETY: contract of this function.
        unsafe { service::turn(ready, activity, budget) }
    }

    #[inline]
    fn try_lead(briefly: bool) -> Option<Leader<'static>> {
        socket::try_lead(briefly)
    }

    #[inline]
    fn lead(leader: Leader<'static>, limit: Option<Duration>, awake: &mut dyn FnMut()) {
        socket::lead(leader, limit, awake);
    }
}
