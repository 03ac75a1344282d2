//! The boundary to C for the socket functions.

use crate::memory;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `f`, which does the node's work and not that of the service that calls: its memory is not charged. A panic is
/// logged (the panic hook has told where it was) and answered with `failed`.
pub fn guard<T>(failed: T, f: impl FnOnce() -> T) -> T {
    memory::uncharged(|| catch_unwind(AssertUnwindSafe(f))).unwrap_or_else(|_| {
        super::report("socket-server error: internal error, the call failed.");
        failed
    })
}
