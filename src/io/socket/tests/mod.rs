//! Tests that drive a server over the loopback interface.

#[cfg(not(feature = "loom"))]
mod caps;
#[cfg(not(feature = "loom"))]
mod close;
#[cfg(not(feature = "loom"))]
mod concurrent;
#[cfg(not(feature = "loom"))]
mod connect;
#[cfg(not(feature = "loom"))]
mod cork;
#[cfg(not(feature = "loom"))]
mod earlier;
#[cfg(not(feature = "loom"))]
mod harness;
#[cfg(not(feature = "loom"))]
mod listen;
#[cfg(feature = "loom")]
mod loom;
#[cfg(not(feature = "loom"))]
#[path = "../../../../tests/tools/old_kernel.rs"]
mod old_kernel;
#[cfg(not(feature = "loom"))]
mod polling;
#[cfg(not(feature = "loom"))]
mod state;
#[cfg(not(feature = "loom"))]
mod statistics;
#[cfg(not(feature = "loom"))]
mod stopped;
#[cfg(not(feature = "loom"))]
mod stream;
#[cfg(not(feature = "loom"))]
mod udp;
#[cfg(not(feature = "loom"))]
mod units;
