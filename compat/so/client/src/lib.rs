//! The modules of `skynet_client` as a `.so` that Lua 5.5 loads.

pub use skynet_client::*;
