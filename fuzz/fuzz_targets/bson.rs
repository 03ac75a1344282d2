//! `bson.decode`, and `bson.encode` of what it gives; `makeindex` of what that gives.
#![no_main]

use std::ffi::{c_char, c_int};
use std::ptr;

use libfuzzer_sys::fuzz_target;
use mlua_sys::{
    LUA_OK, lua_State, lua_call, lua_getfield, lua_newuserdatauv, lua_pcall, lua_pushvalue,
    lua_tolstring,
};
use skynet_bson::luaopen_bson;
use skynet_fuzz::{feed_function, push_module};

/// Argument 1: the bytes.
///
/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md), with a string; the stack has room for a few values.
    unsafe {
        let mut len = 0;
        let bytes: *const c_char = lua_tolstring(state, 1, &mut len);
        push_module(state, c"module bson", luaopen_bson);
        // In a block of its own, so that the sanitizer sees its end.
        let place = lua_newuserdatauv(state, len, 1);
        ptr::copy_nonoverlapping(bytes.cast::<u8>(), place.cast(), len);
        lua_getfield(state, 2, c"decode".as_ptr());
        lua_pushvalue(state, 3);
        lua_call(state, 1, 1);
        // Arrays with gaps and the like are no documents: an error is fine.
        lua_getfield(state, 2, c"encode".as_ptr());
        lua_pushvalue(state, 4);
        if lua_pcall(state, 1, 1, 0) != LUA_OK {
            return 0;
        }
        lua_getfield(state, 2, c"decode".as_ptr());
        lua_pushvalue(state, 5);
        lua_call(state, 1, 0);
        lua_getfield(state, 5, c"makeindex".as_ptr());
        lua_pushvalue(state, 5);
        lua_call(state, 1, 0);
    }
    0
}

fuzz_target!(|data: &[u8]| {
    feed_function(run, data);
});
