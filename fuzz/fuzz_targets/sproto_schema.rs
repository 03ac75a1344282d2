//! `sproto.core.newproto`: schemas, and what asks for their parts.
#![no_main]

use std::ffi::c_int;

use libfuzzer_sys::fuzz_target;
use mlua_sys::{
    LUA_TNIL, lua_State, lua_call, lua_createtable, lua_getfield, lua_pcall, lua_pushinteger,
    lua_pushlstring, lua_pushvalue, lua_settop, lua_type,
};
use skynet_fuzz::{feed_function, push_module};
use skynet_sproto::luaopen_sproto_core;

/// Argument 1: the binary form of a schema.
///
/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md), with a string; the stack has room for a few values.
    unsafe {
        push_module(state, c"module sproto", luaopen_sproto_core);
        lua_getfield(state, 2, c"newproto".as_ptr());
        lua_pushvalue(state, 1);
        lua_call(state, 1, 1);
        if lua_type(state, 3) == LUA_TNIL {
            return 0;
        }
        for tag in 0..8 {
            lua_getfield(state, 2, c"protocol".as_ptr());
            lua_pushvalue(state, 3);
            lua_pushinteger(state, tag);
            lua_call(state, 2, 0);
        }
        for name in [&b"All"[..], b"P", b"Person", b"Pair", b"Maps", b"Gaps"] {
            lua_getfield(state, 2, c"querytype".as_ptr());
            lua_pushvalue(state, 3);
            lua_pushlstring(state, name.as_ptr().cast(), name.len());
            lua_call(state, 2, 1);
            if lua_type(state, 4) != LUA_TNIL {
                use_type(state);
            }
            lua_settop(state, 3);
        }
        lua_getfield(state, 2, c"deleteproto".as_ptr());
        lua_pushvalue(state, 3);
        lua_call(state, 1, 0);
    }
    0
}

/// The type is at index 4. Errors are fine.
///
/// # Safety
/// `state` is the running state of a function of this file, with room on its stack, and a type at 4.
unsafe fn use_type(state: *mut lua_State) {
    // SAFETY: the stack has room for a few values.
    unsafe {
        lua_getfield(state, 2, c"default".as_ptr());
        lua_pushvalue(state, 4);
        lua_call(state, 1, 1);
        for value in [5, 6] {
            lua_getfield(state, 2, c"encode".as_ptr());
            lua_pushvalue(state, 4);
            if value == 5 {
                lua_pushvalue(state, 5);
            } else {
                lua_createtable(state, 0, 0);
            }
            lua_pcall(state, 2, 1, 0);
        }
        lua_getfield(state, 2, c"decode".as_ptr());
        lua_pushvalue(state, 4);
        lua_pushvalue(state, 1);
        lua_pcall(state, 2, 1, 0);
    }
}

fuzz_target!(|data: &[u8]| {
    feed_function(run, data);
});
