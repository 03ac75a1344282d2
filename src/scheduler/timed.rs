//! Which worker wakes up when the next timer is due.

use super::Shared;
use crate::base::clock;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The sleep of the worker that looks at the timers when the next one is due.
pub(super) struct Timed {
    shared: &'static Shared,
    due: u64,
    now: u64,
}

impl Timed {
    /// None if another worker sleeps until then or less, or if it is time already: another thread delivers then.
    pub(super) fn new(shared: &'static Shared, index: usize, due: u64) -> Option<Timed> {
        if due == u64::MAX {
            return None;
        }
        let now = clock::monotonic_nanos();
        let other = shared.timed.load(Ordering::Relaxed);
        // One whose time has passed does not run.
        if due <= now || (other > now && other <= due) {
            return None;
        }
        shared.timed_worker.store(index, Ordering::Relaxed);
        shared.timed.store(due, Ordering::Relaxed);
        Some(Timed { shared, due, now })
    }

    pub(super) fn limit(&self) -> Duration {
        Duration::from_nanos(self.due - self.now)
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        let (over, others) = (Ordering::Relaxed, Ordering::Relaxed);
        let timed = &self.shared.timed;
        let _ = timed.compare_exchange(self.due, u64::MAX, over, others);
    }
}

/// Timed sleeps of the watcher are short; the kernel's default slack of 50 us is longer than they are.
pub(super) fn precise_sleep() {
    #[cfg(target_os = "linux")]
    // SAFETY: sets a number of the calling thread (prctl(2)).
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong);
    }
}
