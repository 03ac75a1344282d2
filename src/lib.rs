//! skynet's core in Rust.
//!
//! The modules in the order in which a message meets them: [`message`] -> [`handle`] (who is it for) ->
//! `mailbox` (queue of one service) -> `scheduler` (run queues, workers) -> [`service`] (context, dispatch).

pub mod abi;
pub mod builtin;
pub mod clock;
pub mod daemon;
pub mod env;
pub mod handle;
pub mod log;
pub mod memory;
pub mod message;
pub mod service;
pub mod signals;
pub mod socket;
pub mod sync;
pub mod timer;
