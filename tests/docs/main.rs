//! The documents are about this version, and the examples do what they say.
#![cfg(feature = "lua")]

mod code;
mod examples;
mod languages;
mod links;
mod markdown;
mod reference;
mod sizes;
#[path = "../tools/mod.rs"]
mod tools;
