//! skynet's core in Rust.
//!
//! The modules in the order in which a message meets them: [`message`] -> [`handle`] (who is it for) ->
//! `mailbox` (queue of one service) -> `scheduler` (run queues, workers) -> [`service`] (context, dispatch).

pub mod abi;
pub mod builtin;
pub mod handle;
pub mod message;
pub mod service;
pub mod socket;
pub mod sync;
