//! How a worker takes part in what the rings had no room for.
//!
//! That is a queue that all workers share, beside the injector: what waits there has waited for a place behind others, not for a
//! thread that runs no services. So it has no precedence, as what is injected has: it comes in the order of a ring that would be
//! long enough, as if the worker's part of it stood among those in the ring. Like those, a service from here may go on in the LIFO slot.
//! To change workers costs a service all its lines of cache, and here that is paid for many messages and not for one.

use super::{OVERFLOW, Ready};

/// A worker's part of the queue, as it was when the worker last looked.
#[derive(Default)]
pub(super) struct Overflow {
    part: usize,
    /// Of `part + ring` services so many times `part` have passed since one was taken from here.
    due: usize,
}

impl Overflow {
    /// The worker's part is so many now.
    pub(super) fn set_part(&mut self, part: usize) {
        self.part = part;
    }

    /// The next service for a worker that has so many in its ring, if it is to come from here: `part` of `part + ring` times.
    #[inline]
    pub(super) fn next(&mut self, ring: impl FnOnce() -> usize) -> Option<Ready> {
        if self.part == 0 {
            return None;
        }
        if !self.is_due(ring()) {
            return None;
        }
        let ready = OVERFLOW.pop();
        if ready.is_none() {
            *self = Overflow::default();
        }
        ready
    }

    #[cold]
    fn is_due(&mut self, ring: usize) -> bool {
        let all = self.part + ring;
        self.due += self.part;
        if self.due < all {
            return false;
        }
        self.due = (self.due - all).min(all);
        true
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn of_a_thousand(part: usize, ring: usize) -> usize {
        let mut overflow = Overflow::default();
        overflow.set_part(part);
        (0..1000).filter(|_| overflow.is_due(ring)).count()
    }

    #[test]
    fn ring_and_overflow_are_served_as_they_are_long() {
        assert_eq!(of_a_thousand(256, 256), 500);
        assert_eq!(of_a_thousand(1, 249), 4);
        assert_eq!(of_a_thousand(2304, 256), 900);
        assert_eq!(of_a_thousand(7, 0), 1000);
    }

    #[test]
    fn a_part_that_has_shrunk_leaves_no_debt() {
        let mut overflow = Overflow::default();
        overflow.set_part(100_000);
        while !overflow.is_due(256) {}
        overflow.set_part(1);
        let first = (0..).find(|_| !overflow.is_due(256));
        assert!(first < Some(3), "{first:?}");
    }
}
