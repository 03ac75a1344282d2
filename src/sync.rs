//! The std/loom facade: concurrent parts take their primitives from here, so that loom can model them
//! (`RUSTFLAGS="--cfg loom"`).

#[cfg(not(loom))]
pub use std::{
    hint, thread,
    sync::{Arc, atomic},
};

#[cfg(loom)]
pub use loom::{
    hint, thread,
    sync::{Arc, atomic},
};
