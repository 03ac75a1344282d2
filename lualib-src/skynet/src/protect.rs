//! Calls that release what they use, whether they raise an error or not.

use libc::c_int;
use mlua_sys::{LUA_OK, lua_CFunction};
use skynet_support::State;

/// Calls `function` with `resource` as its only argument, a light userdata, releases the resource and then returns the
/// one result on the stack, or raises the error. So nothing is lost when there is no memory for the result. Needs room for two
/// values.
pub fn with<T>(
    state: State<'_>,
    function: lua_CFunction,
    resource: *mut T,
    release: impl FnOnce(*mut T),
) {
    let status = call(state, function, resource);
    release(resource);
    if status != LUA_OK {
        state.raise();
    }
}

/// Calls `function` with a light userdata as its only argument: the status, and one result or the error on the stack. Raises
/// nothing, and needs room for two values.
pub fn call<T>(state: State<'_>, function: lua_CFunction, argument: *const T) -> c_int {
    state.push_function(function);
    state.push_light(argument);
    state.protected_call(1, 1, 0)
}
