//! `sproto.core.decode` with a type that has every kind of field, and `encode` of what it gives: that decodes again.
#![no_main]

use std::ffi::{c_char, c_int};
use std::ptr;

use libfuzzer_sys::fuzz_target;
use mlua_sys::{
    LUA_OK, LUA_REGISTRYINDEX, LUA_TNIL, lua_State, lua_call, lua_getfield, lua_newuserdatauv,
    lua_pcall, lua_pushinteger, lua_pushlstring, lua_pushvalue, lua_setfield, lua_settop,
    lua_tolstring,
};
use skynet_fuzz::{feed_function, push_module};
use skynet_sproto::luaopen_sproto_core;

const SCHEMA: &[u8] = include_bytes!("../data/all.spb");

/// Argument 1: a message.
///
/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md), with a string; the stack has room for a few values.
    unsafe {
        push_module(state, c"module sproto", luaopen_sproto_core);
        push_type(state);
        // In a block of its own, so that the sanitizer sees its end.
        let mut len = 0;
        let bytes: *const c_char = lua_tolstring(state, 1, &mut len);
        let place = lua_newuserdatauv(state, len, 0);
        ptr::copy_nonoverlapping(bytes.cast::<u8>(), place.cast(), len);
        lua_getfield(state, 2, c"decode".as_ptr());
        lua_pushvalue(state, 3);
        lua_pushvalue(state, 4);
        lua_pushinteger(state, len as i64);
        lua_call(state, 3, 1);
        lua_getfield(state, 2, c"encode".as_ptr());
        lua_pushvalue(state, 3);
        lua_pushvalue(state, 5);
        // Keys of maps that are not of the type's kind do not go back.
        if lua_pcall(state, 2, 1, 0) == LUA_OK {
            lua_getfield(state, 2, c"decode".as_ptr());
            lua_pushvalue(state, 3);
            lua_pushvalue(state, 6);
            if lua_pcall(state, 2, 0, 0) != LUA_OK {
                std::process::abort();
            }
        }
    }
    0
}

/// Pushes the type, which is looked up once.
///
/// # Safety
/// `state` is the running state of a function of this file, with room on its stack.
unsafe fn push_type(state: *mut lua_State) {
    const KEY: *const c_char = c"type All".as_ptr();
    // SAFETY: the stack has room for a few values; the module is at index 2.
    unsafe {
        if lua_getfield(state, LUA_REGISTRYINDEX, KEY) != LUA_TNIL {
            return;
        }
        lua_settop(state, -2);
        lua_getfield(state, 2, c"querytype".as_ptr());
        lua_getfield(state, 2, c"newproto".as_ptr());
        lua_pushlstring(state, SCHEMA.as_ptr().cast(), SCHEMA.len());
        lua_call(state, 1, 1);
        lua_pushlstring(state, c"All".as_ptr(), 3);
        lua_call(state, 2, 1);
        lua_pushvalue(state, -1);
        lua_setfield(state, LUA_REGISTRYINDEX, KEY);
    }
}

fuzz_target!(|data: &[u8]| {
    feed_function(run, data);
});
