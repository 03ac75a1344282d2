//! Tests that drive a server over the loopback interface.

mod harness;

mod caps;
mod close;
mod concurrent;
mod connect;
mod listen;
#[cfg(test)]
mod state;
mod statistics;
mod stream;
mod udp;
mod units;
