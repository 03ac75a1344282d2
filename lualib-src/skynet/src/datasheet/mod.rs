//! The module `skynet.datasheet.core`: tables that are filled from a shared document when they are first used.
//!
//! A table that has not been used is empty and has a metatable; its first use copies its fields, where tables inside
//! are new such tables, and takes the metatable away. When there is a newer document, all tables that come from the old one
//! are emptied again.

pub mod document;
mod sheets;

use std::slice;

use libc::c_int;
use mlua_sys::{
    LUA_TTABLE, lua_Integer, lua_State, lua_createtable, lua_next, lua_pushcfunction,
    lua_pushinteger, lua_pushlightuserdata, lua_pushnil, lua_pushvalue, lua_rawget, lua_rawlen,
    lua_settop, luaL_checklstring, luaL_checktype, luaL_error,
};

use crate::arguments::address;
use crate::{Entry, check_version, register};
use document::Invalid;

/// Functions of the module; like the metamethods they have the metatable as their upvalue, see [`sheets`].
const FUNCTIONS: &[Entry] = &[
    (c"new", new),
    (c"update", update),
    (c"stringpointer", stringpointer),
];

const METAMETHODS: &[Entry] = &[(c"__index", index), (c"__pairs", pairs), (c"__len", len)];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_datasheet_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        lua_createtable(state, 2, METAMETHODS.len() as c_int);
        sheets::prepare(state);
        lua_pushvalue(state, -1);
        register(state, METAMETHODS, 1);
        register(state, FUNCTIONS, 1);
    }
    1
}

/// `stringpointer(document)`: the address of a document, for other services. The string must be kept while they use it.
/// Raises if it is not a document.
unsafe extern "C-unwind" fn stringpointer(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string is an argument.
    unsafe {
        let mut len = 0;
        let text = luaL_checklstring(state, 1, &mut len);
        let bytes = slice::from_raw_parts(text.cast::<u8>(), len);
        if let Err(problem) = document::check(bytes) {
            return refuse(state, problem);
        }
        lua_pushlightuserdata(state, text.cast_mut().cast());
    }
    1
}

#[cold]
unsafe fn refuse(state: *mut lua_State, problem: Invalid) -> c_int {
    let (text, value) = match problem {
        Invalid::Truncated => (c"Invalid datasheet: it ends too early", 0),
        Invalid::Empty => (c"Invalid datasheet: no table", 0),
        Invalid::Overlap => (c"Invalid datasheet: tables overlap", 0),
        Invalid::Kind(kind) => (c"Invalid datasheet: value of type %d", kind.into()),
        Invalid::Table(number) => (c"Invalid datasheet: no table %d", number as c_int),
        Invalid::String(offset) => (c"Invalid datasheet: no string at %d", offset as c_int),
    };
    // SAFETY: called by a function of Lua; an argument too many is ignored.
    unsafe { luaL_error(state, text.as_ptr(), value) }
}

/// `new(address)`: the first table of a document. The same one as long as it is used.
unsafe extern "C-unwind" fn new(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the address comes from `stringpointer`.
    unsafe {
        let document = address::<u8>(state, 1);
        sheets::push_root(state, document);
    }
    1
}

/// `update(table, address)`: the document that the table comes from is replaced by the one at the address. All tables that
/// come from it are emptied, and filled with the new values by their next use.
unsafe extern "C-unwind" fn update(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the address comes from `stringpointer`.
    unsafe {
        let newer = address::<u8>(state, 2);
        sheets::move_on(state, newer);
    }
    1
}

/// `table[key]`: fills the table.
unsafe extern "C-unwind" fn index(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a table and a key.
    unsafe {
        sheets::fill(state);
        lua_rawget(state, 1);
    }
    1
}

/// `#table`: fills the table.
unsafe extern "C-unwind" fn len(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a table.
    unsafe {
        sheets::fill(state);
        lua_pushinteger(state, lua_rawlen(state, 1) as lua_Integer);
    }
    1
}

/// `pairs(table)`: fills the table.
unsafe extern "C-unwind" fn pairs(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with a table.
    unsafe {
        sheets::fill(state);
        lua_pushcfunction(state, next);
        lua_pushvalue(state, 1);
        lua_pushnil(state);
    }
    3
}

/// Lua's `next`, whatever a service has made of that global.
unsafe extern "C-unwind" fn next(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        luaL_checktype(state, 1, LUA_TTABLE);
        lua_settop(state, 2);
        if lua_next(state, 1) != 0 {
            return 2;
        }
        lua_pushnil(state);
    }
    1
}
