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
use std::{ptr, slice};

use mlua_sys::{LUA_TLIGHTUSERDATA, LUA_TSTRING, LUA_TUSERDATA, lua_CFunction, lua_upvalueindex};
use skynet_support::buffer::{Buffer, Place};
use skynet_support::{Entry, State, lua_functions, lua_module};

use packing::Progress;
use schema::Type;

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[(c"sproto.core", luaopen_sproto_core)];

/// Structs within structs, at most.
const MAX_DEPTH: u32 = 64;

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"newproto" => handles::newproto,
    c"deleteproto" => handles::deleteproto,
    c"dumpproto" => handles::dumpproto,
    c"querytype" => handles::querytype,
    c"protocol" => handles::protocol,
    c"saveproto" => handles::saveproto,
    c"loadproto" => handles::loadproto,
    c"decode" => decode::decode,
    c"default" => defaults::default,
});

/// Functions with a buffer's userdata as their upvalue.
const BUFFERED: &[Entry] = lua_functions!(unsafe {
    c"encode" => encode::encode,
    c"pack" => pack,
    c"unpack" => unpack,
});

lua_module!(unsafe luaopen_sproto_core => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    state.push_module(FUNCTIONS);
    state.push_nil();
    state.register(BUFFERED, 1);
    1
}

/// The type at argument 1, which is no null pointer.
fn check_type(state: State<'_>) -> &Type {
    let place: *const Type = state.to_userdata(1).cast();
    let held = match state.kind(1) {
        LUA_TLIGHTUSERDATA => true,
        _ => state.raw_len(1) >= size_of::<Type>(),
    };
    // SAFETY: who passes an address says that there are 8 bytes; a userdata has as many.
    if place.is_null() || !held || !unsafe { Type::is_at(place) } {
        state.argument_error(1, c"Need a sproto_type object");
    }
    // SAFETY: a type, whose schema its user keeps.
    unsafe { &*place }
}

/// The bytes at argument `index`: a string, or a userdata whose size is the next argument.
fn message(state: State<'_>, index: c_int) -> &[u8] {
    let ty = state.kind(index);
    if ty == LUA_TSTRING {
        return state.check_bytes(index);
    }
    if ty != LUA_TUSERDATA && ty != LUA_TLIGHTUSERDATA {
        state.argument_error(index, c"Need a string or userdata");
    }
    let start: *const u8 = state.to_userdata(index).cast();
    let size = state.check_integer(index + 1);
    let held = match ty {
        LUA_TUSERDATA => state.raw_len(index),
        _ => isize::MAX as usize,
    };
    match usize::try_from(size) {
        Ok(0) => &[],
        // SAFETY: a userdata has as many bytes; who passes an address says that they are there.
        Ok(size) if size <= held && !start.is_null() => unsafe {
            slice::from_raw_parts(start, size)
        },
        _ => state.argument_error(index + 1, c"Invalid size"),
    }
}

/// Packed messages up to this size are built without Lua's memory.
const SMALL: usize = 2048;

/// `pack(message [, size])`: the message with few zeros, see [`packing`].
fn pack(state: State<'_>) -> c_int {
    let mut place = Place::<SMALL>::new();
    let source = message(state, 1);
    let mut out = Buffer::new(state, &mut place, &encode::LIMIT, lua_upvalueindex(1));
    let bound = packing::packed_bound(source.len());
    let room = out.room(bound);
    // SAFETY: there is room for so many bytes, which are only written; the first are what was written, as many as that.
    let packed = unsafe {
        room.write_bytes(0, bound.min(SMALL));
        let size = packing::pack(source, slice::from_raw_parts_mut(room, bound));
        slice::from_raw_parts(room, size)
    };
    state.push_bytes(packed);
    out.close();
    1
}

/// `unpack(message [, size])`: the message as it was, filled up with zeros to 8 bytes. Raises an error for damaged messages.
fn unpack(state: State<'_>) -> c_int {
    let mut place = Place::<SMALL>::new();
    let mut rest = message(state, 1);
    let mut out = Buffer::new(state, &mut place, &encode::LIMIT, lua_upvalueindex(1));
    let mut want = rest.len().min(SMALL);
    loop {
        let room = ptr::from_mut(out.spare(want)) as *mut [u8];
        // SAFETY: the bytes are only written, and those that were written are counted.
        let progress = unsafe {
            let (progress, written) = packing::unpack(&mut rest, &mut *room);
            out.advance(written);
            progress
        };
        match progress {
            Progress::Done => break,
            Progress::Full => match packing::unpacked_size(rest) {
                Some(size) => want = size,
                None => state.error(c"Invalid unpack stream"),
            },
            Progress::Damaged => {
                state.error(c"Invalid unpack stream");
            }
        }
    }
    let bytes = out.bytes();
    state.push_bytes(bytes);
    out.close();
    1
}
