//! `bson.decode`, and `bson.encode` of what it gives; `makeindex` of what that gives.
#![no_main]

use std::ffi::{c_char, c_int};
use std::ptr;

use libfuzzer_sys::fuzz_target;
use mlua_sys::{
    LUA_OK, LUA_REGISTRYINDEX, lua_State, lua_call, lua_getfield, lua_newuserdatauv, lua_pcall,
    lua_pushcfunction, lua_pushvalue, lua_setfield, lua_settop, lua_tolstring,
};
use skynet_bson::luaopen_bson;
use skynet_fuzz::feed_function;

/// Argument 1: the bytes.
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a string; the stack has room for a few values.
    unsafe {
        let mut len = 0;
        let bytes: *const c_char = lua_tolstring(state, 1, &mut len);
        module(state);
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

/// Pushes the module, which is opened once.
unsafe fn module(state: *mut lua_State) {
    const KEY: *const c_char = c"bson module".as_ptr();
    // SAFETY: the stack has room for a few values.
    unsafe {
        if lua_getfield(state, LUA_REGISTRYINDEX, KEY) == mlua_sys::LUA_TTABLE {
            return;
        }
        lua_settop(state, -2);
        lua_pushcfunction(state, luaopen_bson);
        lua_call(state, 0, 1);
        lua_pushvalue(state, -1);
        lua_setfield(state, LUA_REGISTRYINDEX, KEY);
    }
}

fuzz_target!(|data: &[u8]| {
    feed_function(run, data);
});
