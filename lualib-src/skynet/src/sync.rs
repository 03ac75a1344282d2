//! The std/loom facade: what several services use at once takes its primitives from here, so that loom can model it
//! (`cargo test -p skynet-luaclib --lib --features loom loom`).
//!
//! The lock is parking_lot's: it is compiled with this crate, so ThreadSanitizer sees all of it, unlike that of a std
//! which is not instrumented.

#[cfg(not(feature = "loom"))]
pub use parking_lot::{Mutex, MutexGuard};
#[cfg(not(feature = "loom"))]
pub use std::sync::{Arc, atomic};

#[cfg(feature = "loom")]
pub use loom::sync::{Arc, Mutex, MutexGuard, atomic};

/// Locks.
#[cfg(not(feature = "loom"))]
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

/// Locks. A model whose thread has panicked has failed anyway.
#[cfg(feature = "loom")]
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
