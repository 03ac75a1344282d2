//! Text to Lua values.

use std::ffi::{CStr, c_int};
use std::ptr;

use mlua_sys::{
    lua_Integer, lua_State, lua_checkstack, lua_createtable, lua_gettop, lua_pushboolean,
    lua_pushfstring, lua_pushinteger, lua_pushlightuserdata, lua_pushlstring, lua_pushnil,
    lua_pushnumber, lua_pushvalue, lua_rawset, lua_rawseti, lua_replace, lua_setmetatable,
    lua_settop, lua_tolstring, lua_upvalueindex, luaL_error,
};
use skynet_support::buffer::{Buffer, Limit, Place};
use skynet_support::bytes;

use crate::config::{self, Config};
use crate::containers::{self, Containers};
use crate::number::Number;
use crate::place::line_and_column;
use crate::scan::{Problem, Scanner};
use crate::string::Sink;
use crate::{check_one_argument, push_array_mt, string};

/// Free places on Lua's stack for what is neither an element nor a key: a table, two copies.
const SPARE: c_int = 6;
/// Values of an array or object that there is room for at first ...
const FIRST_ROOM: u32 = 16;
/// ... and those that are on the stack at most, before they go into a table that has to grow.
const MOST_ROOM: u32 = 512;
/// Strings with escapes up to this size need no memory of Lua's but their own.
const SMALL: usize = 512;

const LIMIT: Limit = Limit {
    bytes: i32::MAX as usize,
    message: c"string is too large (>%d)",
};

/// `decode(text)`: the value. null is `cjson.null`; a number without fraction and exponent is an integer if it fits 64 bits,
/// otherwise a float. Of equal keys in an object the last counts. Raises an error that names the place where the text is wrong.
pub unsafe extern "C-unwind" fn decode(state: *mut lua_State) -> c_int {
    let mut small = Place::<SMALL>::new();
    let mut outer = Place::<{ containers::SMALL }>::new();
    // SAFETY: called by Lua with room for LUA_MINSTACK values; the text stays where it is, as the argument.
    unsafe {
        check_one_argument(state);
        let text = bytes::argument(state, 1);
        if let [0, _, ..] | [_, 0, ..] = text {
            let problem = c"JSON parser does not support UTF-16 or UTF-32";
            return luaL_error(state, problem.as_ptr());
        }
        let config = *config::current(state);
        let mut decoder = Decoder {
            state,
            scanner: Scanner {
                text,
                at: 0,
                comments: config.allow_comment,
                invalid_numbers: config.decode_invalid,
            },
            config,
            outer: Containers::new(state, &mut outer, lua_upvalueindex(2)),
            escaped: Buffer::new(state, &mut small, &LIMIT, lua_upvalueindex(2)),
        };
        decoder.text();
        decoder.outer.close();
        decoder.escaped.close();
    }
    1
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No array or object is open.
    Text,
    Array,
    Object,
}

/// An array or object that is open. Its table, or nil as long as there is none, is at `slot` of Lua's stack; the values that
/// are not in the table yet, of an object with their keys, are above.
#[derive(Clone, Copy)]
struct Container {
    kind: Kind,
    has_table: bool,
    slot: c_int,
    /// Values (or pairs) on the stack, and how many there is room for.
    pending: u32,
    room: u32,
    /// Values in the table.
    stored: lua_Integer,
}

struct Decoder<'a> {
    state: *mut lua_State,
    scanner: Scanner<'a>,
    config: Config,
    outer: Containers<'a, Container>,
    escaped: Buffer<'a>,
}

