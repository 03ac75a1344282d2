//! The Lua module `bson`: MongoDB's documents.
//!
//! A document is a userdata with the metatable "bson", or a light userdata that points to one. Values that Lua has no type
//! for are strings: a zero byte, the type of the element (see [`kind`]), and the value.
//!
//! Errors in Lua are longjmps: everything on the stack of this crate is plain data.

mod date;
mod decimal;
mod decode;
mod element;
mod encode;
mod index;
mod kind;
mod object;
mod object_id;
mod reader;
mod utf8;

use std::ffi::CStr;
use std::slice;

use libc::c_int;
use mlua_sys::{
    LUA_TUSERDATA, lua_CFunction, lua_State, lua_createtable, lua_pushcfunction, lua_pushinteger,
    lua_pushlightuserdata, lua_pushlstring, lua_pushnil, lua_pushvalue, lua_rawlen, lua_setfield,
    lua_settop, lua_touserdata, lua_type, luaL_checkudata, luaL_newmetatable,
};
use skynet_support::{Entry, check_version, register};

use reader::Problem;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[(c"bson", luaopen_bson)];

/// Functions with the metatable of documents and the buffer's userdata as their upvalues.
const MAKERS: &[Entry] = &[
    (c"encode", encode::encode),
    (c"encode_order", encode::encode_order),
];

const FUNCTIONS: &[Entry] = &[
    (c"decode", decode::decode),
    (c"to_lightuserdata", to_lightuserdata),
    (c"date", object::date),
    (c"exact_dates", object::exact_dates),
    (c"decimal128", object::decimal128),
    (c"timestamp", object::timestamp),
    (c"regex", object::regex),
    (c"binary", object::binary),
    (c"int64", object::int64),
    (c"objectid", object_id::objectid),
];

const METHODS: &[Entry] = &[
    (c"decode", decode::decode),
    (c"makeindex", index::makeindex),
];

/// Name of the metatable of documents in the registry.
const DOCUMENT: &CStr = c"bson";

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_bson(state: *mut lua_State) -> c_int {
    const CONSTANTS: [(&CStr, u8); 3] = [
        (c"null", kind::NULL),
        (c"minkey", kind::MIN_KEY),
        (c"maxkey", kind::MAX_KEY),
    ];
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, (MAKERS.len() + FUNCTIONS.len() + 4) as c_int);
        metatable(state);
        lua_pushnil(state);
        register(state, MAKERS, 2);
        register(state, FUNCTIONS, 0);
        for (name, kind) in CONSTANTS {
            let value = [0, kind];
            lua_pushlstring(state, value.as_ptr().cast(), value.len());
            lua_setfield(state, -2, name.as_ptr());
        }
        object::push_type_function(state);
        lua_setfield(state, -2, c"type".as_ptr());
    }
    1
}

/// Pushes the metatable of documents.
unsafe fn metatable(state: *mut lua_State) {
    const EVENTS: &[Entry] = &[
        (c"__tostring", document_tostring),
        (c"__len", document_len),
        (c"__newindex", index::replace),
    ];
    // SAFETY: the stack has room for the table, its fields and one more value.
    unsafe {
        if luaL_newmetatable(state, DOCUMENT.as_ptr()) == 0 {
            return;
        }
        register(state, EVENTS, 0);
        lua_createtable(state, 0, METHODS.len() as c_int);
        register(state, METHODS, 0);
        lua_setfield(state, -2, c"__index".as_ptr());
    }
}

/// Makes a document of `bytes`: pushes the userdata, which gets the metatable in upvalue 1 of the running function.
unsafe fn push_document(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: there is room for two values; `bytes` stay where they are, whatever the collector runs.
    unsafe {
        let place = mlua_sys::lua_newuserdatauv(state, bytes.len(), 1);
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), place.cast::<u8>(), bytes.len());
        lua_pushvalue(state, mlua_sys::lua_upvalueindex(1));
        mlua_sys::lua_setmetatable(state, -2);
    }
}

/// The document that the userdata at `index` holds or points to. Of a light one only the length in its first four bytes is
/// known. `None`: no userdata, or a null pointer.
unsafe fn document_at<'a>(
    state: *mut lua_State,
    index: c_int,
) -> Option<Result<&'a [u8], Problem>> {
    // SAFETY: a pointer to a document is readable as far as its length says, by contract.
    unsafe {
        let start: *const u8 = lua_touserdata(state, index).cast();
        if start.is_null() {
            return None;
        }
        if lua_type(state, index) == LUA_TUSERDATA {
            let held = slice::from_raw_parts(start, lua_rawlen(state, index));
            return Some(reader::document(held));
        }
        let length = i32::from_le_bytes(start.cast::<[u8; 4]>().read_unaligned());
        if length < reader::SMALLEST {
            return Some(Err(Problem::too_short(length, reader::SMALLEST)));
        }
        Some(reader::document(slice::from_raw_parts(
            start,
            length as usize,
        )))
    }
}

/// `document:tostring`, also `tostring(document)`: its bytes.
unsafe extern "C-unwind" fn document_tostring(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; argument 1 is a document after the check.
    unsafe {
        let start = luaL_checkudata(state, 1, DOCUMENT.as_ptr());
        lua_pushlstring(state, start.cast(), lua_rawlen(state, 1));
    }
    1
}

/// `#document`: its length in bytes.
unsafe extern "C-unwind" fn document_len(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        luaL_checkudata(state, 1, DOCUMENT.as_ptr());
        lua_pushinteger(state, lua_rawlen(state, 1) as mlua_sys::lua_Integer);
    }
    1
}

/// `to_lightuserdata(document)`: a pointer to it, good as long as the document is kept.
unsafe extern "C-unwind" fn to_lightuserdata(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let start = lua_touserdata(state, 1);
        lua_pushlightuserdata(state, start);
    }
    1
}

/// Pushes a closure over the `upvalues` values at the top.
unsafe fn push_closure(state: *mut lua_State, function: lua_CFunction, upvalues: c_int) {
    // SAFETY: as the caller promises.
    unsafe {
        if upvalues == 0 {
            lua_pushcfunction(state, function);
        } else {
            mlua_sys::lua_pushcclosure(state, function, upvalues);
        }
    }
}

/// Pops `count` values.
#[inline(always)]
unsafe fn pop(state: *mut lua_State, count: c_int) {
    // SAFETY: as the caller promises.
    unsafe { lua_settop(state, -count - 1) }
}
