//! The module `skynet.deflate.core`: messages that are compressed as RFC 7692 (`permessage-deflate`) has it. For
//! `http.websocket`, which decides what is kept between messages and how large one may get.

pub mod stream;

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use libc::c_int;
use mlua_sys::{
    lua_CFunction, lua_Integer, lua_State, lua_createtable, lua_pushboolean, lua_pushcfunction,
    lua_pushinteger, lua_pushnil, lua_pushvalue, lua_setfield, lua_settop, lua_toboolean,
    lua_upvalueindex, luaL_argerror, luaL_checkinteger, luaL_checkudata, luaL_error,
    luaL_newmetatable, luaL_optinteger,
};
use skynet_support::buffer::{Buffer, Limit, Place};
use skynet_support::bytes::{argument, push};

use crate::{Entry, check_version, register, userdata};
use stream::{Compressor, Decompressor, ROOM, TAIL};

const FUNCTIONS: &[Entry] = &[(c"compressor", compressor), (c"decompressor", decompressor)];

const COMPRESSOR: &CStr = c"skynet.deflate.compressor";
const DECOMPRESSOR: &CStr = c"skynet.deflate.decompressor";

const COMPRESSOR_METHODS: &[Entry] = &[(c"compress", compress), (c"close", close_compressor)];
const DECOMPRESSOR_METHODS: &[Entry] = &[
    (c"decompress", decompress),
    (c"finish", finish),
    (c"close", close_decompressor),
];

/// Small messages are made in the frame.
const SMALL: usize = 4096;
/// What a decompressor gives at once, at most.
const PIECE: usize = 16 * 1024;

const LIMIT: Limit = Limit {
    bytes: i32::MAX as usize,
    message: c"a message that has more than %d bytes when it is compressed",
};

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_deflate_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        metatable(state, COMPRESSOR, COMPRESSOR_METHODS, close_compressor);
        metatable(
            state,
            DECOMPRESSOR,
            DECOMPRESSOR_METHODS,
            close_decompressor,
        );
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// Makes the metatable of `kind`. Each method has an upvalue of its own, for a buffer.
unsafe fn metatable(state: *mut lua_State, kind: &CStr, methods: &[Entry], gc: lua_CFunction) {
    // SAFETY: called by a function of Lua.
    unsafe {
        luaL_newmetatable(state, kind.as_ptr());
        lua_pushnil(state);
        register(state, methods, 1);
        lua_pushcfunction(state, gc);
        lua_setfield(state, -2, c"__gc".as_ptr());
        lua_pushvalue(state, -1);
        lua_setfield(state, -2, c"__index".as_ptr());
        lua_settop(state, -2);
    }
}

unsafe fn checked<'a, T>(state: *mut lua_State, kind: &CStr) -> &'a mut T {
    // SAFETY: called by a function of Lua; objects of this kind are made by `userdata::push`, and live while they are arguments.
    unsafe { &mut *luaL_checkudata(state, 1, kind.as_ptr()).cast() }
}

/// Argument `index`, within a range.
unsafe fn number(state: *mut lua_State, index: c_int, least: c_int, most: c_int) -> c_int {
    // SAFETY: called by a function of Lua; nothing has a destructor.
    unsafe {
        let given = luaL_checkinteger(state, index);
        match c_int::try_from(given) {
            Ok(number) if (least..=most).contains(&number) => number,
            _ => luaL_argerror(state, index, c"number out of range".as_ptr()),
        }
    }
}

/// `compressor(level, window_bits)`: makes messages small; a level of 1 to 9, a window of 9 to 15 bits.
unsafe extern "C-unwind" fn compressor(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor, and what the compressor has is its finaliser's from the start.
    unsafe {
        let level = number(state, 1, 1, 9);
        let window = number(
            state,
            2,
            *stream::WINDOW_BITS.start(),
            *stream::WINDOW_BITS.end(),
        );
        let object = userdata::push(state, COMPRESSOR, Compressor::closed());
        if !(*object).open(level, window) {
            return luaL_error(state, c"not enough memory for a compressor".as_ptr());
        }
    }
    1
}

