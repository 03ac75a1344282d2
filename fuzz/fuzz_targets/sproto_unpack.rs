//! `sproto.core.unpack`, and `pack` of what it gives: that has to unpack to the same.
#![no_main]

use std::ffi::c_int;

use libfuzzer_sys::fuzz_target;
use mlua_sys::{lua_State, lua_call, lua_getfield, lua_pushvalue, lua_rawequal};
use skynet_fuzz::{feed_function, push_module};
use skynet_sproto::luaopen_sproto_core;

/// Argument 1: a packed message.
///
/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md), with a string; the stack has room for a few values.
    unsafe {
        push_module(state, c"module sproto", luaopen_sproto_core);
        let mut last = 1;
        for name in [c"unpack", c"pack", c"unpack"] {
            lua_getfield(state, 2, name.as_ptr());
            lua_pushvalue(state, last);
            lua_call(state, 1, 1);
            last = mlua_sys::lua_gettop(state);
        }
        // A panic must not pass through Lua's frames.
        if lua_rawequal(state, 3, 5) == 0 {
            std::process::abort();
        }
    }
    0
}

fuzz_target!(|data: &[u8]| {
    feed_function(run, data);
});
