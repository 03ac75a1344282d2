//! The Lua module `skynet.crypt`, which clients know as `client.crypt`: hashes, ciphers and key exchange.
//!
//! This crate uses nothing of the core, so that it can be part of a client's `.so`. The algorithms are plain functions over
//! bytes; `module` gives them to Lua.

pub mod des;
pub mod exchange;
pub mod mix;
mod module;
mod sha2;
pub mod text;

use std::ffi::CStr;

use mlua_sys::lua_CFunction;

pub use module::{luaopen_client_crypt, luaopen_skynet_crypt};
pub use sha2::luaopen_skynet_sha2;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[
    (c"skynet.crypt", luaopen_skynet_crypt),
    (c"skynet.sha2", luaopen_skynet_sha2),
];

/// The same for a client.
pub static CLIENT_MODULES: &[(&CStr, lua_CFunction)] = &[(c"client.crypt", luaopen_client_crypt)];
