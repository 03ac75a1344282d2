//! skynet's core in Rust.
//!
//! Layers, each of which uses those above it in this list only:
//!
//! - [`base`]: time, messages, the node's environment, what threads are synchronised with
//! - [`alloc`]: memory: who uses how much, blocks that go round, grace periods
//! - [`scheduler`]: run queues, workers, sleep and wake-up
//! - [`actor`]: services, handles, mailboxes; how a message is sent and dispatched
//! - [`io`]: sockets and timers, where messages come from
//! - [`services`]: where callbacks come from: modules in files, and the built-in ones
//! - [`diag`]: what is told of a node: crashes, figures
//! - [`node`]: a process: command line, config, start, end
//! - [`abi`]: the C interface to all of it

pub mod abi;
pub mod actor;
pub mod alloc;
pub mod base;
pub mod diag;
pub mod io;
#[cfg(all(test, not(feature = "loom")))]
mod layers;
pub mod node;
pub mod scheduler;
pub mod services;
