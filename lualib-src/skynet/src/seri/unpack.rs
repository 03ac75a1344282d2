//! Bytes to Lua values. Any bytes are safe to read: lengths are checked before they are used, nesting is bounded, and
//! memory is in proportion to the input.

use std::ptr;
use std::slice;

use libc::{c_char, c_int, c_void};
use mlua_sys::{
    LUA_TNIL, LUA_TNONE, LUA_TSTRING, lua_Integer, lua_State, lua_createtable, lua_pushboolean,
    lua_pushinteger, lua_pushlightuserdata, lua_pushlstring, lua_pushnil, lua_pushnumber,
    lua_rawset, lua_rawseti, lua_tointegerx, lua_tolstring, lua_touserdata, lua_type,
    luaL_checkinteger, luaL_checkstack, luaL_error,
};

use super::{BOOLEAN, LONG, LONG_ARRAY, NIL, NUMBER, POINTER, SHORT, TABLE, number, view};

/// Free places on Lua's stack that a table needs (LUA_MINSTACK).
const STACK: c_int = 20;
/// Tables within tables, at most. The packer stops at 33; more of them could only exhaust the C stack.
const MAX_DEPTH: u32 = 1000;
/// Values that are looked at ahead to find out the size of a table. It bounds the work on a table with tables in it.
const LOOK_AHEAD: u32 = 128;

/// What is left of the message. Plain data: it may be abandoned when an error is raised.
#[derive(Clone, Copy)]
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline(always)]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline(always)]
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    #[inline(always)]
    fn byte(&mut self) -> Option<u8> {
        let (&taken, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(taken)
    }

    #[inline(always)]
    fn integer(&mut self, cookie: u8) -> Option<lua_Integer> {
        Some(match cookie {
            number::ZERO => 0,
            number::BYTE => self.byte()?.into(),
            number::WORD => u16::from_ne_bytes(self.bytes()?).into(),
            number::DWORD => i32::from_ne_bytes(self.bytes()?).into(),
            number::QWORD => i64::from_ne_bytes(self.bytes()?),
            _ => return None,
        })
    }

    #[inline(always)]
    fn long(&mut self, cookie: u8) -> Option<&'a [u8]> {
        let len = match cookie {
            2 => u16::from_ne_bytes(self.bytes()?).into(),
            4 => u32::from_ne_bytes(self.bytes()?) as usize,
            _ => return None,
        };
        self.take(len)
    }

    /// Array length of a table, as C's int.
    #[inline(always)]
    fn length(&mut self, cookie: u8) -> Option<c_int> {
        if cookie != LONG_ARRAY {
            return Some(cookie.into());
        }
        let byte = self.byte()?;
        if byte & 7 != NUMBER {
            return None;
        }
        self.integer(byte >> 3).map(|length| length as c_int)
    }

    /// Passes over a value. `None` when it is damaged, or more than `budget` values were met.
    fn skip(&mut self, budget: &mut u32) -> Option<()> {
        *budget = budget.checked_sub(1)?;
        let byte = self.byte()?;
        let cookie = byte >> 3;
        match byte & 7 {
            NIL | BOOLEAN => {}
            NUMBER if cookie == number::REAL => {
                self.take(8)?;
            }
            NUMBER => {
                self.integer(cookie)?;
            }
            POINTER => {
                self.take(size_of::<usize>())?;
            }
            SHORT => {
                self.take(cookie.into())?;
            }
            LONG => {
                self.long(cookie)?;
            }
            TABLE => {
                for _ in 0..self.length(cookie)? {
                    self.skip(budget)?;
                }
                while self.rest.first()? & 7 != NIL {
                    self.skip(budget)?;
                    self.skip(budget)?;
                }
                self.byte()?;
            }
            _ => return None,
        }
        Some(())
    }

    /// Number of pairs from here to the end of the table, as far as the budget reaches.
    fn pairs_ahead(mut self) -> c_int {
        let mut budget = LOOK_AHEAD;
        let mut pairs = 0;
        while self.rest.first().is_some_and(|byte| byte & 7 != NIL)
            && self.skip(&mut budget).is_some()
            && self.skip(&mut budget).is_some()
        {
            pairs += 1;
        }
        pairs
    }
}

