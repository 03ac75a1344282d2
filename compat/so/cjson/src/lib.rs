//! The modules of `skynet_cjson` as a `.so` that Lua 5.5 loads from a path.

pub use skynet_cjson::*;