/// `compressor:compress(text [, keep])`: the text as a message. With `keep` what follows may repeat parts of it.
unsafe extern "C-unwind" fn compress(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text stays an argument. Nothing has a destructor: where the buffer raises, the compressor
    // knows that the message was not ended.
    unsafe {
        let object = checked::<Compressor>(state, COMPRESSOR);
        let mut text = argument(state, 2);
        let keep = lua_toboolean(state, 3) != 0;
        if !object.is_open() {
            return luaL_argerror(state, 1, c"the compressor is closed".as_ptr());
        }
        lua_settop(state, 3);
        let mut small = Place::<SMALL>::new();
        let mut buffer = Buffer::new(state, &mut small, &LIMIT, lua_upvalueindex(1));
        object.begin();
        loop {
            let room = buffer.spare(ROOM);
            let room = slice::from_raw_parts_mut(room.as_mut_ptr().cast(), room.len());
            let Some(step) = object.step(text, room) else {
                break;
            };
            buffer.advance(step.written);
            text = &text[step.read..];
            if !step.more {
                break;
            }
        }
        let message = buffer.bytes().strip_suffix(&TAIL).unwrap_or(buffer.bytes());
        push(state, message);
        object.end(keep);
        buffer.close();
    }
    1
}

/// `compressor:close()`: frees its memory, before the collector does.
unsafe extern "C-unwind" fn close_compressor(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { checked::<Compressor>(state, COMPRESSOR).close() };
    0
}

/// `decompressor()`: makes messages large again.
unsafe extern "C-unwind" fn decompressor(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor, and what the decompressor has is its finaliser's from the start.
    unsafe {
        let object = userdata::push(state, DECOMPRESSOR, Decompressor::closed());
        if !(*object).open() {
            return luaL_error(state, c"not enough memory for a decompressor".as_ptr());
        }
    }
    1
}

/// `decompressor:decompress(bytes [, position [, most]])`: the next piece of the text, of `most` bytes or 16 KiB, and the
/// position of the bytes that are to follow, or nil when there is nothing more in these. Nothing when the bytes are not
/// DEFLATE.
unsafe extern "C-unwind" fn decompress(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the bytes stay an argument. Nothing has a destructor.
    unsafe {
        let object = checked::<Decompressor>(state, DECOMPRESSOR);
        let bytes = argument(state, 2);
        let position = luaL_optinteger(state, 3, 1);
        let most = luaL_optinteger(state, 4, PIECE as lua_Integer);
        if !object.is_open() {
            return luaL_argerror(state, 1, c"the decompressor is closed".as_ptr());
        }
        let Some(mut rest) = usize::try_from(position - 1)
            .ok()
            .and_then(|at| bytes.get(at..))
        else {
            return luaL_argerror(state, 3, c"position out of range".as_ptr());
        };
        let most = usize::try_from(most).unwrap_or(0).clamp(1, PIECE);
        let mut piece = MaybeUninit::<[MaybeUninit<u8>; PIECE]>::uninit();
        let piece: &mut [MaybeUninit<u8>] =
            slice::from_raw_parts_mut(ptr::from_mut(&mut piece).cast(), most);
        let (mut len, mut more) = (0, true);
        while more && len < most {
            let Ok(step) = object.step(rest, &mut piece[len..]) else {
                return 0;
            };
            rest = &rest[step.read..];
            len += step.written;
            more = step.more;
        }
        push(state, slice::from_raw_parts(piece.as_ptr().cast(), len));
        if more {
            lua_pushinteger(state, (bytes.len() - rest.len() + 1) as lua_Integer);
        } else {
            lua_pushnil(state);
        }
    }
    2
}

/// `decompressor:finish([keep])`: ends a message: whether it was whole. With `keep` what follows may repeat parts of it.
unsafe extern "C-unwind" fn finish(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let object = checked::<Decompressor>(state, DECOMPRESSOR);
        let keep = lua_toboolean(state, 2) != 0;
        lua_pushboolean(state, object.end(keep).is_ok().into());
    }
    1
}

/// `decompressor:close()`: frees its memory, before the collector does.
unsafe extern "C-unwind" fn close_decompressor(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { checked::<Decompressor>(state, DECOMPRESSOR).close() };
    0
}
