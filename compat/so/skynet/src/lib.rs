//! The modules of `skynet_luaclib` as a `.so` that any core with the same C interface and Lua 5.5 loads.

pub use skynet_luaclib::*;
