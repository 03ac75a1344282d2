//! Bytes to Lua values. Any bytes are safe to read: lengths are checked before they are used, nesting is bounded, and
//! memory is in proportion to the input.

use std::ptr;
use std::slice;

use libc::c_int;
use mlua_sys::{
    LUA_TNIL, LUA_TNONE, LUA_TSTRING, lua_Integer, lua_State, lua_pushlightuserdata, lua_rawset,
    lua_tointegerx, lua_tolstring, lua_touserdata, lua_type, luaL_checkinteger, luaL_checkstack,
    luaL_error,
};

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
    // SAFETY: the state is the running one; who passes a message and its size says that so many bytes are there.
    unsafe {
        let state = state.raw();
        match lua {
            Some(lua) => match view::block(state, lua) {
                Some(message) => values(state, InPlace(lua), message),
                None => message_by_arguments(state, InPlace(lua)),
            },
            None => message_by_arguments(state, Interface),
        }
    }
}

/// # Safety
/// The state is the running one, and a message that is passed as an address is readable for its size.
unsafe fn message_by_arguments(state: *mut lua_State, maker: impl Maker) -> c_int {
    // SAFETY: as the caller promises; a string stays on the stack. All locals are plain data, so raising is fine.
    unsafe {
        let mut len = 0;
        let start: *const u8 = match lua_type(state, 1) {
            LUA_TNONE | LUA_TNIL => return 0,
            LUA_TSTRING => lua_tolstring(state, 1, &mut len).cast(),
            _ => {
                let start = lua_touserdata(state, 1);
                let mut valid = 0;
                let mut size = lua_tointegerx(state, 2, &mut valid);
                if valid == 0 {
                    size = luaL_checkinteger(state, 2); // raises
                }
                // C's int, as ever. A negative size reads nothing.
                let size = size as c_int;
                if size < 0 && !start.is_null() {
                    return 0;
                }
                len = size.unsigned_abs() as usize;
                start.cast()
            }
        };
        values(state, maker, (start, len))
    }
}

/// Pushes all values of a message, and answers how many there are.
///
/// # Safety
/// The state is the running one, and the message is readable for its size.
#[inline(always)]
unsafe fn values(
    state: *mut lua_State,
    maker: impl Maker,
    (start, len): (*const u8, usize),
) -> c_int {
    // SAFETY: as the caller promises. All locals are plain data, so raising is fine.
    unsafe {
        if len == 0 {
            return 0;
        }
        if start.is_null() {
            return luaL_error(state, c"deserialize null pointer".as_ptr());
        }
        let mut reader = Reader::new(slice::from_raw_parts(start, len));
        let mut count: c_int = 0;
        while let Some(byte) = reader.byte() {
            if count % 8 == 7 {
                luaL_checkstack(state, STACK, ptr::null());
            }
            reader = value(state, maker, reader, byte, 0);
            count += 1; // the stack is full long before this could overflow
        }
        count
    }
}

#[cold]
unsafe fn invalid(state: *mut lua_State, left: usize, line: u32) {
    // SAFETY: raises; nothing on the way has a destructor.
    unsafe {
        luaL_error(
            state,
            c"Invalid serialize stream %d (line:%d)".as_ptr(),
            left as c_int,
            line as c_int,
        );
    }
}

/// The value, or an error that names how many bytes were left.
macro_rules! valid {
    ($state:expr, $reader:expr, $value:expr) => {
        match $value {
            Some(value) => value,
            None => {
                invalid($state, $reader.left(), line!());
                // `invalid` does not return.
                return $reader;
            }
        }
    };
}

// The reader is passed and returned by value, so that it stays in registers.

/// Pushes the value that begins with `byte`. Answers what is left.
#[inline(always)]
unsafe fn value<'a>(
    state: *mut lua_State,
    maker: impl Maker,
    mut reader: Reader<'a>,
    byte: u8,
    depth: u32,
) -> Reader<'a> {
    // SAFETY: the stack has room for a value.
    unsafe {
        let item = valid!(state, reader, reader.item(byte));
        push(state, maker, reader, item, depth)
    }
}

#[inline(always)]
unsafe fn push<'a>(
    state: *mut lua_State,
    maker: impl Maker,
    reader: Reader<'a>,
    item: Item,
    depth: u32,
) -> Reader<'a> {
    // SAFETY: the stack has room for a value.
    unsafe {
        match item {
            Item::Scalar(value) => maker.push(state, value),
            Item::Text(text) => maker.string(state, text),
            Item::Pointer(pointer) => lua_pushlightuserdata(state, pointer),
            Item::Table(cookie) => return table(state, maker, reader, cookie, depth + 1),
        }
    }
    reader
}

/// Pushes a table, whose values are at `depth`. Answers what is left.
unsafe fn table<'a>(
    state: *mut lua_State,
    maker: impl Maker,
    mut reader: Reader<'a>,
    cookie: u8,
    depth: u32,
) -> Reader<'a> {
    // SAFETY: the stack has room for STACK values after the check.
    unsafe {
        let length = valid!(state, reader, reader.length(cookie));
        if depth > MAX_DEPTH {
            luaL_error(state, c"unserialize can't unpack too depth table".as_ptr());
        }
        luaL_checkstack(state, STACK, ptr::null());
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
                lua_rawset(state, -3);
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
}
