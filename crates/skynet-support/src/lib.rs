//! What the Lua modules in Rust share, and the core with them: the state of a Lua function and the way it is registered, VMs that
//! Rust opens, strings as bytes, and the buffer of the encoders.

pub mod buffer;
pub mod bytes;
mod functions;
mod message;
pub mod random;
pub mod state;
mod vm;

use std::ffi::CStr;

pub use libc::c_int;
pub use mlua_sys::lua_State;
use mlua_sys::{lua_CFunction, lua_Integer, lua_Number, luaL_checkversion_};
pub use state::State;
pub use vm::Vm;

/// A Lua function and its name in the module: see [`lua_functions!`].
pub type Entry = (&'static CStr, lua_CFunction);

/// LUA_VERSION_NUM and LUAL_NUMSIZES of "lua.h" and "lauxlib.h": what the modules are compiled for.
const VERSION: lua_Number = 505.0;
const SIZES: usize = size_of::<lua_Integer>() * 16 + size_of::<lua_Number>();

/// Raises an error unless the running Lua is the one that the modules are compiled for (`luaL_checkversion`).
///
/// # Safety
/// Called with a valid state; nothing with a destructor is alive.
pub unsafe fn check_version(state: *mut lua_State) {
    // SAFETY: as the caller promises.
    unsafe { luaL_checkversion_(state, VERSION, SIZES) }
}

/// [`State::register`] for who has a raw state.
///
/// # Safety
/// The stack has that shape, and room for `upvalues` + 1 more values.
pub unsafe fn register(state: *mut lua_State, functions: &[Entry], upvalues: c_int) {
    // SAFETY: as the caller promises.
    unsafe { State::new(state) }.register(functions, upvalues);
}
