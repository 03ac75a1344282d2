//! `skynet.cluster.core`: a connection's packets through `unpackrequest`, `append` and `concat`, as the service that serves
//! it does; the memory that is needed is in proportion to what has come.
#![no_main]

use libc::c_int;
use libfuzzer_sys::fuzz_target;
use mlua_sys::{
    LUA_TNIL, lua_State, lua_call, lua_createtable, lua_getfield, lua_gettop, lua_pop,
    lua_pushlstring, lua_pushnil, lua_pushvalue, lua_rawgeti, lua_rawseti, lua_replace, lua_settop,
    lua_toboolean, lua_tointeger, lua_tolstring, lua_touserdata, lua_type,
};
use skynet_fuzz::feed_function;
use skynet_luaclib::cluster::luaopen_skynet_cluster_core;

/// Index of the module, of the requests by their sessions, and of the results of `unpackrequest`.
const MODULE: c_int = 2;
const REQUESTS: c_int = 3;
const RESULTS: c_int = 4;

// SAFETY of this file: Lua calls `connection` with room for LUA_MINSTACK values; the stack never has more. A message is a block
// that belongs to the target until `append` takes it.

/// Calls a function of the module with the values above `from`, which are replaced by the results.
///
/// # Safety
/// `state` is the running state of a function of this file, with room on its stack, and the module where [`connection`] has put it.
unsafe fn call(state: *mut lua_State, name: &std::ffi::CStr, from: c_int, results: c_int) {
    // SAFETY: see the file's comment.
    unsafe {
        lua_getfield(state, MODULE, name.as_ptr());
        mlua_sys::lua_insert(state, from);
        lua_call(state, lua_gettop(state) - from, results);
    }
}

/// Frees the message at `index`.
///
/// # Safety
/// `state` is the running state of a function of this file, with room on its stack, and a message of the module at `index`, which nobody has freed.
unsafe fn release(state: *mut lua_State, index: c_int) {
    // SAFETY: see the file's comment: the block is not shared.
    unsafe { libc::free(lua_touserdata(state, index)) };
}

/// Serves one packet, which is at the top.
///
/// # Safety
/// `state` is the running state of a function of this file, with room on its stack, and a packet at the top.
unsafe fn serve(state: *mut lua_State) {
    // SAFETY: see the file's comment.
    unsafe {
        // unpackrequest raises before it makes a block, so an error leaks nothing.
        call(state, c"unpackrequest", RESULTS, 6);
        let session = lua_tointeger(state, RESULTS + 1);
        let more = lua_toboolean(state, RESULTS + 4) != 0;
        if lua_type(state, RESULTS + 1) == LUA_TNIL {
            return;
        }
        let known = lua_rawgeti(state, REQUESTS, session) != LUA_TNIL;
        if !known && !more {
            release(state, RESULTS + 2);
            return;
        }
        if !known {
            lua_pop(state, 1);
            lua_createtable(state, 0, 0);
            lua_pushvalue(state, -1);
            lua_rawseti(state, REQUESTS, session);
        }
        lua_replace(state, RESULTS);
        lua_pushvalue(state, RESULTS);
        lua_pushvalue(state, RESULTS + 2);
        lua_pushvalue(state, RESULTS + 3);
        call(state, c"append", RESULTS + 6, 0);
        if !more {
            lua_pushnil(state);
            lua_rawseti(state, REQUESTS, session);
            lua_pushvalue(state, RESULTS);
            call(state, c"concat", RESULTS + 6, 2);
            release(state, RESULTS + 6);
        }
    }
}

/// The argument: for each packet, a byte of length and so many bytes.
///
/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn connection(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md); the text is an argument, which stays on the stack.
    unsafe {
        let mut len = 0;
        let text: *const u8 = lua_tolstring(state, 1, &mut len).cast();
        let mut rest = std::slice::from_raw_parts(text, len);
        mlua_sys::luaL_requiref(state, c"m".as_ptr(), luaopen_skynet_cluster_core, 0);
        lua_createtable(state, 0, 0);
        while let Some((&size, after)) = rest.split_first() {
            let (packet, after) = after.split_at(after.len().min(size.into()));
            rest = after;
            lua_settop(state, REQUESTS);
            lua_pushlstring(state, packet.as_ptr().cast(), packet.len());
            serve(state);
        }
    }
    0
}

fuzz_target!(|data: &[u8]| {
    feed_function(connection, data);
});
