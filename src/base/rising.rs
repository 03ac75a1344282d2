//! How a sum stays one that only grows.

use std::sync::atomic::{AtomicU64, Ordering};

/// A sum over things that come and go, each with a counter that is added to a total when it goes. A look may miss one
/// that is on its way from here to there; what was shown before is never taken back for that.
#[derive(Default)]
pub struct Rising(AtomicU64);

impl Rising {
    /// Nothing shown yet.
    pub const fn new() -> Rising {
        Rising(AtomicU64::new(0))
    }

    /// What to show when `seen` was added up.
    pub fn show(&self, seen: u64) -> u64 {
        self.0.fetch_max(seen, Ordering::Relaxed).max(seen)
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn what_was_shown_is_not_taken_back() {
        let sum = Rising::new();
        assert_eq!([5, 3, 6].map(|seen| sum.show(seen)), [5, 5, 6]);
    }
}
