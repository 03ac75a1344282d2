//! Where callbacks come from: modules in files, and the built-in ones.

pub mod builtin;
mod complaints;
#[cfg(feature = "lua")]
pub mod elf;
pub mod loader;
