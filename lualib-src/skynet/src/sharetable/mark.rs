//! A table becomes shared, with all that is in it.

use libc::c_int;
use mlua_sys::{
    LUA_TBOOLEAN, LUA_TFUNCTION, LUA_TLIGHTUSERDATA, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE,
    lua_State, lua_getmetatable, lua_getupvalue, lua_iscfunction, lua_next, lua_pop, lua_pushnil,
    lua_pushvalue, lua_topointer, lua_type, lua_typename, luaL_checkstack, luaL_error,
};

use super::patched::{is_shared, lua_sharefunction, lua_sharestring, make_shared};

/// Slots that a level of nesting takes: a table, a key and a value; and some for the work on these.
const SLOTS: c_int = 3 + 2;

/// Shares the value at the top of the stack. Raises for anything but a table, and for tables with a metatable, functions
/// with upvalues, userdata and threads inside of it; the state is of no use then.
///
/// # Safety
/// Only this thread uses the state, and its collector is stopped: it must not meet a table that is shared in part.
pub(super) unsafe fn share(state: *mut lua_State) {
    // SAFETY: called by a function of Lua. The stack is the way to the present table: a table, a key and a value for each
    // level, so neither deep nesting nor an error costs anything of ours.
    unsafe {
        if lua_type(state, -1) != LUA_TTABLE {
            let name = lua_typename(state, lua_type(state, -1));
            luaL_error(state, c"Not a table, it's a %s.".as_ptr(), name);
        }
        if !enter(state, -1) {
            return;
        }
        let mut depth = 1usize;
        while depth > 0 {
            // Either a table and a key of it are at the top ...
            if lua_next(state, -2) == 0 {
                lua_pop(state, 1);
                depth -= 1;
                if depth == 0 {
                    break;
                }
            }
            // ... or below a pair, of which nothing, or a table that has just been done, may be shared.
            if share_scalar_or_enter(state, -2) || share_scalar_or_enter(state, -1) {
                depth += 1;
            } else {
                lua_pop(state, 1);
            }
        }
    }
}

/// Begins to share the table at `index`, unless that is done: a copy of it and nil at the top.
unsafe fn enter(state: *mut lua_State, index: c_int) -> bool {
    // SAFETY: a table.
    unsafe {
        let table = lua_topointer(state, index);
        if is_shared(table) {
            return false;
        }
        luaL_checkstack(state, SLOTS, std::ptr::null());
        if lua_getmetatable(state, index) != 0 {
            luaL_error(state, c"Can't share metatable".as_ptr());
        }
        make_shared(table);
        lua_pushvalue(state, index);
        lua_pushnil(state);
    }
    true
}

/// Shares the value at `index`; true if that is a table which has been entered.
unsafe fn share_scalar_or_enter(state: *mut lua_State, index: c_int) -> bool {
    // SAFETY: called by a function of Lua.
    unsafe {
        match lua_type(state, index) {
            LUA_TTABLE => return enter(state, index),
            LUA_TNUMBER | LUA_TBOOLEAN | LUA_TLIGHTUSERDATA => {}
            LUA_TSTRING => lua_sharestring(state, index),
            LUA_TFUNCTION => {
                if !lua_getupvalue(state, index, 1).is_null() {
                    luaL_error(state, c"Invalid function with upvalue".as_ptr());
                }
                if lua_iscfunction(state, index) == 0 {
                    make_shared(lua_topointer(state, index));
                    lua_sharefunction(state, index);
                }
            }
            other => {
                let name = lua_typename(state, other);
                luaL_error(state, c"Invalid type [%s]".as_ptr(), name);
            }
        }
    }
    false
}
