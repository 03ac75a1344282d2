//! The Lua modules `skynet.crypt`, which clients know as `client.crypt`, and `skynet.sha2`: hashes, ciphers, key exchange.
//!
//! This crate uses nothing of the core, so that it can be part of a client's `.so`. The algorithms are plain functions over
//! bytes; `module` gives them to Lua.

pub mod des;
pub mod exchange;
pub mod mix;
mod module;
pub mod random;
mod sha2;
pub mod text;

pub use module::{luaopen_client_crypt, luaopen_skynet_crypt};
pub use sha2::luaopen_skynet_sha2;
