//! The std/loom facade: concurrent parts take their primitives from here, so that loom can model them
//! (`RUSTFLAGS="--cfg loom"`).

#[cfg(not(loom))]
pub use std::{
    hint,
    sync::{Arc, Mutex, atomic},
    thread,
};

#[cfg(loom)]
pub use loom::{
    hint,
    sync::{Arc, Mutex, atomic},
    thread,
};

/// Loom takes sequentially consistent accesses for acquire/release ones, and models only fences fully. Where an argument
/// rests on the single order of such accesses, this stands between them; it is nothing outside of loom.
#[inline(always)]
pub fn order_for_loom() {
    #[cfg(loom)]
    atomic::fence(atomic::Ordering::SeqCst);
}
