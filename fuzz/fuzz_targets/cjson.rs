//! `cjson.decode`; what it gives is encoded, and stays the same from there on, however often it is decoded and encoded. The
//! first byte chooses settings.
#![no_main]

use std::ffi::{CStr, c_int};
use std::slice;

use libfuzzer_sys::fuzz_target;
use mlua_sys::{
    LUA_OK, lua_State, lua_call, lua_getfield, lua_pcall, lua_pushboolean, lua_pushlstring,
    lua_pushvalue, lua_settop, lua_tolstring,
};
use skynet_cjson::luaopen_cjson;
use skynet_fuzz::{feed_function, push_module};

/// Sets a switch of the module at index 2.
///
/// # Safety
/// `state` is the running state of a function of this file, with room on its stack, and the module at 2.
unsafe fn switch(state: *mut lua_State, name: &CStr, on: bool) {
    // SAFETY: the stack has room for a few values.
    unsafe {
        lua_getfield(state, 2, name.as_ptr());
        lua_pushboolean(state, on.into());
        lua_call(state, 1, 0);
    }
}

/// Calls a function of the module at index 2 with the value at `index`; false, with nothing pushed, if that raises.
///
/// # Safety
/// `state` is the running state of a function of this file, with room on its stack, and the module at 2.
unsafe fn call(state: *mut lua_State, name: &CStr, index: c_int) -> bool {
    // SAFETY: the stack has room for a few values.
    unsafe {
        lua_getfield(state, 2, name.as_ptr());
        lua_pushvalue(state, index);
        let done = lua_pcall(state, 1, 1, 0) == LUA_OK;
        if !done {
            lua_settop(state, -2);
        }
        done
    }
}

/// How often each byte is in the string at `index`. Objects have no order, so texts of equal values may differ in that.
///
/// # Safety
/// `state` is the running state of a function of this file, with room on its stack, and a string at `index`.
unsafe fn letters(state: *mut lua_State, index: c_int) -> [u32; 256] {
    let mut counts = [0; 256];
    // SAFETY: there is a string, which stays on the stack.
    unsafe {
        let mut len = 0;
        let bytes: *const u8 = lua_tolstring(state, index, &mut len).cast();
        for &byte in slice::from_raw_parts(bytes, len) {
            counts[usize::from(byte)] += 1;
        }
    }
    counts
}

/// Argument 1: the bytes.
///
/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md), with a string; the stack has room for a few values.
    unsafe {
        let mut len = 0;
        let bytes: *const u8 = lua_tolstring(state, 1, &mut len).cast();
        let [settings, text @ ..] = slice::from_raw_parts(bytes, len) else {
            return 0;
        };
        push_module(state, c"module cjson", luaopen_cjson);
        switch(state, c"decode_allow_comment", settings & 1 != 0);
        switch(state, c"decode_invalid_numbers", settings & 2 != 0);
        switch(state, c"decode_array_with_array_mt", settings & 4 != 0);
        switch(state, c"encode_invalid_numbers", settings & 2 != 0);
        switch(state, c"encode_escape_forward_slash", settings & 8 != 0);
        lua_pushlstring(state, text.as_ptr().cast(), text.len());
        // 3: the text, 4: its value.
        if !call(state, c"decode", 3) || !call(state, c"encode", 4) {
            return 0;
        }
        // 5, 7, 9: what was written, read and written again. The first of these may still be another text: -0.0 is read as 0.
        for index in [5, 7] {
            assert!(
                call(state, c"decode", index),
                "the text of a value is refused"
            );
            assert!(
                call(state, c"encode", index + 1),
                "a value that was written is refused"
            );
        }
        assert_eq!(
            letters(state, 7),
            letters(state, 9),
            "a value changes on its way"
        );
    }
    0
}

fuzz_target!(|data: &[u8]| {
    feed_function(run, data);
});
