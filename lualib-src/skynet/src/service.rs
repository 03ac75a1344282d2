//! What modules share whose functions act for the service of their VM: it is upvalue 1 of these functions.

use libc::c_int;
use mlua_sys::{
    LUA_REGISTRYINDEX, lua_State, lua_createtable, lua_getfield, lua_touserdata, lua_upvalueindex,
    luaL_error,
};
use skynet_sys::Context;

use crate::{Entry, check_version, register};

/// Pushes the table of a module: `bound` functions have the service as their upvalue, `free` ones have none. The registry
/// must hold the service as `skynet_context`; without it this raises.
///
/// # Safety
/// Called from an opening function, with room for LUA_MINSTACK values; nothing with a destructor is alive.
pub(crate) unsafe fn open(state: *mut lua_State, bound: &[Entry], free: &[Entry]) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, (bound.len() + free.len()) as c_int);
        lua_getfield(state, LUA_REGISTRYINDEX, c"skynet_context".as_ptr());
        if lua_touserdata(state, -1).is_null() {
            return luaL_error(state, c"Init skynet context first".as_ptr());
        }
        register(state, bound, 1);
        register(state, free, 0);
    }
    1
}

/// The service that the running function belongs to.
///
/// # Safety
/// Called from a function that [`open`] has bound.
pub(crate) unsafe fn context(state: *mut lua_State) -> *mut Context {
    // SAFETY: upvalue 1 is the light userdata that `open` has checked.
    unsafe { lua_touserdata(state, lua_upvalueindex(1)).cast() }
}
