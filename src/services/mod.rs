//! Where callbacks come from: modules in files, and the built-in ones.

pub mod builtin;
#[cfg(feature = "lua")]
pub mod elf;
pub mod loader;
