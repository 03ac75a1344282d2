//! The modules of `skynet_ltls` as a `.so` that Lua 5.5 loads.

pub use skynet_ltls::*;
