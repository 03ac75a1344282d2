//! The Lua modules `cjson` and `cjson.safe`: JSON to and from Lua values, with the interface of lua-cjson (OpenResty's and
//! cloudwu's additions included).
//!
//! No tree stands between text and tables: `decode` leaves values on Lua's stack and makes each table in its final size,
//! `encode` walks tables and appends to one buffer. Neither recurses, so that depth costs memory in proportion and no C stack.
//!
//! Errors in Lua are longjmps: everything on the stack of this crate is plain data.

mod config;
mod containers;
mod decode;
mod encode;
mod number;
mod place;
mod real;
mod scan;
mod string;
mod table;

use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use mlua_sys::{
    LUA_ERRRUN, LUA_OK, LUA_REGISTRYINDEX, LUA_TNIL, lua_CFunction, lua_State, lua_createtable,
    lua_getfield, lua_gettop, lua_insert, lua_pcall, lua_pushcclosure, lua_pushcfunction,
    lua_pushlightuserdata, lua_pushnil, lua_pushstring, lua_pushvalue, lua_rawgetp, lua_rawsetp,
    lua_setfield, lua_settop, lua_upvalueindex, luaL_argerror, luaL_error,
};
use skynet_support::{Entry, check_version, register};

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[
    (c"cjson", luaopen_cjson),
    (c"cjson.safe", luaopen_cjson_safe),
];

/// All have the settings as upvalue 1, and upvalue 2 for a buffer that is not in use.
const FUNCTIONS: &[Entry] = &[
    (c"encode", encode::encode),
    (c"decode", decode::decode),
    (c"new", new),
    (c"encode_sparse_array", config::encode_sparse_array),
    (c"encode_max_depth", config::encode_max_depth),
    (c"decode_max_depth", config::decode_max_depth),
    (c"encode_number_precision", config::encode_number_precision),
    (c"encode_keep_buffer", config::encode_keep_buffer),
    (c"encode_invalid_numbers", config::encode_invalid_numbers),
    (c"decode_invalid_numbers", config::decode_invalid_numbers),
    (
        c"encode_empty_table_as_object",
        config::encode_empty_table_as_object,
    ),
    (
        c"encode_empty_table_as_array",
        config::encode_empty_table_as_array,
    ),
    (
        c"decode_array_with_array_mt",
        config::decode_array_with_array_mt,
    ),
    (c"decode_allow_comment", config::decode_allow_comment),
    (
        c"encode_escape_forward_slash",
        config::encode_escape_forward_slash,
    ),
    (
        c"encode_skip_unsupported_value_types",
        config::encode_skip_unsupported_value_types,
    ),
    (c"encode_indent", config::encode_indent),
];

/// What programs compare with: the release of lua-cjson whose interface this is.
const VERSION: &CStr = c"2.1.0.11";

/// Its address is `cjson.empty_array`, and the key of `cjson.array_mt` in the registry.
static ARRAY: u8 = 1;
/// Its address is the key of `cjson.empty_array_mt` in the registry.
static EMPTY_ARRAY: u8 = 2;

/// `cjson.empty_array`, and where [`push_array_mt`] finds its table.
fn array_key() -> *const c_void {
    (&raw const ARRAY).cast()
}

fn empty_array_key() -> *const c_void {
    (&raw const EMPTY_ARRAY).cast()
}

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_cjson(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        new(state)
    }
}

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_cjson_safe(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        new_safe(state)
    }
}

/// `cjson.new()`: the module again, with settings of its own, which are the first ones. That of `cjson.safe` is safe.
unsafe extern "C-unwind" fn new(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        lua_createtable(state, 0, FUNCTIONS.len() as c_int + 6);
        config::push(state);
        lua_pushnil(state);
        register(state, FUNCTIONS, 2);
        lua_pushlightuserdata(state, ptr::null_mut());
        lua_setfield(state, -2, c"null".as_ptr());
        lua_pushlightuserdata(state, array_key().cast_mut());
        lua_setfield(state, -2, c"empty_array".as_ptr());
        push_registered(state, array_key());
        lua_setfield(state, -2, c"array_mt".as_ptr());
        push_registered(state, empty_array_key());
        lua_setfield(state, -2, c"empty_array_mt".as_ptr());
        lua_pushstring(state, c"cjson".as_ptr());
        lua_setfield(state, -2, c"_NAME".as_ptr());
        lua_pushstring(state, VERSION.as_ptr());
        lua_setfield(state, -2, c"_VERSION".as_ptr());
    }
    1
}

/// [`new`] of `cjson.safe`.
unsafe extern "C-unwind" fn new_safe(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        new(state);
        lua_pushcfunction(state, new_safe);
        lua_setfield(state, -2, c"new".as_ptr());
        for name in [c"encode", c"decode"] {
            lua_getfield(state, -1, name.as_ptr());
            lua_pushcclosure(state, protected, 1);
            lua_setfield(state, -2, name.as_ptr());
        }
    }
    1
}

/// Calls the function in upvalue 1; its error becomes nil and a text.
unsafe extern "C-unwind" fn protected(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        check_one_argument(state);
        lua_pushvalue(state, lua_upvalueindex(1));
        lua_insert(state, 1);
        match lua_pcall(state, 1, 1, 0) {
            LUA_OK => 1,
            LUA_ERRRUN => {
                lua_pushnil(state);
                lua_insert(state, -2);
                2
            }
            _ => {
                let text = c"Memory allocation error in CJSON protected call";
                luaL_error(state, text.as_ptr())
            }
        }
    }
}

/// Pushes the table that all modules of this Lua share, for one of the two keys.
unsafe fn push_registered(state: *mut lua_State, key: *const c_void) {
    // SAFETY: the stack has room for two values.
    unsafe {
        if lua_rawgetp(state, LUA_REGISTRYINDEX, key) == LUA_TNIL {
            lua_settop(state, -2);
            lua_createtable(state, 0, 0);
            lua_pushvalue(state, -1);
            lua_rawsetp(state, LUA_REGISTRYINDEX, key);
        }
    }
}

/// Pushes `cjson.array_mt`.
unsafe fn push_array_mt(state: *mut lua_State) {
    // SAFETY: as the caller promises.
    unsafe { push_registered(state, array_key()) }
}

unsafe fn check_one_argument(state: *mut lua_State) {
    // SAFETY: raises where nothing has a destructor.
    unsafe {
        if lua_gettop(state) != 1 {
            luaL_argerror(state, 1, c"expected 1 argument".as_ptr());
        }
    }
}