impl Decoder<'_> {
    /// Reads all of the text, and pushes its value.
    unsafe fn text(&mut self) {
        let mut top = Container {
            kind: Kind::Text,
            has_table: false,
            slot: 0,
            pending: 0,
            room: 1,
            stored: 0,
        };
        // SAFETY: `open` and `make_room` see to it that there is room for every value; nothing has a destructor.
        unsafe {
            loop {
                if !self.value(&mut top) {
                    continue;
                }
                // A value is at the top of the stack.
                loop {
                    if top.kind == Kind::Text {
                        return self.end();
                    }
                    if self.next(&mut top) {
                        break;
                    }
                }
            }
        }
    }

    /// Nothing may follow the value of the text.
    unsafe fn end(&mut self) {
        self.scanner.skip_blanks();
        if self.scanner.at < self.scanner.text.len() {
            // SAFETY: as for `raise`.
            unsafe { self.unexpected(c"the end") }
        }
    }

    /// Pushes the value that is next. False if an array or object begins, whose first value is next then.
    #[inline(always)]
    unsafe fn value(&mut self, top: &mut Container) -> bool {
        let state = self.state;
        // SAFETY: as in `text`.
        unsafe {
            self.scanner.skip_blanks();
            match self.scanner.peek() {
                b'"' => {
                    self.scanner.at += 1;
                    self.string();
                }
                b'{' => {
                    self.open(top, Kind::Object);
                    self.scanner.skip_blanks();
                    if self.scanner.peek() != b'}' {
                        self.key();
                        return false;
                    }
                    self.close(top);
                }
                b'[' => {
                    self.open(top, Kind::Array);
                    self.scanner.skip_blanks();
                    if self.scanner.peek() != b']' {
                        return false;
                    }
                    self.close(top);
                }
                b'-' | b'0'..=b'9' => match self.scanner.number() {
                    Ok(number) => self.push_number(number),
                    Err(problem) => self.raise(c"value", problem),
                },
                b't' if self.scanner.word(b"true") => lua_pushboolean(state, 1),
                b'f' if self.scanner.word(b"false") => lua_pushboolean(state, 0),
                b'n' if self.scanner.word(b"null") => lua_pushlightuserdata(state, ptr::null_mut()),
                _ => self.odd_value(),
            }
        }
        true
    }

    /// After a value of `top`, an array or object: true if another one is next, false if `top` has ended, which is a value of
    /// what is `top` then.
    #[inline(always)]
    unsafe fn next(&mut self, top: &mut Container) -> bool {
        // SAFETY: as in `text`.
        unsafe {
            self.scanner.skip_blanks();
            let byte = self.scanner.peek();
            top.pending += 1;
            if byte == b',' {
                self.scanner.at += 1;
                if top.pending == top.room {
                    self.make_room(top);
                }
                if top.kind == Kind::Object {
                    self.scanner.skip_blanks();
                    self.key();
                }
                return true;
            }
            match (top.kind, byte) {
                (Kind::Array, b']') | (Kind::Object, b'}') => self.close(top),
                (Kind::Array, _) => self.unexpected(c"comma or array end"),
                _ => self.unexpected(c"comma or object end"),
            }
        }
        false
    }

    #[inline(always)]
    unsafe fn push_number(&self, number: Number) {
        // SAFETY: there is room for a value.
        unsafe {
            match number {
                Number::Integer(integer) => lua_pushinteger(self.state, integer),
                Number::Real(real) => lua_pushnumber(self.state, real),
            }
        }
    }

    /// What begins like no value: a number that is not JSON's, or an error.
    #[cold]
    unsafe fn odd_value(&mut self) {
        use crate::scan::Token;
        // SAFETY: as in `text`.
        unsafe {
            match self.scanner.token() {
                Ok((Token::Number(number), _)) => self.push_number(number),
                Ok((token, at)) => self.raise(
                    c"value",
                    Problem {
                        text: token.name(),
                        at,
                    },
                ),
                Err(problem) => self.raise(c"value", problem),
            }
        }
    }

    /// Pushes the string whose first quote has been read.
    #[inline(always)]
    unsafe fn string(&mut self) {
        // SAFETY: there is room for a value.
        unsafe {
            match self.scanner.plain_string() {
                Some(string) => bytes::push(self.state, string),
                None => self.escaped_string(c"value"),
            }
        }
    }

    #[inline(never)]
    unsafe fn escaped_string(&mut self, expected: &'static CStr) {
        let escaped = &mut self.escaped;
        escaped.truncate(0);
        // SAFETY: there is room for a value; the buffer grows where nothing has a destructor.
        unsafe {
            match string::unescape(&mut self.scanner, &mut Unescaped(escaped)) {
                Ok(()) => bytes::push(self.state, self.escaped.bytes()),
                Err(problem) => self.raise(expected, problem),
            }
        }
    }

    /// Pushes a key, and reads the colon behind it.
    #[inline(always)]
    unsafe fn key(&mut self) {
        const EXPECTED: &CStr = c"object key string";
        // SAFETY: there is room for a key and its value.
        unsafe {
            if self.scanner.peek() != b'"' {
                return self.unexpected(EXPECTED);
            }
            self.scanner.at += 1;
            match self.scanner.plain_string() {
                Some(key) => bytes::push(self.state, key),
                None => self.escaped_string(EXPECTED),
            }
            self.scanner.skip_blanks();
            if self.scanner.peek() != b':' {
                return self.unexpected(c"colon");
            }
            self.scanner.at += 1;
        }
    }

    /// Reads a bracket: `top` is what it opens from now on.
    #[inline(always)]
    unsafe fn open(&mut self, top: &mut Container, kind: Kind) {
        let state = self.state;
        let values = if kind == Kind::Object {
            2 * FIRST_ROOM
        } else {
            FIRST_ROOM
        };
        self.scanner.at += 1;
        // SAFETY: as in `text`.
        unsafe {
            let depth = self.outer.len() + 1;
            if depth > self.config.decode_max_depth as u32
                || lua_checkstack(state, values as c_int + SPARE) == 0
            {
                return self.too_deep(depth);
            }
            self.outer.push(*top);
            lua_pushnil(state);
            *top = Container {
                kind,
                has_table: false,
                slot: lua_gettop(state),
                pending: 0,
                room: FIRST_ROOM,
                stored: 0,
            };
        }
    }

    #[cold]
    unsafe fn too_deep(&self, depth: u32) {
        let text = c"Found too many nested data structures (%d) at character %I%s";
        let at = self.scanner.at;
        // SAFETY: raises; nothing has a destructor.
        unsafe {
            let place = push_place(self.state, self.scanner.text, at - 1);
            luaL_error(
                self.state,
                text.as_ptr(),
                depth as c_int,
                at as lua_Integer,
                place,
            );
        }
    }

    /// There are as many values of `top` on the stack as there is room for.
    #[cold]
    unsafe fn make_room(&mut self, top: &mut Container) {
        // SAFETY: as in `text`.
        unsafe {
            if top.pending >= MOST_ROOM {
                self.store(top);
                return;
            }
            let more = if top.kind == Kind::Object {
                2 * top.room
            } else {
                top.room
            };
            if lua_checkstack(self.state, more as c_int + SPARE) == 0 {
                // It is nearly full: do with what there is.
                self.store(top);
                return;
            }
            top.room *= 2;
        }
    }

    /// Moves the values of `top` from the stack to its table, which is made if there is none.
    #[inline(always)]
    unsafe fn store(&self, top: &mut Container) {
        let state = self.state;
        let (slot, pending) = (top.slot, top.pending as c_int);
        // SAFETY: the stack is as `Container` says, with SPARE places above.
        unsafe {
            if top.kind == Kind::Array {
                if !top.has_table {
                    lua_createtable(state, pending, 0);
                    lua_replace(state, slot);
                }
                for index in (1..=pending).rev() {
                    lua_rawseti(state, slot, top.stored + lua_Integer::from(index));
                }
            } else {
                if !top.has_table {
                    lua_createtable(state, 0, pending);
                    lua_replace(state, slot);
                }
                // In the order of the text: the last of equal keys counts.
                for pair in 0..pending - 1 {
                    lua_pushvalue(state, slot + 2 * pair + 1);
                    lua_pushvalue(state, slot + 2 * pair + 2);
                    lua_rawset(state, slot);
                }
                if pending > 0 {
                    lua_rawset(state, slot);
                }
                lua_settop(state, slot);
            }
            top.has_table = true;
            top.stored += lua_Integer::from(pending);
            top.pending = 0;
        }
    }

    /// Reads a bracket that ends `top`, whose table is at the top of the stack then; `top` is what is around it.
    #[inline(always)]
    unsafe fn close(&mut self, top: &mut Container) {
        self.scanner.at += 1;
        // SAFETY: as in `text`.
        unsafe {
            self.store(top);
            if top.kind == Kind::Array && self.config.array_with_array_mt {
                push_array_mt(self.state);
                lua_setmetatable(self.state, -2);
            }
        }
        *top = self.outer.pop();
    }

    /// Raises an error about what is next instead of `expected`.
    #[cold]
    unsafe fn unexpected(&mut self, expected: &'static CStr) {
        let problem = match self.scanner.token() {
            Ok((token, at)) => Problem {
                text: token.name(),
                at,
            },
            Err(problem) => problem,
        };
        // SAFETY: as for `raise`.
        unsafe { self.raise(expected, problem) }
    }

    #[cold]
    unsafe fn raise(&self, expected: &'static CStr, problem: Problem) {
        let text = c"Expected %s but found %s at character %I%s";
        // SAFETY: raises; nothing has a destructor.
        unsafe {
            let place = push_place(self.state, self.scanner.text, problem.at);
            luaL_error(
                self.state,
                text.as_ptr(),
                expected.as_ptr(),
                problem.text.as_ptr(),
                problem.at as lua_Integer + 1,
                place,
            );
        }
    }
}

