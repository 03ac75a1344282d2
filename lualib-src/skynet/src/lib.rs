//! The Lua modules `skynet.*`.
//!
//! Errors in Lua are longjmps. Therefore no function of this crate keeps a value with a destructor alive across a call
//! of Lua's interface that can raise: blocks of memory belong to Lua, to a message or to the thread, and the parts that
//! work on them return a status which one thin layer turns into an error.

pub mod core;
pub mod seri;

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{lua_CFunction, lua_State, lua_pushcclosure, lua_pushvalue, lua_setfield};

/// A Lua function and its name in the module.
pub(crate) type Entry = (&'static CStr, lua_CFunction);

/// Sets `functions` in the table below `upvalues` values at the top; each function gets these values, which are popped.
///
/// # Safety
/// The stack has that shape, and room for `upvalues` + 1 more values.
pub(crate) unsafe fn register(state: *mut lua_State, functions: &[Entry], upvalues: c_int) {
    // SAFETY: as the caller promises.
    unsafe {
        for &(name, function) in functions {
            for _ in 0..upvalues {
                lua_pushvalue(state, -upvalues);
            }
            lua_pushcclosure(state, function, upvalues);
            lua_setfield(state, -(upvalues + 2), name.as_ptr());
        }
        mlua_sys::lua_settop(state, -upvalues - 1);
    }
}
