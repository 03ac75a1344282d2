//! What a service is: its handle, its mailbox, its context; how a message is sent and dispatched.

pub mod handle;
mod mailbox;
pub mod module;
pub mod service;
