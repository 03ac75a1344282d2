//! The libraries that the agent uses: its own, as the service may have changed those that it has (`pcall = error`).

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{
    LUA_OK, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS, lua_State, lua_call, lua_createtable, lua_error,
    lua_getfield, lua_getmetatable, lua_gettop, lua_pcall, lua_pushcfunction, lua_pushlstring,
    lua_pushnil, lua_pushvalue, lua_rawgeti, lua_rawgetp, lua_rawseti, lua_rawsetp, lua_setfield,
    lua_setmetatable, lua_settop, lua_setupvalue, luaopen_base, luaopen_coroutine, luaopen_debug,
    luaopen_math, luaopen_string, luaopen_table, luaopen_utf8,
};

/// Its address is the key of the registry.
static ENVIRONMENT: u8 = 0;

type Open = unsafe extern "C-unwind" fn(*mut lua_State) -> c_int;

const LIBRARIES: [(&CStr, Open); 6] = [
    (c"coroutine", luaopen_coroutine),
    (c"debug", luaopen_debug),
    (c"math", luaopen_math),
    (c"string", luaopen_string),
    (c"table", luaopen_table),
    (c"utf8", luaopen_utf8),
];

/// Fills the table that is its argument, which is the one of globals meanwhile.
///
/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn fill(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        lua_pushcfunction(state, luaopen_base);
        lua_call(state, 0, 0);
        for (name, open) in LIBRARIES {
            lua_pushcfunction(state, open);
            lua_call(state, 0, 1);
            lua_setfield(state, 1, name.as_ptr());
        }
    }
    0
}

/// Makes the globals of the agent's modules. `_G` and `package.loaded` are those of the service, which the agent shows.
///
/// # Safety
/// Called by a function in C of a VM, which has room for eight values. May raise.
pub(super) unsafe fn open(state: *mut lua_State) {
    // SAFETY: contract of this function. Opening the libraries changes the table of globals and the metatable of strings, which are the
    // service's: both are put back whatever happens, and nothing of the service runs in between. To put them back allocates nothing.
    unsafe {
        let top = lua_gettop(state);
        let (own, globals, text, metatable) = (top + 1, top + 2, top + 3, top + 4);
        lua_createtable(state, 0, 40);
        lua_rawgeti(state, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
        lua_pushlstring(state, c"".as_ptr(), 0);
        if lua_getmetatable(state, text) == 0 {
            lua_pushnil(state);
        }
        lua_pushcfunction(state, fill);
        lua_pushvalue(state, own);
        lua_pushvalue(state, own);
        lua_rawseti(state, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
        let status = lua_pcall(state, 1, 0, 0);
        lua_pushvalue(state, globals);
        lua_rawseti(state, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
        lua_pushvalue(state, metatable);
        lua_setmetatable(state, text);
        if status != LUA_OK {
            lua_error(state);
        }
        lua_pushvalue(state, globals);
        lua_setfield(state, own, c"_G".as_ptr());
        lua_createtable(state, 0, 1);
        lua_getfield(state, LUA_REGISTRYINDEX, c"_LOADED".as_ptr());
        lua_setfield(state, -2, c"loaded".as_ptr());
        lua_setfield(state, own, c"package".as_ptr());
        lua_settop(state, own);
        lua_rawsetp(state, LUA_REGISTRYINDEX, (&raw const ENVIRONMENT).cast());
    }
}

/// The function at the top, a main chunk, sees these libraries as its globals.
///
/// # Safety
/// Called by a function in C of a VM in which they are [`open`], and that has room for a value.
pub(super) unsafe fn give(state: *mut lua_State) {
    // SAFETY: contract of this function; the first upvalue of a main chunk is its environment.
    unsafe {
        lua_rawgetp(state, LUA_REGISTRYINDEX, (&raw const ENVIRONMENT).cast());
        lua_setupvalue(state, -2, 1);
    }
}
