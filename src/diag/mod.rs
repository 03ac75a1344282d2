//! What is told of a node: reports of crashes and of messages that run for too long, figures, memory.

pub mod crash;
pub mod figures;
pub mod memory;
pub mod snapshot;
pub mod stuck;
