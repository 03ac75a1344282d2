//! `skynet.mongo.driver`: replies, and the document that they point to.
#![no_main]

use std::ffi::c_int;

use libfuzzer_sys::fuzz_target;
use mlua_sys::{
    LUA_REGISTRYINDEX, LUA_TTABLE, lua_State, lua_call, lua_getfield, lua_pushcfunction,
    lua_pushvalue, lua_setfield, lua_settop, lua_toboolean,
};
use skynet_bson::luaopen_bson;
use skynet_fuzz::feed_function;
use skynet_luaclib::mongo::luaopen_skynet_mongo_driver;

/// Argument 1: a reply.
unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a string; the stack has room for a few values.
    unsafe {
        let modules = [
            (
                c"driver",
                luaopen_skynet_mongo_driver as mlua_sys::lua_CFunction,
            ),
            (c"bson", luaopen_bson),
        ];
        for (key, open) in modules {
            if lua_getfield(state, LUA_REGISTRYINDEX, key.as_ptr()) != LUA_TTABLE {
                lua_settop(state, -2);
                lua_pushcfunction(state, open);
                lua_call(state, 0, 1);
                lua_pushvalue(state, -1);
                lua_setfield(state, LUA_REGISTRYINDEX, key.as_ptr());
            }
        }
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
