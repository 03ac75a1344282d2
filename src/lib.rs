//! skynet's core in Rust.
//!
//! The modules in the order in which a message meets them: [`message`] -> [`handle`] (who is it for) -> [`mailbox`]
//! (queue of one service) -> [`scheduler`] (run queues, workers, wake-up) -> [`service`] (context, dispatch, commands);
//! [`blocks`] is what it is made of.
//! Message sources: [`timer`], [`socket`], [`signals`], [`harbor`]. Where callbacks come from: [`module`], [`builtin`].
//! What watches and serves: [`env`], [`log`], [`crash`], [`memory`], [`clock`], [`reclaim`]. [`start`] puts a node together,
//! [`startup`] looks at one whose first service fails, [`shutdown`] ends it in order, and [`abi`] is the C interface to all of it.

pub mod abi;
pub(crate) mod alarm;
pub mod blocks;
pub mod builtin;
#[cfg(feature = "lua")]
pub mod check;
#[cfg(feature = "lua")]
pub mod cli;
pub mod clock;
pub mod config;
pub mod crash;
pub mod daemon;
#[cfg(feature = "lua")]
pub mod elf;
pub mod env;
pub mod figures;
pub mod handle;
pub mod harbor;
pub mod limits;
pub mod log;
pub mod mailbox;
pub mod memory;
pub mod message;
pub mod module;
pub mod reclaim;
pub mod release;
pub mod scheduler;
pub mod service;
pub mod shutdown;
pub mod signals;
pub mod socket;
pub mod start;
pub mod startup;
pub mod sync;
pub mod timer;
