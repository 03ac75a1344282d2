//! The last thing that a killed Lua service does: callers that wait for its answers learn that none will come.
//!
//! The core sends back the requests that were not handled; of requests under way only the Lua layer knows. This one leaves a
//! function for that, `release` of the module `skynet.internal.kernel`. A service that ends by itself has called it.

use libc::c_int;
use mlua_sys::{LUA_OK, LUA_REGISTRYINDEX, LUA_TFUNCTION, LUA_TTABLE};
use skynet_support::{State, lua_function};

/// Runs the function, if there is one. Raises nothing: the push does not allocate, and the main coroutine runs nothing, so that its
/// stack has room.
pub(super) fn say(state: State<'_>) {
    // It keeps the rules of `State`.
    state.push_function(lua_function!(unsafe release));
    if state.protected_call(0, 0, 0) != LUA_OK {
        state.set_top(0); // no memory for it, or another layer's function of that name
    }
}

fn release(state: State<'_>) -> c_int {
    if state.get_field(LUA_REGISTRYINDEX, c"_LOADED") == LUA_TTABLE
        && state.get_field(-1, c"skynet.internal.kernel") == LUA_TTABLE
        && state.get_field(-1, c"release") == LUA_TFUNCTION
    {
        state.call(0, 0);
    }
    0
}
