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
