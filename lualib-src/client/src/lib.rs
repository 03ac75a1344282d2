//! The Lua modules `client.socket` and `client.crypt`: what a small program needs to talk to a node.
//!
//! Nothing of the core is used, so that any Lua 5.5 loads them.

mod net;
mod socket;
mod stdin;

use std::ffi::CStr;

use mlua_sys::lua_CFunction;

pub use skynet_crypt::luaopen_client_crypt;
pub use socket::luaopen_client_socket;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[
    (c"client.crypt", luaopen_client_crypt),
    (c"client.socket", luaopen_client_socket),
];
