//! The Lua modules `ltls.c` and `ltls.init.c`: TLS 1.2 and 1.3 (rustls) over any transport.
//!
//! Nothing here touches a socket. A [`session::Session`] takes the bytes that came from the peer and gives those to send;
//! the Lua layer moves them. [`settings::Settings`] is what sessions have in common: certificates, whom to trust.
//!
//! As programs for skynet expect, no peer is verified unless they ask for it. The peer still has to prove that it owns the
//! certificate it shows.

mod context;
pub mod der;
mod identity;
mod lua;
mod problem;
mod provider;
pub mod session;
pub mod settings;
mod suites;
mod tls;
mod trust;

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::c_int;
use mlua_sys::{lua_CFunction, lua_State, lua_createtable, luaL_error};
use skynet_support::{Entry, check_version, register};

pub use problem::Problem;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[
    (c"ltls.c", luaopen_ltls_c),
    (c"ltls.init.c", luaopen_ltls_init_c),
];

const FUNCTIONS: &[Entry] = &[(c"newctx", context::newctx), (c"newtls", tls::newtls)];
const INIT: &[Entry] = &[(c"constructor", constructor), (c"destructor", destructor)];

/// Whether the node wants TLS (`enablessl` in its config): a service of the Lua layer says so. Programs test whether the
/// module opens.
static ENABLED: AtomicBool = AtomicBool::new(false);

/// Opens `ltls.c`: pushes its table. Raises an error unless `ltls.init.c` was used.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_ltls_c(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        if !ENABLED.load(Ordering::Acquire) {
            let text = c"ltls need init, Put enablessl = true in you config file.";
            return luaL_error(state, text.as_ptr());
        }
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// Opens `ltls.init.c`: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_ltls_init_c(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, INIT.len() as c_int);
        register(state, INIT, 0);
    }
    1
}

/// `constructor()`: from now on `ltls.c` opens.
unsafe extern "C-unwind" fn constructor(_: *mut lua_State) -> c_int {
    ENABLED.store(true, Ordering::Release);
    0
}

/// `destructor()`: `ltls.c` no longer opens. Where it is open it stays usable.
unsafe extern "C-unwind" fn destructor(_: *mut lua_State) -> c_int {
    ENABLED.store(false, Ordering::Release);
    0
}
