//! The module `skynet.sharedata.core`: tables that many services read and none changes.
//!
//! The service that makes a sheet ([`new`]) passes the address of its first table to others. Each keeps a box ([`boxed`])
//! that counts as a reference, reads fields with [`index`] and [`nextkey`], where tables inside are addresses again, and
//! notices by [`isdirty`] that there is a newer version.

mod read;
mod sheet;
mod text;

use std::ptr;
use std::slice;

use libc::{c_char, c_int};
use mlua_sys::{
    LUA_MINSTACK, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNONE, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE,
    lua_Integer, lua_State, lua_copy, lua_createtable, lua_error, lua_getiuservalue, lua_gettop,
    lua_isinteger, lua_newuserdatauv, lua_pushboolean, lua_pushcfunction, lua_pushfstring,
    lua_pushinteger, lua_pushlightuserdata, lua_pushlstring, lua_pushnil, lua_pushnumber,
    lua_rawset, lua_setfield, lua_setiuservalue, lua_setmetatable, lua_settop, lua_tointeger,
    lua_tolstring, lua_tonumber, lua_touserdata, lua_type, lua_typename, luaL_checklstring,
    luaL_checkstack, luaL_checktype, luaL_checkudata, luaL_error, luaL_newmetatable,
};

use crate::{Entry, check_version, register};
use read::Unfit;
use sheet::{Key, Sheet, Table, Value};

const FUNCTIONS: &[Entry] = &[
    // For the service that makes the data.
    (c"new", new),
    (c"delete", delete),
    (c"markdirty", markdirty),
    (c"getref", getref),
    (c"incref", incref),
    (c"decref", decref),
    // For those who read it.
    (c"box", boxed),
    (c"index", index),
    (c"nextkey", nextkey),
    (c"len", len),
    (c"hashlen", hashlen),
    (c"copy", copy),
    (c"isdirty", isdirty),
    (c"needupdate", needupdate),
    (c"update", update),
];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_sharedata_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// The table in argument `arg`.
#[inline]
unsafe fn table<'a>(state: *mut lua_State, arg: c_int) -> &'a Table {
    // SAFETY: called by a function of Lua. Addresses come from `new` or `index`; who passes one on has a reference.
    unsafe {
        let table: *const Table = lua_touserdata(state, arg).cast();
        if table.is_null() || lua_type(state, arg) != LUA_TLIGHTUSERDATA {
            luaL_error(state, c"Need a conf object".as_ptr());
        }
        &*table
    }
}

/// `new(table)`: the address of a copy of it, which has no references yet.
///
/// Keys are integers or strings; values are numbers, strings, booleans and tables. Anything else raises.
unsafe extern "C-unwind" fn new(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The result of `read` is an address or plain data before anything raises.
    unsafe {
        luaL_checktype(state, 1, LUA_TTABLE);
        let sheet = match read::read(state, 1).map(Box::into_raw) {
            Ok(sheet) => sheet,
            Err(unfit) => return refuse(state, unfit),
        };
        lua_pushlightuserdata(state, (*sheet).root().cast_mut().cast());
    }
    1
}

/// Raises the error; without a position, as the text is what programs look at.
#[cold]
unsafe fn refuse(state: *mut lua_State, unfit: Unfit) -> c_int {
    // SAFETY: called by a function of Lua; the stack has room after this.
    unsafe {
        lua_settop(state, 0);
        match unfit {
            Unfit::KeyType(kind) => lua_pushfstring(
                state,
                c"Invalid key type %s".as_ptr(),
                lua_typename(state, kind),
            ),
            Unfit::ValueType(kind) => lua_pushfstring(
                state,
                c"Unsupport value type %s".as_ptr(),
                lua_typename(state, kind),
            ),
            Unfit::RealKey(key) => lua_pushfstring(state, c"Invalid key %f".as_ptr(), key),
            Unfit::Endless => lua_pushfstring(state, c"a table contains itself".as_ptr()),
            Unfit::TooDeep => lua_pushfstring(state, c"stack overflow".as_ptr()),
        };
        lua_error(state)
    }
}

/// `delete(table)`: frees all of it. There must be no reference to it.
unsafe extern "C-unwind" fn delete(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; by contract this is the end of the sheet that `new` made.
    unsafe {
        let sheet = ptr::from_ref(table(state, 1).sheet()).cast_mut();
        drop(Box::from_raw(sheet));
    }
    0
}

/// `markdirty(table)`: tells all readers that there is a newer version.
unsafe extern "C-unwind" fn markdirty(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { table(state, 1) }.sheet().mark_dirty();
    0
}

/// `isdirty(table)`: whether there is a newer version.
unsafe extern "C-unwind" fn isdirty(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushboolean(state, table(state, 1).sheet().is_dirty().into()) };
    1
}