/// A string that is put together.
struct Unescaped<'a, 'b>(&'a mut Buffer<'b>);

impl Sink for Unescaped<'_, '_> {
    #[inline(always)]
    fn run(&mut self, text: &[u8], start: usize, end: usize) {
        const SHORT: usize = 16;
        // SAFETY: there is room; growing raises where nothing has a destructor (`Decoder::escaped_string`).
        unsafe {
            match text
                .get(start..)
                .and_then(|rest| rest.first_chunk::<SHORT>())
            {
                // What is copied too much is not counted.
                Some(block) if end - start <= SHORT => {
                    self.0
                        .room(SHORT)
                        .cast::<[u8; SHORT]>()
                        .write_unaligned(*block);
                    self.0.advance(end - start);
                }
                _ => self.0.extend(&text[start..end]),
            }
        }
    }

    #[inline(always)]
    fn escape(&mut self, bytes: &[u8]) {
        // SAFETY: as in `run`.
        unsafe {
            match bytes {
                &[byte] => self.0.put([byte]),
                _ => self.0.extend(bytes),
            }
        }
    }
}

/// Line and column for a message; nothing on the first line, where the column is the character. Pushes a value.
unsafe fn push_place(state: *mut lua_State, text: &[u8], at: usize) -> *const std::ffi::c_char {
    let (line, column) = line_and_column(text, at);
    // SAFETY: the stack has SPARE places.
    unsafe {
        if line == 1 {
            lua_pushlstring(state, c"".as_ptr(), 0);
        } else {
            let text = c" (line %I, column %I)".as_ptr();
            lua_pushfstring(state, text, line as lua_Integer, column as lua_Integer);
        }
        lua_tolstring(state, -1, ptr::null_mut())
    }
}
