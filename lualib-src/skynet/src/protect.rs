//! Calls that release what they use, whether they raise an error or not.

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_OK, lua_CFunction, lua_State, lua_error, lua_pcall, lua_pushcfunction,
    lua_pushlightuserdata,
};

/// Calls `function` with `resource` as its only argument, a light userdata, releases the resource and then returns the
/// one result on the stack, or raises the error. So nothing is lost when there is no memory for the result.
///
/// # Safety
/// Called by Lua, with room for two values. `release` is sound for the resource; nothing with a destructor is alive.
pub unsafe fn with<T>(
    state: *mut lua_State,
    function: lua_CFunction,
    resource: *mut T,
    release: unsafe extern "C" fn(*mut T),
) {
    // SAFETY: as the caller promises.
    unsafe {
        let status = call(state, function, resource.cast());
        release(resource);
        if status != LUA_OK {
            lua_error(state);
        }
    }
}

/// Calls `function` with a light userdata as its only argument: the status, and one result or the error on the stack.
///
/// # Safety
/// Called by Lua, with room for two values. The function is sound for the argument.
pub unsafe fn call(state: *mut lua_State, function: lua_CFunction, argument: *mut c_void) -> c_int {
    // SAFETY: as the caller promises; pushing these two values raises nothing.
    unsafe {
        lua_pushcfunction(state, function);
        lua_pushlightuserdata(state, argument);
        lua_pcall(state, 1, 1, 0)
    }
}
