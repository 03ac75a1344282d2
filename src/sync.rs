//! The std/loom facade: concurrent parts take their primitives from here, so that loom can model them
//! (the feature `loom`).

#[cfg(not(feature = "loom"))]
pub use std::{
    hint,
    sync::{Arc, atomic},
    thread,
};

// Not std's: ThreadSanitizer sees what a crate is compiled for, and std comes compiled.
#[cfg(not(feature = "loom"))]
pub use parking_lot::Mutex;

#[cfg(feature = "loom")]
pub use loom::{
    hint,
    sync::{Arc, atomic},
    thread,
};

#[cfg(feature = "loom")]
pub use model::Mutex;

#[cfg(feature = "loom")]
mod model {
    /// Loom's mutex with parking_lot's interface.
    pub struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        /// An unlocked mutex.
        pub fn new(value: T) -> Mutex<T> {
            Mutex(loom::sync::Mutex::new(value))
        }

        /// Waits for the lock, which is held until the guard is dropped.
        pub fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("no panic inside")
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
