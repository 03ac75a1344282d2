//! The last thing that a killed Lua service does: callers that wait for its answers learn that none will come.
//!
//! The core bounces the mail that has not been handled; of requests under way only the Lua layer knows. This one leaves a
//! function for that, `release` of the module `skynet.internal.kernel`. A service that ends by itself has called it.

use libc::c_int;
use mlua_sys::{
    LUA_OK, LUA_REGISTRYINDEX, LUA_TFUNCTION, LUA_TTABLE, lua_State, lua_call, lua_getfield,
    lua_pcall, lua_pushcfunction, lua_settop,
};

/// Runs the function, if there is one.
///
/// # Safety
/// The calling thread is the only one that uses the VM, no callback of it runs, and its service can still send.
pub(super) unsafe fn say(state: *mut lua_State) {
    // SAFETY: neither push allocates; the main coroutine runs nothing, so its stack has room.
    unsafe {
        lua_pushcfunction(state, release);
        if lua_pcall(state, 0, 0, 0) != LUA_OK {
            lua_settop(state, 0); // no memory for it, or another layer's function of that name
        }
    }
}

unsafe extern "C-unwind" fn release(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        if lua_getfield(state, LUA_REGISTRYINDEX, c"_LOADED".as_ptr()) == LUA_TTABLE
            && lua_getfield(state, -1, c"skynet.internal.kernel".as_ptr()) == LUA_TTABLE
            && lua_getfield(state, -1, c"release".as_ptr()) == LUA_TFUNCTION
        {
            lua_call(state, 0, 0);
        }
    }
    0
}
