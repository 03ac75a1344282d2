//! The module `skynet.stm`: a value that one service writes and others read as often as they like, without messages.
//!
//! The value is serialised bytes. The writer makes copies of its *address*, which travel in messages; each becomes one
//! reader.

mod cell;

use std::ffi::CStr;
use std::ptr;
use std::slice;

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_MULTRET, LUA_TFUNCTION, LUA_TLIGHTUSERDATA, lua_CFunction, lua_Integer, lua_State,
    lua_call, lua_createtable, lua_gettop, lua_pushboolean, lua_pushcfunction, lua_pushinteger,
    lua_pushlightuserdata, lua_pushvalue, lua_setfield, lua_settop, lua_type, luaL_argerror,
    luaL_checklstring, luaL_checktype, luaL_checkudata, luaL_error, luaL_newmetatable,
};

use crate::arguments::{address, message};
use crate::sync::Arc;
use crate::{Entry, check_version, register, userdata};
use cell::{Cell, Seen, Version};

const FUNCTIONS: &[Entry] = &[(c"new", new), (c"copy", copy), (c"newcopy", newcopy)];

const WRITER: &CStr = c"skynet.stm.writer";
const READER: &CStr = c"skynet.stm.reader";

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_stm(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        metatable(state, WRITER, write, delete_writer);
        metatable(state, READER, read, delete_reader);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// Makes the metatable of `kind`.
unsafe fn metatable(state: *mut lua_State, kind: &CStr, call: lua_CFunction, gc: lua_CFunction) {
    // SAFETY: called by a function of Lua.
    unsafe {
        luaL_newmetatable(state, kind.as_ptr());
        lua_pushcfunction(state, call);
        lua_setfield(state, -2, c"__call".as_ptr());
        lua_pushcfunction(state, gc);
        lua_setfield(state, -2, c"__gc".as_ptr());
        lua_settop(state, -2);
    }
}

/// The writer in Lua. Null until it has a cell, and after its end.
struct Writer {
    cell: *const Cell,
}

/// A reader in Lua: references to the cell and to the version that it has read last, null for none.
struct Reader {
    cell: *const Cell,
    held: *const Version,
}

/// A version of the message in `arg` and `arg + 1`, which it takes over, or of a copy of the string in `arg`; a full userdata
/// is memory of Lua, which nobody may take over. A raw
/// reference, so that it may outlive an error.
unsafe fn version(state: *mut lua_State, arg: c_int) -> *const Version {
    // SAFETY: called by a function of Lua.
    unsafe {
        let (data, size): (*mut c_void, usize) = match lua_type(state, arg) {
            LUA_TLIGHTUSERDATA => message(state, arg),
            _ => {
                let mut len = 0;
                let text = luaL_checklstring(state, arg, &mut len);
                let data = cell::copied(slice::from_raw_parts(text.cast(), len));
                if data.is_null() {
                    luaL_error(state, c"not enough memory".as_ptr());
                }
                (data, len)
            }
        };
        Arc::into_raw(Version::new(data, size))
    }
}

/// `new(string)` or `new(message, size)`, whose message is taken over: a writer. Calling the writer with the same
/// arguments replaces the value; when it is collected, its readers get no more versions.
unsafe extern "C-unwind" fn new(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the writer takes the cell over before anything raises.
    unsafe {
        lua_settop(state, 2);
        let cell = ptr::null();
        let writer = userdata::push(state, WRITER, Writer { cell });
        let first = Arc::from_raw(version(state, 1));
        (*writer).cell = cell::into_address(Cell::new(first));
    }
    1
}

unsafe fn checked<'a, T>(state: *mut lua_State, kind: &CStr) -> &'a mut T {
    // SAFETY: called by a function of Lua; objects of this kind are made by `push`, and live while they are arguments.
    unsafe { &mut *luaL_checkudata(state, 1, kind.as_ptr()).cast() }
}

/// The cell of a writer or a reader.
unsafe fn cell_of<'a>(state: *mut lua_State, cell: *const Cell) -> &'a Cell {
    // SAFETY: called by a function of Lua; who has a cell holds a reference to it.
    unsafe {
        if cell.is_null() {
            luaL_argerror(state, 1, c"the object is closed".as_ptr());
        }
        &*cell
    }
}

/// `writer(string)` or `writer(message, size)`, whose message is taken over: replaces the value.
unsafe extern "C-unwind" fn write(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing raises after the version is made.
    unsafe {
        let cell = cell_of(state, checked::<Writer>(state, WRITER).cell);
        let version = version(state, 2);
        cell.write(Some(Arc::from_raw(version)));
    }
    0
}

/// `copy(writer)`: the address of the value, for one call of [`newcopy`] in any service of the node.
unsafe extern "C-unwind" fn copy(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reference of the writer is doubled.
    unsafe {
        let cell: *const Cell = cell_of(state, checked::<Writer>(state, WRITER).cell);
        let own = std::mem::ManuallyDrop::new(cell::from_address(cell));
        let handed = cell::into_address(Arc::clone(&own));
        lua_pushlightuserdata(state, handed.cast_mut().cast());
    }
    1
}

/// `newcopy(address)`: a reader, which takes the address over.
unsafe extern "C-unwind" fn newcopy(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing raises after the address is taken.
    unsafe {
        let handed = address::<Cell>(state, 1);
        let reader = userdata::push(
            state,
            READER,
            Reader {
                cell: ptr::null(),
                held: ptr::null(),
            },
        );
        (*reader).cell = handed;
    }
    1
}

/// `reader(function [, value])`: if there is another version than at the last call, true and what
/// `function(message, size, value)` returns; otherwise false. The message is readable until the next call of this reader.
unsafe extern "C-unwind" fn read(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reader holds the version, and stays on the stack while the function runs.
    unsafe {
        let reader = checked::<Reader>(state, READER);
        let cell = cell_of(state, reader.cell);
        luaL_checktype(state, 2, LUA_TFUNCTION);
        let Some((data, size)) = next(reader, cell) else {
            lua_pushboolean(state, 0);
            return 1;
        };
        lua_settop(state, 3);
        lua_pushboolean(state, 1);
        lua_pushvalue(state, 2);
        lua_pushlightuserdata(state, data);
        lua_pushinteger(state, size as lua_Integer);
        lua_pushvalue(state, 3);
        lua_call(state, 3, LUA_MULTRET);
        lua_gettop(state) - 3
    }
}

/// Moves the reader on: the bytes of the version that is new to it.
unsafe fn next(reader: &mut Reader, cell: &Cell) -> Option<(*mut c_void, usize)> {
    // SAFETY: the reader owns the reference that `held` is, which is given back here if there is another version.
    unsafe {
        let held = (!reader.held.is_null()).then(|| Arc::from_raw(reader.held));
        let (now, fresh) = match cell.look(held.as_ref()) {
            Seen::Same => (held, false),
            Seen::New(version) => (Some(version), true),
            Seen::Gone => (None, false),
        };
        let bytes = now.as_ref().map(|version| version.bytes());
        reader.held = now.map_or(ptr::null(), Arc::into_raw);
        bytes.filter(|_| fresh)
    }
}

unsafe extern "C-unwind" fn delete_writer(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the reference is given back once.
    unsafe {
        let writer = checked::<Writer>(state, WRITER);
        let cell = std::mem::replace(&mut writer.cell, ptr::null());
        if !cell.is_null() {
            cell::from_address(cell).write(None);
        }
    }
    0
}

unsafe extern "C-unwind" fn delete_reader(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the references are given back once.
    unsafe {
        let reader = checked::<Reader>(state, READER);
        let cell = std::mem::replace(&mut reader.cell, ptr::null());
        let held = std::mem::replace(&mut reader.held, ptr::null());
        if !held.is_null() {
            drop(Arc::from_raw(held));
        }
        if !cell.is_null() {
            drop(cell::from_address(cell));
        }
    }
    0
}
