//! The std/loom facade: what several services use at once takes its primitives from here, so that loom can model it
//! (`RUSTFLAGS="--cfg loom" cargo test -p skynet-luaclib --lib loom`).
//!
//! The lock is parking_lot's: it is compiled with this crate, so ThreadSanitizer sees all of it, unlike that of a std
//! which is not instrumented.

#[cfg(not(loom))]
pub use parking_lot::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub use std::sync::{Arc, atomic};

#[cfg(loom)]
pub use loom::sync::{Arc, Mutex, MutexGuard, atomic};

/// Locks.
#[cfg(not(loom))]
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock()
}

/// Locks. A model whose thread has panicked has failed anyway.
#[cfg(loom)]
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
