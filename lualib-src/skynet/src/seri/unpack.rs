//! Bytes to Lua values. Any bytes are safe to read: lengths are checked before they are used, nesting is bounded, and
//! memory is in proportion to the input.

use std::slice;

use libc::c_int;
use mlua_sys::{LUA_TNIL, LUA_TNONE, LUA_TSTRING, lua_Integer};

use skynet_seri::MAX_DEPTH;
use skynet_support::State;

use super::in_place::{Functions, NONE, functions};
use super::make::{InPlace, Interface, Maker};
use super::reader::{Item, Reader};
use super::{NIL, SHORT, view};

/// Free places on Lua's stack that a table needs (LUA_MINSTACK).
const STACK: c_int = 20;
/// Tables within tables that get the room that their length asks for.
const DEEP: u32 = 4;

/// `skynet.unpack(message, size)` or `skynet.unpack(string)`: the values.
pub fn unpack(state: State<'_>) -> c_int {
    unpack_arguments(state, functions())
}

#[inline(always)]
pub(super) fn unpack_arguments(state: State<'_>, lua: Option<&'static Functions>) -> c_int {
    match lua {
        Some(lua) => match view::block(state, lua) {
            Some(message) => values_of_block(state, InPlace(lua), message),
            None => message_by_arguments(state, InPlace(lua)),
        },
        None => message_by_arguments(state, Interface),
    }
}

fn message_by_arguments(state: State<'_>, maker: impl Maker) -> c_int {
    match state.kind(1) {
        LUA_TNONE | LUA_TNIL => 0,
        LUA_TSTRING => values(state, maker, state.to_bytes(1).unwrap_or_default()),
        _ => {
            let start: *const u8 = state.to_userdata(1).cast();
            // C's int, as ever. A negative size reads nothing.
            let size = match state.as_integer(2) {
                Some(size) => size as c_int,
                None => state.check_integer(2) as c_int, // raises
            };
            if size < 0 && !start.is_null() {
                return 0;
            }
            values_of_block(state, maker, (start, size.unsigned_abs() as usize))
        }
    }
}

#[inline(always)]
fn values_of_block(state: State<'_>, maker: impl Maker, (start, len): (*const u8, usize)) -> c_int {
    if len == 0 {
        return 0;
    }
    if start.is_null() {
        state.error(c"deserialize null pointer");
    }
    // SAFETY: who passes an address and its size says that so many bytes are there.
    let message = unsafe { slice::from_raw_parts(start, len) };
    values(state, maker, message)
}

/// Pushes all values of a message, and answers how many there are.
#[inline(always)]
fn values(state: State<'_>, maker: impl Maker, message: &[u8]) -> c_int {
    let mut reader = Reader::new(message);
    let mut count: c_int = 0;
    while let Some(byte) = reader.byte() {
        if count % 8 == 7 {
            state.reserve(STACK);
        }
        reader = value(state, maker, reader, byte, 0);
        count += 1; // the stack is full long before this could overflow
    }
    count
}

#[cold]
fn invalid(state: State<'_>, left: usize, line: u32) -> ! {
    state.error_with(format_args!(
        "Invalid serialize stream {left} (line:{line})"
    ))
}

/// The value, or an error that names how many bytes were left.
macro_rules! valid {
    ($state:expr, $reader:expr, $value:expr) => {
        match $value {
            Some(value) => value,
            None => invalid($state, $reader.left(), line!()),
        }
    };
}

// The reader is passed and returned by value, so that it stays in registers.

/// Pushes the value that begins with `byte`. Answers what is left.
#[inline(always)]
fn value<'a>(
    state: State<'_>,
    maker: impl Maker,
    mut reader: Reader<'a>,
    byte: u8,
    depth: u32,
) -> Reader<'a> {
    let item = valid!(state, reader, reader.item(byte));
    push(state, maker, reader, item, depth)
}

#[inline(always)]
fn push<'a>(
    state: State<'_>,
    maker: impl Maker,
    reader: Reader<'a>,
    item: Item,
    depth: u32,
) -> Reader<'a> {
    match item {
        Item::Scalar(value) => maker.push(state, value),
        Item::Text(text) => maker.string(state, text),
        Item::Pointer(pointer) => state.push_light(pointer),
        Item::Table(cookie) => return table(state, maker, reader, cookie, depth + 1),
    }
    reader
}

/// Pushes a table, whose values are at `depth`. Answers what is left.
fn table<'a>(
    state: State<'_>,
    maker: impl Maker,
    mut reader: Reader<'a>,
    cookie: u8,
    depth: u32,
) -> Reader<'a> {
    let length = valid!(state, reader, reader.length(cookie));
    if depth > MAX_DEPTH {
        state.error(c"unserialize can't unpack too depth table");
    }
    state.reserve(STACK);
    // Each value takes a byte at least, whatever the length says. Those of tables within tables share the bytes that
    // are left: room for all of them in each of a thousand would be a thousand times what has come.
    let share = if depth > DEEP {
        reader.left() / depth as usize
    } else {
        reader.left()
    };
    let believed = usize::try_from(length).unwrap_or(0).min(share);
    let new = maker.table(state, believed as c_int, reader.pairs_ahead(length));
    let mut index = 0;
    while index < lua_Integer::from(length) {
        index += 1;
        let byte = valid!(state, reader, reader.byte());
        match valid!(state, reader, reader.item(byte)) {
            Item::Scalar(value) => maker.index(state, new, index, value),
            item => {
                reader = push(state, maker, reader, item, depth);
                maker.index_top(state, index);
            }
        }
    }
    loop {
        let byte = valid!(state, reader, reader.byte());
        if byte & 7 == NIL {
            return reader;
        }
        if byte & 7 != SHORT {
            reader = value(state, maker, reader, byte, depth);
            let byte = valid!(state, reader, reader.byte());
            reader = value(state, maker, reader, byte, depth);
            state.raw_set(-3);
            continue;
        }
        let key = valid!(state, reader, reader.take((byte >> 3).into()));
        let byte = valid!(state, reader, reader.byte());
        match valid!(state, reader, reader.item(byte)) {
            Item::Scalar(value) if value.kind != NONE => maker.field(state, key, value),
            item => {
                maker.key(state, key);
                reader = push(state, maker, reader, item, depth);
                maker.field_top(state, key);
            }
        }
    }
}
