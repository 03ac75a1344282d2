//! A process: command line, config, start, signals, end.

mod at_exit;
#[cfg(feature = "lua")]
pub mod check;
#[cfg(feature = "lua")]
pub mod cli;
pub mod command;
pub mod config;
pub mod daemon;
#[cfg(feature = "lua")]
mod debugger;
mod host;
pub mod limits;
#[cfg(feature = "lua")]
mod profiles;
mod repeatable;
pub mod shutdown;
pub mod signals;
pub mod start;
pub mod startup;
mod threads;
