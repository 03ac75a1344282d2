//! The module of `skynet_md5` as a `.so` that Lua 5.5 loads.

pub use skynet_md5::*;
