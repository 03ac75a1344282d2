//! The module `skynet.deflate.core`: messages that are compressed as RFC 7692 (`permessage-deflate`) has it. For
//! `http.websocket`, which decides what is kept between messages and how large one may get.

pub mod stream;

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use libc::c_int;
use mlua_sys::{lua_Integer, lua_upvalueindex};
use skynet_support::buffer::{Buffer, Limit, Place};
use skynet_support::{State, lua_functions, lua_module};

use crate::{Entry, userdata};
use stream::{Compressor, Decompressor, ROOM, TAIL};

const FUNCTIONS: &[Entry] =
    lua_functions!(unsafe {c"compressor" => compressor, c"decompressor" => decompressor});

const COMPRESSOR: &CStr = c"skynet.deflate.compressor";
const DECOMPRESSOR: &CStr = c"skynet.deflate.decompressor";

const COMPRESSOR_METHODS: &[Entry] = lua_functions!(unsafe { c"compress" => compress, c"close" => close_compressor, c"__gc" => close_compressor });
const DECOMPRESSOR_METHODS: &[Entry] = lua_functions!(unsafe {
    c"decompress" => decompress,
    c"finish" => finish,
    c"close" => close_decompressor,
    c"__gc" => close_decompressor,
});

/// Small messages are made in the frame.
const SMALL: usize = 4096;
/// What a decompressor gives at once, at most.
const PIECE: usize = 16 * 1024;

const LIMIT: Limit = Limit {
    bytes: i32::MAX as usize,
    before: "a message that has more than ",
    behind: " bytes when it is compressed",
};

lua_module!(unsafe luaopen_skynet_deflate_core => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    state.push_module(FUNCTIONS);
    metatable(state, COMPRESSOR, COMPRESSOR_METHODS);
    metatable(state, DECOMPRESSOR, DECOMPRESSOR_METHODS);
    1
}

/// Makes the metatable of `kind`. Each method has an upvalue of its own, for a buffer.
fn metatable(state: State<'_>, kind: &CStr, methods: &[Entry]) {
    state.new_metatable(kind);
    state.push_nil();
    state.register(methods, 1);
    state.push_copy(-1);
    state.set_field(-2, c"__index");
    state.pop(1);
}

fn checked<'a, T>(state: State<'a>, kind: &CStr) -> &'a mut T {
    // SAFETY: objects of this kind are made by `userdata::push`, of a `T`, and live while they are arguments.
    unsafe { &mut *state.check_userdata(1, kind) }
}

/// Argument `index`, within a range.
fn number(state: State<'_>, index: c_int, least: c_int, most: c_int) -> c_int {
    let given = state.check_integer(index);
    match c_int::try_from(given) {
        Ok(number) if (least..=most).contains(&number) => number,
        _ => state.argument_error(index, c"number out of range"),
    }
}

/// `compressor(level, window_bits)`: makes messages small; a level of 1 to 9, a window of 9 to 15 bits.
fn compressor(state: State<'_>) -> c_int {
    let level = number(state, 1, 1, 9);
    let window = number(
        state,
        2,
        *stream::WINDOW_BITS.start(),
        *stream::WINDOW_BITS.end(),
    );
    let object = userdata::push(state, COMPRESSOR, Compressor::closed());
    // SAFETY: it is on the stack; what it has is its finaliser's from the start.
    if !unsafe { (*object).open(level, window) } {
        state.error(c"not enough memory for a compressor");
    }
    1
}

/// `compressor:compress(text [, keep])`: the text as a message. With `keep` what follows may repeat parts of it.
fn compress(state: State<'_>) -> c_int {
    let object = checked::<Compressor>(state, COMPRESSOR);
    let mut text = state.check_bytes(2);
    let keep = state.to_boolean(3);
    if !object.is_open() {
        state.argument_error(1, c"the compressor is closed");
    }
    state.set_top(3);
    let mut small = Place::<SMALL>::new();
    let mut buffer = Buffer::new(state, &mut small, &LIMIT, lua_upvalueindex(1));
    object.begin();
    loop {
        // Where the buffer raises, the compressor knows that the message was not ended.
        let room = buffer.spare(ROOM);
        let Some(step) = object.step(text, room) else {
            break;
        };
        // SAFETY: so many were.
        unsafe { buffer.advance(step.written) };
        text = &text[step.read..];
        if !step.more {
            break;
        }
    }
    let message = buffer.bytes().strip_suffix(&TAIL).unwrap_or(buffer.bytes());
    state.push_bytes(message);
    object.end(keep);
    buffer.close();
    1
}

/// `compressor:close()`: frees its memory, before the collector does.
fn close_compressor(state: State<'_>) -> c_int {
    checked::<Compressor>(state, COMPRESSOR).close();
    0
}

/// `decompressor()`: makes messages large again.
fn decompressor(state: State<'_>) -> c_int {
    let object = userdata::push(state, DECOMPRESSOR, Decompressor::closed());
    // SAFETY: it is on the stack; what it has is its finaliser's from the start.
    if !unsafe { (*object).open() } {
        state.error(c"not enough memory for a decompressor");
    }
    1
}

/// `decompressor:decompress(bytes [, position [, most]])`: the next piece of the text, of `most` bytes or 16 KiB, and the
/// position of the bytes that are to follow, or nil when there is nothing more in these. Nothing when the bytes are not
/// DEFLATE.
fn decompress(state: State<'_>) -> c_int {
    let object = checked::<Decompressor>(state, DECOMPRESSOR);
    let bytes = state.check_bytes(2);
    let position = state.opt_integer(3, 1);
    let most = state.opt_integer(4, PIECE as lua_Integer);
    if !object.is_open() {
        state.argument_error(1, c"the decompressor is closed");
    }
    let Some(mut rest) = usize::try_from(position - 1)
        .ok()
        .and_then(|at| bytes.get(at..))
    else {
        state.argument_error(3, c"position out of range");
    };
    let most = usize::try_from(most).unwrap_or(0).clamp(1, PIECE);
    let mut piece = MaybeUninit::<[MaybeUninit<u8>; PIECE]>::uninit();
    // SAFETY: there is room for `most` bytes, which need not be anything yet.
    let piece: &mut [MaybeUninit<u8>] =
        unsafe { slice::from_raw_parts_mut(ptr::from_mut(&mut piece).cast(), most) };
    let (mut len, mut more) = (0, true);
    while more && len < most {
        let Ok(step) = object.step(rest, &mut piece[len..]) else {
            return 0;
        };
        rest = &rest[step.read..];
        len += step.written;
        more = step.more;
    }
    // SAFETY: so many have been written.
    state.push_bytes(unsafe { slice::from_raw_parts(piece.as_ptr().cast(), len) });
    if more {
        state.push_integer((bytes.len() - rest.len() + 1) as lua_Integer);
    } else {
        state.push_nil();
    }
    2
}

/// `decompressor:finish([keep])`: ends a message: whether it was whole. With `keep` what follows may repeat parts of it.
fn finish(state: State<'_>) -> c_int {
    let object = checked::<Decompressor>(state, DECOMPRESSOR);
    let keep = state.to_boolean(2);
    state.push_boolean(object.end(keep).is_ok());
    1
}

/// `decompressor:close()`: frees its memory, before the collector does.
fn close_decompressor(state: State<'_>) -> c_int {
    checked::<Decompressor>(state, DECOMPRESSOR).close();
    0
}