unsafe fn count(state: *mut lua_State, change: fn(&Sheet) -> i32) -> c_int {
    // SAFETY: called by a function of Lua.
    unsafe { lua_pushinteger(state, change(table(state, 1).sheet()).into()) };
    1
}

/// `getref(table)`: number of references.
unsafe extern "C-unwind" fn getref(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { count(state, Sheet::references) }
}

/// `incref(table)`: one reference more; their number.
unsafe extern "C-unwind" fn incref(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { count(state, Sheet::acquire) }
}

/// `decref(table)`: one reference less; their number.
unsafe extern "C-unwind" fn decref(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { count(state, Sheet::release) }
}

/// `len(table)`: values of 1, 2, ...
unsafe extern "C-unwind" fn len(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(state, table(state, 1).array().len() as lua_Integer) };
    1
}

/// `hashlen(table)`: all other keys.
unsafe extern "C-unwind" fn hashlen(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(state, table(state, 1).hashed() as lua_Integer) };
    1
}

unsafe fn push_key(state: *mut lua_State, key: Key) {
    // SAFETY: called by a function of Lua; the sheet keeps texts.
    unsafe {
        match key {
            Key::Integer(key) => lua_pushinteger(state, key),
            Key::Text(text) => {
                let bytes = text.bytes();
                lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
            }
        }
    }
}

#[inline]
unsafe fn push_value(state: *mut lua_State, table: &Table, value: Value) {
    // SAFETY: called by a function of Lua; the sheet keeps texts and tables.
    unsafe {
        match value {
            Value::Nil => lua_pushnil(state),
            Value::Boolean(value) => lua_pushboolean(state, value.into()),
            Value::Integer(value) => lua_pushinteger(state, value),
            Value::Real(value) => lua_pushnumber(state, value),
            Value::Text(text) => {
                let bytes = text.bytes();
                lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
            }
            Value::Table(number) => {
                lua_pushlightuserdata(state, table.sheet().table(number).cast_mut().cast());
            }
        }
    }
}

/// The string in argument 2. Raises for anything but a string or a number.
#[inline]
unsafe fn string<'a>(state: *mut lua_State, kind: c_int) -> &'a [u8] {
    // SAFETY: called by a function of Lua; the argument outlives the use of the slice.
    unsafe {
        let mut len = 0;
        let text = if kind == LUA_TSTRING {
            lua_tolstring(state, 2, &mut len)
        } else {
            luaL_checklstring(state, 2, &mut len)
        };
        slice::from_raw_parts(text.cast(), len)
    }
}

/// Place of an integer key in the array.
#[inline]
fn place(table: &Table, key: lua_Integer) -> Option<usize> {
    let place = usize::try_from(key).ok()?.checked_sub(1)?;
    (place < table.array().len()).then_some(place)
}

/// `index(table, key)`: the value, the address of a table; nothing if there is none.
unsafe extern "C-unwind" fn index(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let table = table(state, 1);
        let node = match lua_type(state, 2) {
            LUA_TNIL => return 0,
            LUA_TNUMBER => {
                if lua_isinteger(state, 2) == 0 {
                    let key = lua_tonumber(state, 2);
                    return luaL_error(state, c"Invalid key %f".as_ptr(), key);
                }
                let key = lua_tointeger(state, 2);
                if let Some(place) = place(table, key) {
                    push_value(state, table, table.array()[place]);
                    return 1;
                }
                table.find_integer(key)
            }
            kind => table.find_text(string(state, kind)),
        };
        let Some(node) = node else {
            return 0;
        };
        push_value(state, table, table.value(node));
    }
    1
}

/// `nextkey(table, key)`: the key that follows, the first one for nil; nothing after the last.
unsafe extern "C-unwind" fn nextkey(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let table = table(state, 1);
        // Either a place of the array at which to go on, or the number of a node.
        let (from, node) = match lua_type(state, 2) {
            LUA_TNIL | LUA_TNONE => (Some(0), 0),
            LUA_TNUMBER => {
                if lua_isinteger(state, 2) == 0 {
                    return 0;
                }
                let key = lua_tointeger(state, 2);
                match place(table, key) {
                    Some(place) => (Some(place + 1), 0),
                    None => match table.find_integer(key) {
                        Some(node) => (None, node + 1),
                        None => return 0,
                    },
                }
            }
            kind => match table.find_text(string(state, kind)) {
                Some(node) => (None, node + 1),
                None => return 0,
            },
        };
        if let Some(from) = from {
            let rest = &table.array()[from..];
            let is_set = |value: &Value| !matches!(value, Value::Nil);
            if let Some(skipped) = rest.iter().position(is_set) {
                lua_pushinteger(state, (from + skipped + 1) as lua_Integer);
                return 1;
            }
        }
        match table.key(node) {
            Some(key) => push_key(state, key),
            None => return 0,
        }
    }
    1
}

