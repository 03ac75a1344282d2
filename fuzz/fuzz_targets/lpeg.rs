//! `lpeg`: a pattern that the bytes build, matched with the rest of them. Any pattern has to be refused or to match without an
//! invalid access, and in the same way when it is matched again.
#![no_main]

use std::ffi::{c_char, c_int};

use libfuzzer_sys::fuzz_target;
use mlua_sys::{
    LUA_OK, LUA_REGISTRYINDEX, LUA_TFUNCTION, lua_State, lua_call, lua_error, lua_getfield,
    lua_insert, lua_pop, lua_pushcfunction, lua_pushvalue, lua_setfield, lua_toboolean,
    luaL_loadbufferx, luaL_requiref, luaopen_string,
};
use skynet_fuzz::feed_function;
use skynet_lpeg::luaopen_lpeg;

/// Takes the module, the functions of strings, and the bytes.
const BUILDER: &str = include_str!("lpeg.lua");

/// Argument 1: the bytes.
///
/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    const KEY: *const c_char = c"builder".as_ptr();
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md), with a string; the stack has room for a few values.
    unsafe {
        if lua_getfield(state, LUA_REGISTRYINDEX, KEY) != LUA_TFUNCTION {
            lua_pop(state, 1);
            let (text, len) = (BUILDER.as_ptr().cast(), BUILDER.len());
            if luaL_loadbufferx(state, text, len, c"=builder".as_ptr(), c"t".as_ptr()) != LUA_OK {
                lua_error(state);
            }
            lua_pushcfunction(state, luaopen_lpeg);
            lua_call(state, 0, 1);
            luaL_requiref(state, c"string".as_ptr(), luaopen_string, 0);
            lua_call(state, 2, 1);
            lua_pushvalue(state, -1);
            lua_setfield(state, LUA_REGISTRYINDEX, KEY);
        }
        lua_insert(state, 1);
        lua_call(state, 1, 1);
        assert!(lua_toboolean(state, -1) != 0, "not the same again");
    }
    0
}

fuzz_target!(|data: &[u8]| {
    feed_function(run, data);
});
