//! The tables of Lua that stand for tables of documents.
//!
//! All functions of the module have one upvalue, the metatable of tables that are not filled. It also holds
//! - [`DOCUMENTS`]: for each document, by address, its tables in Lua, by number; these are collected when they are not used;
//! - [`PLACES`]: for each such table the [`Place`] that it stands for.

use std::ffi::CStr;

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_TTABLE, LUA_TUSERDATA, lua_Integer, lua_State, lua_createtable, lua_gettop,
    lua_newuserdatauv, lua_next, lua_pop, lua_pushboolean, lua_pushinteger, lua_pushnil,
    lua_pushnumber, lua_pushstring, lua_pushvalue, lua_rawget, lua_rawgeti, lua_rawgetp,
    lua_rawset, lua_rawseti, lua_rawsetp, lua_remove, lua_setfield, lua_setmetatable, lua_settop,
    lua_tointeger, lua_topointer, lua_touserdata, lua_upvalueindex, luaL_error,
};

use super::document::{Document, Value};

const DOCUMENTS: lua_Integer = 1;
const PLACES: lua_Integer = 2;

/// What a table stands for.
struct Place {
    document: *const u8,
    number: u32,
}

/// Fills the metatable at the top, see above.
///
/// # Safety
/// Called by a function of Lua.
pub(super) unsafe fn prepare(state: *mut lua_State) {
    // SAFETY: as the caller promises.
    unsafe {
        lua_createtable(state, 0, 1);
        lua_rawseti(state, -2, DOCUMENTS);
        push_weak(state, c"k");
        lua_rawseti(state, -2, PLACES);
    }
}

unsafe fn push_weak(state: *mut lua_State, mode: &CStr) {
    // SAFETY: called by a function of Lua.
    unsafe {
        lua_createtable(state, 0, 0);
        lua_createtable(state, 0, 1);
        lua_pushstring(state, mode.as_ptr());
        lua_setfield(state, -2, c"__mode".as_ptr());
        lua_setmetatable(state, -2);
    }
}

unsafe fn push_metatable(state: *mut lua_State) {
    // SAFETY: called by a function of the module.
    unsafe { lua_pushvalue(state, lua_upvalueindex(1)) }
}

unsafe fn push_part(state: *mut lua_State, part: lua_Integer) {
    // SAFETY: as above.
    unsafe { lua_rawgeti(state, lua_upvalueindex(1), part) };
}

/// Pushes the tables of a document.
unsafe fn push_tables(state: *mut lua_State, document: *const u8) {
    // SAFETY: as above.
    unsafe {
        push_part(state, DOCUMENTS);
        if lua_rawgetp(state, -1, document.cast()) != LUA_TTABLE {
            lua_pop(state, 1);
            push_weak(state, c"v");
            lua_pushvalue(state, -1);
            lua_rawsetp(state, -3, document.cast());
        }
        lua_remove(state, -2);
    }
}

/// Pushes the table of Lua for table `number` of a document, whose tables are at stack index `tables`.
unsafe fn push_table(state: *mut lua_State, tables: c_int, document: Document, number: u32) {
    // SAFETY: as above.
    unsafe {
        if document.table(number).is_none() {
            luaL_error(state, c"Invalid index %d".as_ptr(), number as c_int);
        }
        let slot = lua_Integer::from(number) + 1;
        if lua_rawgeti(state, tables, slot) == LUA_TTABLE {
            return;
        }
        lua_pop(state, 1);
        lua_createtable(state, 0, 0);
        push_metatable(state);
        lua_setmetatable(state, -2);
        lua_pushvalue(state, -1);
        lua_rawseti(state, tables, slot);
        push_part(state, PLACES);
        lua_pushvalue(state, -2);
        let place: *mut Place = lua_newuserdatauv(state, size_of::<Place>(), 0).cast();
        place.write(Place {
            document: document.address(),
            number,
        });
        lua_rawset(state, -3);
        lua_pop(state, 1);
    }
}

/// Pushes the first table of the document at an address.
///
/// # Safety
/// Called by a function of the module; the address comes from `stringpointer`, and its string is alive.
pub(super) unsafe fn push_root(state: *mut lua_State, address: *const u8) {
    // SAFETY: as the caller promises.
    unsafe {
        push_tables(state, address);
        let tables = lua_gettop(state);
        push_table(state, tables, Document::at(address), 0);
    }
}

