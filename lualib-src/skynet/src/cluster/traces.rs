//! How many requests of other nodes this one traces: strangers can ask for it, and each costs lines of the log.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use libc::c_int;
use skynet_support::State;
use skynet_sys::skynet_now;

/// Those of all connections of this node.
static TRACED: Traced = Traced(AtomicU64::new(0));

/// Bits for the number of a second; above them stands which second that is.
const COUNT: u32 = 24;

struct Traced(AtomicU64);

impl Traced {
    /// Whether one more may be traced in that second; it is counted.
    fn admit(&self, second: u64, most: u64) -> bool {
        let most = most.min((1 << COUNT) - 1);
        let next = |state: u64| {
            // A second from before, of a thread that was stopped since it has looked at the clock, is this one.
            let second = second.max(state >> COUNT);
            let count = match state >> COUNT == second {
                true => state & ((1 << COUNT) - 1),
                false => 0,
            };
            (count < most).then_some(second << COUNT | (count + 1))
        };
        self.0.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

/// `admittrace(most)`: whether one more request may be traced, when there may be so many in a second.
pub(super) fn admittrace(state: State<'_>) -> c_int {
    let most = u64::try_from(state.check_integer(1)).unwrap_or(0);
    // SAFETY: no precondition.
    let second = unsafe { skynet_now() } / 100;
    state.push_boolean(TRACED.admit(second, most));
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_are_traced_in_each_second() {
        let traced = Traced(AtomicU64::new(0));
        let in_second = |second, most| (0..100).filter(|_| traced.admit(second, most)).count();
        assert_eq!(in_second(0, 5), 5);
        assert_eq!(in_second(7, 5), 5);
        assert_eq!(in_second(6, 5), 0, "a clock that was read earlier");
        assert_eq!(in_second(8, 0), 0);
        assert_eq!(in_second(9, u64::MAX), 100);
    }
}
