//! The documents are about this version, and the examples do what they say.
#![cfg(feature = "lua")]

mod examples;
mod links;
mod reference;
#[path = "../tools/mod.rs"]
mod tools;
