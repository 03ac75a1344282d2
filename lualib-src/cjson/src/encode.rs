//! Lua values to text.

use std::ffi::{CStr, c_int};
use std::{ptr, slice};

use mlua_sys::{
    LUA_TBOOLEAN, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer,
    lua_State, lua_checkstack, lua_geti, lua_getmetatable, lua_gettop, lua_isinteger, lua_next,
    lua_pushnil, lua_pushvalue, lua_rawgeti, lua_replace, lua_settop, lua_toboolean,
    lua_tointegerx, lua_tolstring, lua_tonumberx, lua_touserdata, lua_type, lua_typename,
    lua_upvalueindex, luaL_error,
};
use skynet_support::buffer::{Buffer, Limit, Place};
use skynet_support::bytes;

use crate::config::{self, Config, InvalidNumbers};
use crate::containers::{self, Containers};
use crate::string::Escapes;
use crate::table::{self, Shape};
use crate::{array_key, check_one_argument, real, string};

/// Free places on Lua's stack that a table needs.
const STACK: c_int = 8;
/// Texts up to this size are built without Lua's memory.
const SMALL: usize = 2048;

const LIMIT: Limit = Limit {
    bytes: i32::MAX as usize,
    message: c"JSON text is too large (>%d)",
};

/// `encode(value)`: its text, in one line unless `encode_indent` says otherwise. A table whose keys are positive integers is an
/// array; so is one with the metatable `array_mt`, an empty one with `empty_array_mt`, and one with `__len`. Others are objects.
/// Raises an error for what JSON has no form of.
pub unsafe extern "C-unwind" fn encode(state: *mut lua_State) -> c_int {
    let mut small = Place::<SMALL>::new();
    let mut outer = Place::<{ containers::SMALL }>::new();
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_one_argument(state);
        let config = *config::current(state);
        // The text stays on the stack: it might be replaced on the way.
        config::push_indent(state);
        let indent: &[u8] = if config.has_indent {
            let mut len = 0;
            let text = lua_tolstring(state, -1, &mut len);
            slice::from_raw_parts(text.cast(), len)
        } else {
            &[]
        };
        let mut encoder = Encoder {
            state,
            out: Buffer::new(state, &mut small, &LIMIT, lua_upvalueindex(2)),
            outer: Containers::new(state, &mut outer, lua_upvalueindex(2)),
            escapes: Escapes::new(config.escape_slash),
            config,
            indent,
            mark: (0, false),
        };
        lua_pushvalue(state, 1);
        encoder.text();
        bytes::push(state, encoder.out.bytes());
        encoder.outer.close();
        if config.keep_buffer {
            encoder.out.close();
        }
    }
    1
}

/// How the values of a table are found.
#[derive(Clone, Copy)]
enum Kind {
    /// There is no table: the value is all of the text.
    Text,
    /// By `next`; the last key is above the table.
    Object,
    /// By `next`, as long as the keys are 1, 2, 3 and so on; the last one is above the table. If another key follows, the
    /// table is begun again in the general way. For that it may not have begun tables in it: before the first of these all
    /// keys are looked at.
    Sequence,
    /// By index, up to the count.
    Array { count: lua_Integer, raw: bool },
}

/// A table that is being written.
#[derive(Clone, Copy)]
struct Container {
    kind: Kind,
    /// `next` has been called for the first pair.
    has_pair: bool,
    /// A comma comes before the next value.
    comma: bool,
    /// The table's place on the stack.
    slot: c_int,
    /// Values so far, with those that were left out.
    index: lua_Integer,
    /// Where its text begins.
    start: usize,
}

struct Encoder<'a> {
    state: *mut lua_State,
    out: Buffer<'a>,
    outer: Containers<'a, Container>,
    escapes: Escapes,
    config: Config,
    indent: &'a [u8],
    /// Where the text of the last value begins, with the comma before it, and whether there is one.
    mark: (usize, bool),
}

