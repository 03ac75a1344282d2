//! The std/loom facade: concurrent parts take their primitives from here, so that loom can model them
//! (the feature `loom`).

#[cfg(not(feature = "loom"))]
pub use std::{
    hint,
    sync::{Condvar, Mutex, MutexGuard, atomic},
};

#[cfg(feature = "loom")]
pub use loom::{
    hint,
    sync::{Condvar, Mutex, MutexGuard, atomic},
};

#[cfg(all(test, feature = "loom"))]
pub use model::stopping_at;

#[cfg(feature = "loom")]
mod model {
    use std::cell::Cell;

    loom::thread_local! {
        /// Stop points of the thread up to the one at which it stops; 0 if it does not.
        static LEFT: Cell<u32> = Cell::new(0);
    }

    struct Stopped;

    pub(super) fn stop_point() {
        let left = LEFT.with(|left| left.replace(left.get().saturating_sub(1)));
        if left == 1 {
            std::panic::resume_unwind(Box::new(Stopped));
        }
    }

    /// Runs `f`, which stops for ever at its `point`-th [`super::stop_point`]: nothing behind it happens. True if it came
    /// that far.
    #[cfg(test)]
    pub fn stopping_at(point: u32, f: impl FnOnce()) -> bool {
        LEFT.with(|left| left.set(point));
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f));
        LEFT.with(|left| left.set(0));
        match result {
            Ok(()) => false,
            Err(reason) if reason.is::<Stopped>() => true,
            Err(reason) => std::panic::resume_unwind(reason),
        }
    }
}

/// Loom takes sequentially consistent accesses for acquire/release ones, and models only fences fully. Where an argument
/// rests on the single order of such accesses, this stands between them; it is nothing outside of loom.
#[inline(always)]
pub fn order_for_loom() {
    #[cfg(feature = "loom")]
    atomic::fence(atomic::Ordering::SeqCst);
}

/// A place where the system may stop the thread for ever, as models have it: between two steps that others can see. It is
/// nothing outside of loom.
#[inline(always)]
pub fn stop_point() {
    #[cfg(feature = "loom")]
    model::stop_point();
}
