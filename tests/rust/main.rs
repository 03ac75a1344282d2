//! Services in Rust beside those in Lua and C: what is in `tests/rust/services` is loaded by the executable, as a project's would be.
#![cfg(feature = "lua")]

#[path = "../tools/mod.rs"]
mod tools;

mod services;