/// `skynet.unpack(message, size)` or `skynet.unpack(string)`: the values.
pub unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The string stays on the stack; a light userdata is readable for `size` bytes by contract.
    // All locals are plain data, so raising is fine.
    unsafe {
        let mut len = 0;
        let start: *const u8 = match view::block(state) {
            Some((start, size)) => {
                len = size;
                start
            }
            None => match lua_type(state, 1) {
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
            },
        };
        if len == 0 {
            return 0;
        }
        if start.is_null() {
            return luaL_error(state, c"deserialize null pointer".as_ptr());
        }
        let mut reader = Reader {
            rest: slice::from_raw_parts(start, len),
        };
        let mut count: c_int = 0;
        while let Some(byte) = reader.byte() {
            if count % 8 == 7 {
                luaL_checkstack(state, STACK, ptr::null());
            }
            value(state, &mut reader, byte, 0);
            count += 1; // the stack is full long before this could overflow
        }
        count
    }
}

#[cold]
unsafe fn invalid(state: *mut lua_State, reader: &Reader, line: u32) {
    // SAFETY: raises; nothing on the way has a destructor.
    unsafe {
        luaL_error(
            state,
            c"Invalid serialize stream %d (line:%d)".as_ptr(),
            reader.rest.len() as c_int,
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
                invalid($state, $reader, line!());
                // `invalid` does not return.
                return;
            }
        }
    };
}

/// Pushes the value that begins with `byte`.
#[inline(always)]
unsafe fn value(state: *mut lua_State, reader: &mut Reader, byte: u8, depth: u32) {
    let cookie = byte >> 3;
    // SAFETY: the stack has room for a value.
    unsafe {
        match byte & 7 {
            NIL => lua_pushnil(state),
            BOOLEAN => lua_pushboolean(state, cookie.into()),
            NUMBER if cookie == number::REAL => {
                let bytes = valid!(state, reader, reader.bytes());
                lua_pushnumber(state, f64::from_ne_bytes(bytes));
            }
            NUMBER => {
                let integer = valid!(state, reader, reader.integer(cookie));
                lua_pushinteger(state, integer);
            }
            POINTER => {
                let bytes = valid!(state, reader, reader.bytes());
                lua_pushlightuserdata(state, usize::from_ne_bytes(bytes) as *mut c_void);
            }
            SHORT => {
                let text = valid!(state, reader, reader.take(cookie.into()));
                push_string(state, text);
            }
            LONG => {
                let text = valid!(state, reader, reader.long(cookie));
                push_string(state, text);
            }
            TABLE => table(state, reader, cookie, depth + 1),
            _ => invalid(state, reader, line!()),
        }
    }
}

#[inline(always)]
unsafe fn push_string(state: *mut lua_State, text: &[u8]) {
    // SAFETY: the stack has room for a value.
    unsafe {
        lua_pushlstring(state, text.as_ptr().cast::<c_char>(), text.len());
    }
}

unsafe fn table(state: *mut lua_State, reader: &mut Reader, cookie: u8, depth: u32) {
    // SAFETY: the stack has room for STACK values after the check.
    unsafe {
        let length = valid!(state, reader, reader.length(cookie));
        if depth > MAX_DEPTH {
            luaL_error(state, c"unserialize can't unpack too depth table".as_ptr());
        }
        luaL_checkstack(state, STACK, ptr::null());
        // Each value takes a byte at least, whatever the length says.
        let believed = usize::try_from(length).unwrap_or(0).min(reader.rest.len());
        let pairs = if length > 0 { 0 } else { reader.pairs_ahead() };
        lua_createtable(state, believed as c_int, pairs);
        for index in 1..=length {
            let byte = valid!(state, reader, reader.byte());
            value(state, reader, byte, depth);
            lua_rawseti(state, -2, index.into());
        }
        loop {
            let key = valid!(state, reader, reader.byte());
            if key & 7 == NIL {
                return;
            }
            value(state, reader, key, depth);
            let byte = valid!(state, reader, reader.byte());
            value(state, reader, byte, depth);
            lua_rawset(state, -3);
        }
    }
}
