//! The module of `skynet_bson` as a `.so` that Lua 5.5 loads from a path.

pub use skynet_bson::*;
