//! What the Lua modules in Rust share: the way a module registers its functions, strings as bytes, and the buffer of the
//! encoders.

pub mod buffer;
pub mod bytes;

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{
    lua_CFunction, lua_Integer, lua_Number, lua_State, lua_pushcclosure, lua_pushvalue,
    lua_setfield, lua_settop, luaL_checkversion_,
};

/// A Lua function and its name in the module.
pub type Entry = (&'static CStr, lua_CFunction);

/// Sets `functions` in the table below `upvalues` values at the top; each function gets these values, which are popped.
///
/// # Safety
/// The stack has that shape, and room for `upvalues` + 1 more values.
pub unsafe fn register(state: *mut lua_State, functions: &[Entry], upvalues: c_int) {
    // SAFETY: as the caller promises.
    unsafe {
        for &(name, function) in functions {
            for _ in 0..upvalues {
                lua_pushvalue(state, -upvalues);
            }
            lua_pushcclosure(state, function, upvalues);
            lua_setfield(state, -(upvalues + 2), name.as_ptr());
        }
        lua_settop(state, -upvalues - 1);
    }
}

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