/// Pushes the [`Place`] of argument 1. Raises if that is none of the tables of this module.
unsafe fn push_place(state: *mut lua_State) -> *mut Place {
    // SAFETY: called by a function of the module.
    unsafe {
        push_part(state, PLACES);
        lua_pushvalue(state, 1);
        if lua_rawget(state, -2) != LUA_TUSERDATA {
            let table = lua_topointer(state, 1);
            luaL_error(state, c"Invalid proxy table %p".as_ptr(), table);
        }
        lua_remove(state, -2);
        lua_touserdata(state, -1).cast()
    }
}

unsafe fn push_value(state: *mut lua_State, tables: c_int, document: Document, value: Value<'_>) {
    // SAFETY: called by a function of the module.
    unsafe {
        match value {
            Value::Nil => lua_pushnil(state),
            Value::Integer(value) => lua_pushinteger(state, value.into()),
            Value::Real(value) => lua_pushnumber(state, value.into()),
            Value::Boolean(value) => lua_pushboolean(state, value.into()),
            Value::Table(number) => push_table(state, tables, document, number),
            Value::String(text) => {
                lua_pushstring(state, text.as_ptr());
            }
        }
    }
}

/// Fills the table in argument 1. Leaves the stack as it was.
///
/// # Safety
/// Called by a function of the module.
pub(super) unsafe fn fill(state: *mut lua_State) {
    // SAFETY: as the caller promises; a document lives as long as a table that comes from it is not moved on.
    unsafe {
        let top = lua_gettop(state);
        let &Place { document, number } = &*push_place(state);
        let document = Document::at(document);
        let Some(table) = document.table(number) else {
            luaL_error(
                state,
                c"Invalid proxy (index = %d, total = %d)".as_ptr(),
                number as c_int,
                document.tables() as c_int,
            );
            return;
        };
        push_tables(state, document.address());
        let tables = lua_gettop(state);
        for at in 0..table.array() {
            let Some(value) = table.value(at) else { break };
            push_value(state, tables, document, value);
            lua_rawseti(state, 1, lua_Integer::from(at) + 1);
        }
        for at in 0..table.pairs() {
            let Some((key, value)) = table.pair(at) else {
                break;
            };
            lua_pushstring(state, key.as_ptr());
            push_value(state, tables, document, value);
            lua_rawset(state, 1);
        }
        lua_pushnil(state);
        lua_setmetatable(state, 1);
        lua_settop(state, top);
    }
}

/// Removes all fields of the table at the top.
unsafe fn clear(state: *mut lua_State) {
    // SAFETY: called by a function of the module; fields may be removed on the way.
    unsafe {
        lua_pushnil(state);
        while lua_next(state, -2) != 0 {
            lua_pop(state, 1);
            lua_pushvalue(state, -1);
            lua_pushnil(state);
            lua_rawset(state, -4);
        }
    }
}

/// Moves all tables of the document that argument 1 comes from on to another document, and pushes the place of argument 1.
/// A table that is not in there stays in the list: a later document may have it again.
///
/// # Safety
/// Called by a function of the module; as for [`push_root`].
pub(super) unsafe fn move_on(state: *mut lua_State, newer: *const u8) {
    // SAFETY: as the caller promises. Entries of the list may vanish while it is walked, but none is added.
    unsafe {
        let older = (*push_place(state)).document;
        let place = lua_gettop(state);
        let (metatable, places, older_tables, newer_tables) =
            (place + 1, place + 2, place + 3, place + 4);
        push_metatable(state);
        push_part(state, PLACES);
        push_tables(state, older);
        forget(state, older);
        push_tables(state, newer);
        lua_pushnil(state);
        while lua_next(state, older_tables) != 0 {
            lua_pushvalue(state, -1);
            if lua_rawget(state, places) == LUA_TUSERDATA {
                (*lua_touserdata(state, -1).cast::<Place>()).document = newer;
            }
            lua_pop(state, 1);
            clear(state);
            lua_pushvalue(state, metatable);
            lua_setmetatable(state, -2);
            lua_rawseti(state, newer_tables, lua_tointeger(state, -2));
        }
        lua_settop(state, place);
    }
}

unsafe fn forget(state: *mut lua_State, document: *const u8) {
    // SAFETY: called by a function of the module.
    unsafe {
        push_part(state, DOCUMENTS);
        lua_pushnil(state);
        lua_rawsetp(state, -2, document.cast::<c_void>());
        lua_pop(state, 1);
    }
}
