//! The module of `skynet_sproto` as a `.so` that Lua 5.5 loads from a path.

pub use skynet_sproto::*;
