//! The Lua module `sproto.core`: messages with a schema.
//!
//! Schemas and types are light userdata: they belong to no Lua state, and services share them. Who deletes a schema has to
//! see to it that neither it nor its types are used any more.
//!
//! Errors in Lua are longjmps: nothing with a destructor is alive where one can be raised.

mod decode;
mod defaults;
mod encode;
mod handles;
mod packing;
mod schema;
mod wire;

use std::ffi::{CStr, c_int};
use std::slice;

use mlua_sys::{
    LUA_TLIGHTUSERDATA, LUA_TSTRING, LUA_TUSERDATA, lua_CFunction, lua_State, lua_createtable,
    lua_pushlstring, lua_pushnil, lua_rawlen, lua_tolstring, lua_touserdata, lua_type,
    lua_upvalueindex, luaL_argerror, luaL_checkinteger, luaL_error,
};
use skynet_support::buffer::{Buffer, Place};
use skynet_support::{Entry, check_version, register};

use packing::Progress;
use schema::Type;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[(c"sproto.core", luaopen_sproto_core)];

/// Structs within structs, at most.
const MAX_DEPTH: u32 = 64;

const FUNCTIONS: &[Entry] = &[
    (c"newproto", handles::newproto),
    (c"deleteproto", handles::deleteproto),
    (c"dumpproto", handles::dumpproto),
    (c"querytype", handles::querytype),
    (c"protocol", handles::protocol),
    (c"saveproto", handles::saveproto),
    (c"loadproto", handles::loadproto),
    (c"decode", decode::decode),
    (c"default", defaults::default),
];

/// Functions with a buffer's userdata as their upvalue.
const BUFFERED: [Entry; 3] = [
    (c"encode", encode::encode),
    (c"pack", pack),
    (c"unpack", unpack),
];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_sproto_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, (FUNCTIONS.len() + BUFFERED.len()) as c_int);
        register(state, FUNCTIONS, 0);
        lua_pushnil(state);
        register(state, &BUFFERED, 1);
    }
    1
}

/// The type at argument 1, which is no null pointer.
unsafe fn check_type<'a>(state: *mut lua_State) -> &'a Type {
    // SAFETY: a userdata is readable; the type lives as long as its schema, by contract.
    unsafe {
        let place: *const Type = lua_touserdata(state, 1).cast();
        let held = match lua_type(state, 1) {
            LUA_TLIGHTUSERDATA => true,
            _ => lua_rawlen(state, 1) >= size_of::<Type>(),
        };
        if place.is_null() || !held || !Type::is_at(place) {
            luaL_argerror(state, 1, c"Need a sproto_type object".as_ptr());
        }
        &*place
    }
}

/// The bytes at argument `index`: a string, or a userdata whose size is the next argument.
unsafe fn message<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: an argument stays where it is; a light userdata is readable for the given size by contract.
    unsafe {
        let ty = lua_type(state, index);
        if ty == LUA_TSTRING {
            let mut len = 0;
            let text = lua_tolstring(state, index, &mut len);
            return slice::from_raw_parts(text.cast(), len);
        }
        if ty != LUA_TUSERDATA && ty != LUA_TLIGHTUSERDATA {
            luaL_argerror(state, index, c"Need a string or userdata".as_ptr());
        }
        let start: *const u8 = lua_touserdata(state, index).cast();
        let size = luaL_checkinteger(state, index + 1);
        let held = match ty {
            LUA_TUSERDATA => lua_rawlen(state, index),
            _ => isize::MAX as usize,
        };
        match usize::try_from(size) {
            Ok(0) => &[],
            Ok(size) if size <= held && !start.is_null() => slice::from_raw_parts(start, size),
            _ => {
                luaL_argerror(state, index + 1, c"Invalid size".as_ptr());
                &[]
            }
        }
    }
}

/// Packed messages up to this size are built without Lua's memory.
const SMALL: usize = 2048;

/// `pack(message [, size])`: the message with few zeros, see [`packing`].
unsafe extern "C-unwind" fn pack(state: *mut lua_State) -> c_int {
    let mut place = Place::<SMALL>::new();
    // SAFETY: called by Lua; the message stays where it is.
    unsafe {
        let source = message(state, 1);
        let mut out = Buffer::new(state, &mut place, &encode::LIMIT, lua_upvalueindex(1));
        let bound = packing::packed_bound(source.len());
        let room = out.room(bound);
        room.write_bytes(0, bound.min(SMALL));
        let size = packing::pack(source, slice::from_raw_parts_mut(room, bound));
        lua_pushlstring(state, room.cast(), size);
        out.close();
    }
    1
}

/// `unpack(message [, size])`: the message as it was, filled up with zeros to 8 bytes. Raises an error for damaged messages.
unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    let mut place = Place::<SMALL>::new();
    // SAFETY: called by Lua; the message stays where it is.
    unsafe {
        let mut rest = message(state, 1);
        let mut out = Buffer::new(state, &mut place, &encode::LIMIT, lua_upvalueindex(1));
        let mut want = rest.len().min(SMALL);
        loop {
            let room = out.spare(want);
            let (progress, written) = packing::unpack(&mut rest, room);
            out.advance(written);
            match progress {
                Progress::Done => break,
                Progress::Full => match packing::unpacked_size(rest) {
                    Some(size) => want = size,
                    None => return luaL_error(state, c"Invalid unpack stream".as_ptr()),
                },
                Progress::Damaged => {
                    return luaL_error(state, c"Invalid unpack stream".as_ptr());
                }
            }
        }
        let bytes = out.bytes();
        lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
        out.close();
    }
    1
}
