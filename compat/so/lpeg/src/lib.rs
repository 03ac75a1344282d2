//! The module `lpeg` as a `.so` for a process that has Lua 5.5.

pub use skynet_lpeg::*;
