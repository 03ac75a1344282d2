//! skynet's core in Rust.
//!
//! What programs use of it is the C interface (`include/`, module `abi`): from C, and from whatever else calls C functions. The
//! Rust interface is what the executable and `crates/skynet-node` need, and no more.
//!
//! Layers, each of which uses those above it in this list only (ARCHITECTURE.md says why):
//!
//! - `base`: clock, messages, the node's environment, the log's facade, what threads are synchronised with
//! - `alloc`: memory: who uses how much, blocks that go round, grace periods
//! - `scheduler`: run queues, workers, sleep and wake-up
//! - `actor`: services, handles, mailboxes; how a message is sent and dispatched
//! - `io`: sockets and timers, where messages come from
//! - `services`: where callbacks come from: modules in files, and the built-in ones
//! - `diag`: what is told of a node: crashes, messages that run for too long, figures
//! - `node`: a process: command line, config, start, commands, end
//! - `abi`: the C interface to all of it

mod abi;
mod actor;
mod alloc;
mod base;
mod diag;
mod io;
#[cfg(all(test, not(feature = "loom")))]
mod layers;
mod node;
mod scheduler;
mod services;

#[cfg(feature = "lua")]
pub use node::cli::{check, run_config, run_node, run_settings};
pub use node::signals::ignore_pipe as ignore_broken_pipes;
#[cfg(feature = "lua")]
pub use services::builtin::embedded::{FILES as EMBEDDED, link as link_file};
pub use services::builtin::{Builtin as Linked, link as link_service};
