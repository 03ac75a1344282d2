//! `skynet.mongo.driver`: replies, and the document that they point to.
#![no_main]

use std::ffi::c_int;

use libfuzzer_sys::fuzz_target;
use mlua_sys::{lua_State, lua_call, lua_getfield, lua_pushvalue, lua_toboolean};
use skynet_bson::luaopen_bson;
use skynet_fuzz::{feed_function, push_module};
use skynet_luaclib::mongo::luaopen_skynet_mongo_driver;

/// Argument 1: a reply.
///
/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md), with a string; the stack has room for a few values.
    unsafe {
        push_module(state, c"module driver", luaopen_skynet_mongo_driver);
        push_module(state, c"module bson", luaopen_bson);
        lua_getfield(state, 2, c"reply".as_ptr());
        lua_pushvalue(state, 1);
        lua_call(state, 1, 3);
        if lua_toboolean(state, 4) != 0 {
            lua_getfield(state, 3, c"decode".as_ptr());
            lua_pushvalue(state, 6);
            lua_call(state, 1, 0);
        }
    }
    0
}

fuzz_target!(|data: &[u8]| {
    feed_function(run, data);
});