impl Encoder<'_> {
    /// Writes the value at the top of the stack, and all that is in it.
    unsafe fn text(&mut self) {
        let mut top = Container {
            kind: Kind::Text,
            has_pair: false,
            comma: false,
            slot: 0,
            index: 0,
            start: 0,
        };
        // SAFETY: `open` sees to it that the stack has room; nothing has a destructor.
        unsafe {
            if lua_type(self.state, -1) != LUA_TTABLE {
                self.scalar();
                return;
            }
            self.open(&mut top);
            while !matches!(top.kind, Kind::Text) {
                if !self.next(&mut top) {
                    self.close(&mut top);
                } else if lua_type(self.state, -1) == LUA_TTABLE {
                    self.open(&mut top);
                } else if !self.scalar() {
                    let (len, comma) = self.mark;
                    self.out.truncate(len);
                    top.comma = comma;
                }
            }
        }
    }

    /// Begins the table at the top of the stack: `top` is that one from now on, unless it is written at once.
    #[inline(always)]
    unsafe fn open(&mut self, top: &mut Container) {
        let state = self.state;
        // SAFETY: the stack has room for what is pushed after the check.
        unsafe {
            let depth = self.outer.len() + 1;
            if depth > self.config.encode_max_depth as u32 || lua_checkstack(state, STACK) == 0 {
                let text = c"Cannot serialise, excessive nesting (%d)";
                luaL_error(state, text.as_ptr(), depth as c_int);
            }
            let slot = lua_gettop(state);
            let start = self.out.len();
            let (kind, has_pair) = if lua_getmetatable(state, slot) != 0 {
                lua_settop(state, slot);
                (self.general(slot), false)
            } else {
                lua_pushnil(state);
                if lua_next(state, slot) == 0 {
                    let empty = if self.config.empty_table_as_object {
                        b"{}"
                    } else {
                        b"[]"
                    };
                    return self.out.put(*empty);
                }
                if lua_type(state, -2) != LUA_TNUMBER {
                    (Kind::Object, true)
                } else if self.key_is(1) {
                    (Kind::Sequence, true)
                } else {
                    lua_settop(state, slot);
                    (self.general(slot), false)
                }
            };
            self.outer.push(*top);
            *top = Container {
                kind,
                has_pair,
                comma: false,
                slot,
                index: 0,
                start,
            };
            self.bracket(kind);
        }
    }

    /// The kind of the table in `slot`, the top of the stack, by all that decides it. An object has a first key above it then.
    #[cold]
    unsafe fn general(&mut self, slot: c_int) -> Kind {
        // SAFETY: as in `open`.
        unsafe {
            match table::shape(self.state, &self.config, slot) {
                Shape::Array { count, raw } => Kind::Array { count, raw },
                Shape::Object => {
                    lua_pushnil(self.state);
                    Kind::Object
                }
            }
        }
    }

    unsafe fn bracket(&mut self, kind: Kind) {
        // SAFETY: nothing has a destructor.
        unsafe {
            self.out.put(if let Kind::Object = kind {
                *b"{"
            } else {
                *b"["
            })
        }
    }

    /// Whether the key of the pair at the top of the stack is the integer `key`.
    #[inline(always)]
    unsafe fn key_is(&self, key: lua_Integer) -> bool {
        // SAFETY: there is a pair.
        unsafe {
            lua_isinteger(self.state, -2) != 0
                && lua_tointegerx(self.state, -2, ptr::null_mut()) == key
        }
    }

    /// Pushes the next value of `top`, in place of the last one, and writes what comes before it. False if there is none.
    #[inline(always)]
    unsafe fn next(&mut self, top: &mut Container) -> bool {
        let state = self.state;
        // SAFETY: the stack is as `Kind` says, with room for a pair and more.
        unsafe {
            match top.kind {
                Kind::Text => false,
                Kind::Object => {
                    if !self.next_pair(top) {
                        return false;
                    }
                    self.separate(top);
                    self.key();
                    true
                }
                Kind::Sequence => {
                    if !self.next_pair(top) {
                        return false;
                    }
                    let right = self.key_is(top.index + 1)
                        && (lua_type(state, -1) != LUA_TTABLE || self.is_sequence(top));
                    if !right {
                        return self.begin_again(top);
                    }
                    self.separate(top);
                    true
                }
                Kind::Array { count, raw } => {
                    lua_settop(state, top.slot);
                    if top.index >= count {
                        return false;
                    }
                    self.separate(top);
                    if raw {
                        lua_rawgeti(state, top.slot, top.index);
                    } else {
                        lua_geti(state, top.slot, top.index);
                    }
                    true
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn next_pair(&self, top: &mut Container) -> bool {
        if top.has_pair {
            top.has_pair = false;
            return true;
        }
        // SAFETY: the key of the last pair is above the table.
        unsafe {
            lua_settop(self.state, top.slot + 1);
            lua_next(self.state, top.slot) != 0
        }
    }

    /// Whether the keys that follow the pair at the top of the stack go on as in a sequence: `top` is an array then.
    #[cold]
    unsafe fn is_sequence(&self, top: &mut Container) -> bool {
        let state = self.state;
        let mut count = top.index + 1;
        // SAFETY: the stack has room for another pair.
        unsafe {
            lua_pushvalue(state, -2);
            while lua_next(state, top.slot) != 0 {
                count += 1;
                if !self.key_is(count) {
                    return false;
                }
                lua_settop(state, -2);
            }
            // The value takes the place of the key.
            lua_replace(state, top.slot + 1);
        }
        top.kind = Kind::Array { count, raw: true };
        true
    }

    /// `top` is no sequence: drops what was written of it, and does as `next`.
    #[cold]
    unsafe fn begin_again(&mut self, top: &mut Container) -> bool {
        self.out.truncate(top.start);
        // SAFETY: as in `next`, which does not come here twice for a table.
        unsafe {
            lua_settop(self.state, top.slot);
            top.kind = self.general(top.slot);
            top.index = 0;
            top.comma = false;
            self.bracket(top.kind);
            self.next(top)
        }
    }

    /// What stands between values.
    #[inline(always)]
    unsafe fn separate(&mut self, top: &mut Container) {
        top.index += 1;
        self.mark = (self.out.len(), top.comma);
        // SAFETY: nothing has a destructor.
        unsafe {
            if top.comma {
                self.out.put(*b",");
            }
            top.comma = true;
            if !self.indent.is_empty() {
                self.line(self.outer.len());
            }
        }
    }

    #[cold]
    unsafe fn line(&mut self, depth: u32) {
        // SAFETY: nothing has a destructor; the text stays on Lua's stack.
        unsafe {
            self.out.put(*b"\n");
            for _ in 0..depth {
                self.out.extend(self.indent);
            }
        }
    }

    /// Ends `top`, whose table is at the top of the stack then as a value that is written.
    #[inline(always)]
    unsafe fn close(&mut self, top: &mut Container) {
        // SAFETY: nothing has a destructor.
        unsafe {
            if top.index > 0 && !self.indent.is_empty() {
                self.line(self.outer.len() - 1);
            }
            self.out.put(if let Kind::Object = top.kind {
                *b"}"
            } else {
                *b"]"
            });
        }
        *top = self.outer.pop();
    }

    /// Writes the key of the pair at the top of the stack.
    #[inline(always)]
    unsafe fn key(&mut self) {
        let state = self.state;
        // SAFETY: the key stays on the stack; a number is not changed into a string, which `next` would not know.
        unsafe {
            match lua_type(state, -2) {
                LUA_TSTRING => {
                    let mut len = 0;
                    let key = lua_tolstring(state, -2, &mut len);
                    let key = slice::from_raw_parts(key.cast(), len);
                    string::write(&mut self.out, key, self.escapes);
                }
                LUA_TNUMBER => {
                    self.out.put(*b"\"");
                    self.number(-2);
                    self.out.put(*b"\"");
                }
                ty => self.refuse(ty, c"table key must be a number or string"),
            }
            self.out.put(*b":");
            if !self.indent.is_empty() {
                self.out.put(*b" ");
            }
        }
    }

    /// Writes the value at the top of the stack, which is no table. False if that is to be left out.
    #[inline(always)]
    unsafe fn scalar(&mut self) -> bool {
        let state = self.state;
        // SAFETY: nothing has a destructor; the string stays on the stack.
        unsafe {
            match lua_type(state, -1) {
                LUA_TSTRING => {
                    let mut len = 0;
                    let text = lua_tolstring(state, -1, &mut len);
                    let text = slice::from_raw_parts(text.cast(), len);
                    string::write(&mut self.out, text, self.escapes);
                }
                LUA_TNUMBER => self.number(-1),
                LUA_TBOOLEAN if lua_toboolean(state, -1) != 0 => self.out.put(*b"true"),
                LUA_TBOOLEAN => self.out.put(*b"false"),
                LUA_TNIL => self.out.put(*b"null"),
                ty => return self.odd(ty),
            }
        }
        true
    }

    #[cold]
    unsafe fn odd(&mut self, ty: c_int) -> bool {
        // SAFETY: as in `scalar`.
        unsafe {
            if ty == LUA_TLIGHTUSERDATA {
                let pointer = lua_touserdata(self.state, -1).cast_const();
                if pointer.is_null() {
                    self.out.put(*b"null");
                    return true;
                }
                if pointer == array_key() {
                    self.out.put(*b"[]");
                    return true;
                }
            }
            if !self.config.skip_unsupported {
                self.refuse(ty, c"type not supported");
            }
        }
        false
    }

    #[inline(always)]
    unsafe fn number(&mut self, index: c_int) {
        // SAFETY: there is a number; nothing has a destructor.
        unsafe {
            if lua_isinteger(self.state, index) != 0 {
                let integer = lua_tointegerx(self.state, index, ptr::null_mut());
                let mut text = itoa::Buffer::new();
                self.out.extend(text.format(integer).as_bytes());
            } else {
                let real = lua_tonumberx(self.state, index, ptr::null_mut());
                self.real(real);
            }
        }
    }

    unsafe fn real(&mut self, value: f64) {
        // SAFETY: nothing has a destructor.
        unsafe {
            if value.is_finite() {
                let mut text = [0; real::LONGEST];
                let len = real::write(value, self.config.precision as usize, &mut text);
                return self.out.extend(&text[..len]);
            }
            match self.config.encode_invalid {
                InvalidNumbers::Refused => self.refuse(LUA_TNUMBER, c"must not be NaN or Infinity"),
                InvalidNumbers::Null => self.out.put(*b"null"),
                InvalidNumbers::Written if value.is_nan() => self.out.put(*b"NaN"),
                InvalidNumbers::Written if value > 0.0 => self.out.put(*b"Infinity"),
                InvalidNumbers::Written => self.out.put(*b"-Infinity"),
            }
        }
    }

    #[cold]
    unsafe fn refuse(&self, ty: c_int, why: &CStr) {
        // SAFETY: raises; nothing has a destructor.
        unsafe { refuse(self.state, ty, why) }
    }
}

/// Raises an error about a value of type `ty`.
#[cold]
pub unsafe fn refuse(state: *mut lua_State, ty: c_int, why: &CStr) {
    // SAFETY: raises; nothing has a destructor.
    unsafe {
        let text = c"Cannot serialise %s: %s";
        luaL_error(state, text.as_ptr(), lua_typename(state, ty), why.as_ptr());
    }
}
