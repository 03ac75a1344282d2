//! The threads of a node.

use crate::base::panic;
use crate::diag::crash;
use std::io;
use std::process::exit;
use std::thread::{Builder, JoinHandle};

/// Stack of every thread; what C services had under the C core, where it is the system's default.
const STACK: usize = 8 << 20;

/// A thread; a panic in it ends the process.
pub(super) fn try_spawn(
    name: String,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name).stack_size(STACK).spawn(move || {
        crash::init_thread();
        panic::thread(body);
    })
}

/// As [`try_spawn`]; without it the node cannot start.
pub(super) fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    try_spawn(name, body).unwrap_or_else(|reason| {
        eprintln!("Create thread failed: {reason}");
        exit(1);
    })
}
