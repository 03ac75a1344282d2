//! What runs a service: its tasks, its requests, and the way in from C.

pub(crate) mod core;
pub(crate) mod instance;
pub(crate) mod outlet;
pub(crate) mod place;
mod ready;
pub(crate) mod remote;
pub(crate) mod sessions;
pub(crate) mod sync;
pub(crate) mod task;
mod turn;
pub(crate) mod waiting;

#[cfg(all(test, feature = "loom"))]
mod models;

use self::core::schedule;