/// Stack slots that a level of nesting takes: the copy so far, the key of the table in it that is copied now, and where to
/// go on after that (place and table).
const SLOTS: c_int = 4;

/// `copy(table)`: a plain table with the same contents, tables in it included. Not in skynet, where Lua code does it.
unsafe extern "C-unwind" fn copy(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. All that has to be kept is on Lua's stack, which is checked before a level is entered; so
    // however deep the data is, there is an error at worst.
    unsafe {
        let root = table(state, 1);
        let (mut source, mut place) = (root, 0_usize);
        push_empty(state, source);
        loop {
            let array = source.array();
            let key = match place.checked_sub(array.len()) {
                None => Some(Key::Integer(place as lua_Integer + 1)),
                Some(node) => source.key(node),
            };
            let Some(key) = key else {
                // The copy at the top is complete.
                if ptr::eq(source, root) && lua_gettop(state) == 2 {
                    return 1;
                }
                place = lua_tointeger(state, -3) as usize;
                source = &*lua_touserdata(state, -2).cast::<Table>();
                lua_copy(state, -1, -3);
                lua_settop(state, -3);
                lua_rawset(state, -3);
                continue;
            };
            let value = match array.get(place) {
                Some(value) => *value,
                None => source.value(place - array.len()),
            };
            place += 1;
            match value {
                Value::Nil => {}
                Value::Table(number) => {
                    luaL_checkstack(state, SLOTS + LUA_MINSTACK, ptr::null());
                    push_key(state, key);
                    lua_pushinteger(state, place as lua_Integer);
                    lua_pushlightuserdata(state, ptr::from_ref(source).cast_mut().cast());
                    (source, place) = (&*source.sheet().table(number), 0);
                    push_empty(state, source);
                }
                _ => {
                    push_key(state, key);
                    push_value(state, source, value);
                    lua_rawset(state, -3);
                }
            }
        }
    }
}

/// Pushes a table that has room for what is in this one.
unsafe fn push_empty(state: *mut lua_State, table: &Table) {
    let room = |count: usize| c_int::try_from(count).unwrap_or(c_int::MAX);
    // SAFETY: called by a function of Lua.
    unsafe { lua_createtable(state, room(table.array().len()), room(table.hashed())) }
}

const BOX: *const c_char = c"confctrl".as_ptr();

/// A reference to a sheet that the garbage collector gives back.
struct Held {
    /// Null before it counts, and after.
    root: *const Table,
    /// What replaces it; null for nothing yet.
    newer: *const Table,
}

/// `box(table)`: a userdata that counts as a reference.
unsafe extern "C-unwind" fn boxed(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reference is counted when nothing raises any more.
    unsafe {
        let root = table(state, 1);
        let held: *mut Held = lua_newuserdatauv(state, size_of::<Held>(), 1).cast();
        held.write(Held {
            root: ptr::null(),
            newer: ptr::null(),
        });
        if luaL_newmetatable(state, BOX) != 0 {
            lua_pushcfunction(state, unbox);
            lua_setfield(state, -2, c"__gc".as_ptr());
        }
        lua_setmetatable(state, -2);
        root.sheet().acquire();
        (*held).root = root;
    }
    1
}

unsafe fn held<'a>(state: *mut lua_State) -> &'a mut Held {
    // SAFETY: called by a function of Lua; such userdata is made by `boxed`.
    unsafe { &mut *luaL_checkudata(state, 1, BOX).cast::<Held>() }
}

unsafe extern "C-unwind" fn unbox(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reference has kept the sheet alive.
    unsafe {
        let held = held(state);
        let root = std::mem::replace(&mut held.root, ptr::null());
        held.newer = ptr::null();
        if !root.is_null() {
            (*root).sheet().release();
        }
    }
    0
}

/// `update(box, table, value)`: what replaces the data of the box, and a value that comes with it.
unsafe extern "C-unwind" fn update(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let held = held(state);
        luaL_checktype(state, 2, LUA_TLIGHTUSERDATA);
        luaL_checktype(state, 3, LUA_TTABLE);
        let newer: *const Table = table(state, 2);
        if held.root == newer {
            return luaL_error(state, c"You should update a new object".as_ptr());
        }
        lua_settop(state, 3);
        lua_setiuservalue(state, 1, 1);
        held.newer = newer;
    }
    0
}

/// `needupdate(box)`: table and value of the last [`update`]; nothing if there was none.
unsafe extern "C-unwind" fn needupdate(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let newer = held(state).newer;
        if newer.is_null() {
            return 0;
        }
        lua_pushlightuserdata(state, newer.cast_mut().cast());
        lua_getiuservalue(state, 1, 1);
    }
    2
}
