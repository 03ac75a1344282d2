//! Tests that drive a server over the loopback interface.

#[cfg(not(loom))]
mod caps;
#[cfg(not(loom))]
mod close;
#[cfg(not(loom))]
mod concurrent;
#[cfg(not(loom))]
mod connect;
#[cfg(not(loom))]
mod harness;
#[cfg(not(loom))]
mod lead;
#[cfg(not(loom))]
mod listen;
#[cfg(loom)]
mod loom;
#[cfg(not(loom))]
#[path = "../../../tests/tools/old_kernel.rs"]
mod old_kernel;
#[cfg(not(loom))]
mod state;
#[cfg(not(loom))]
mod statistics;
#[cfg(not(loom))]
mod stream;
#[cfg(not(loom))]
mod udp;
#[cfg(not(loom))]
mod units;
