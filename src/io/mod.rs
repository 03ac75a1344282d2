//! Where messages come from besides services: sockets and timers.

pub mod socket;
pub mod timer;
