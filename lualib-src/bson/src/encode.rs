//! Tables to documents.

use std::ptr;
use std::slice;

use libc::{c_char, c_int};
use mlua_sys::{
    LUA_TBOOLEAN, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE,
    LUA_TUSERDATA, lua_Integer, lua_State, lua_call, lua_copy, lua_geti, lua_getmetatable,
    lua_gettop, lua_isinteger, lua_next, lua_pushnil, lua_pushvalue, lua_rawgeti, lua_rawlen,
    lua_settop, lua_toboolean, lua_tointegerx, lua_tolstring, lua_tonumberx, lua_type,
    lua_typename, lua_upvalueindex, luaL_checkstack, luaL_checktype, luaL_error, luaL_getmetafield,
};
use skynet_support::buffer::{Buffer, Limit, Place};

use crate::date::Date;
use crate::element::{Element, Ordinal, Text};
use crate::{decode, document_at, element, kind, object, pop, push_document};

/// Tables within tables, at most: a table that contains itself is found out that way.
const MAX_DEPTH: u32 = 128;
/// Free places on Lua's stack that a table needs, with [`CHUNK`] values.
const STACK: c_int = 24;
/// Values of an array that are on the stack at once.
const CHUNK: lua_Integer = 8;
/// Documents up to this size are built without Lua's memory.
const SMALL: usize = 2048;

/// Lengths are C ints.
const LIMIT: Limit = Limit {
    bytes: i32::MAX as usize,
    message: c"bson document is too large (>%d)",
};

/// `encode(table)`: a document. A table with `__pairs` gives the pairs of that. Values are what `decode` makes, documents,
/// and tables: one with `__len`, or whose first key is a positive integer of its border, is an array. Raises an error for
/// what has no place in a document.
pub unsafe extern "C-unwind" fn encode(state: *mut lua_State) -> c_int {
    let mut place = Place::<SMALL>::new();
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        luaL_checktype(state, 1, LUA_TTABLE);
        lua_settop(state, 1);
        let mut encoder = Encoder {
            state,
            out: Buffer::new(state, &mut place, &LIMIT, lua_upvalueindex(2)),
        };
        lua_pushvalue(state, 1);
        let start = encoder.open();
        if luaL_getmetafield(state, -1, c"__pairs".as_ptr()) == LUA_TNIL {
            lua_pushnil(state);
            encoder.pairs(0);
        } else {
            encoder.pairs_of_metamethod(0);
        }
        encoder.close(start);
        push_document(state, encoder.out.bytes());
        encoder.out.close();
    }
    1
}

/// `encode_order(key, value, ...)`: a document of these elements, in this order.
pub unsafe extern "C-unwind" fn encode_order(state: *mut lua_State) -> c_int {
    let mut place = Place::<SMALL>::new();
    // SAFETY: called by Lua with room for LUA_MINSTACK values above the arguments.
    unsafe {
        let count = lua_gettop(state);
        if count % 2 != 0 {
            return luaL_error(state, c"Invalid ordered dict".as_ptr());
        }
        let mut encoder = Encoder {
            state,
            out: Buffer::new(state, &mut place, &LIMIT, lua_upvalueindex(2)),
        };
        let start = encoder.open();
        for index in (1..count).step_by(2) {
            let mut len = 0;
            let key: *const u8 = lua_tolstring(state, index, &mut len).cast();
            if key.is_null() {
                let text = c"Argument %d need a string";
                return luaL_error(state, text.as_ptr(), index);
            }
            lua_pushvalue(state, index + 1);
            let key = Text::new(slice::from_raw_parts(key, len));
            encoder.value(key, lua_type(state, -1), 0);
            pop(state, 1);
        }
        encoder.close(start);
        push_document(state, encoder.out.bytes());
        encoder.out.close();
    }
    1
}

struct Encoder<'a> {
    state: *mut lua_State,
    out: Buffer<'a>,
}

impl Encoder<'_> {
    /// Begins a document: returns where its length will stand.
    #[inline(always)]
    unsafe fn open(&mut self) -> usize {
        let start = self.out.len();
        // SAFETY: nothing with a destructor is alive.
        unsafe { self.out.put([0; 4]) };
        start
    }

    /// Ends the document that begins at `start`.
    #[inline(always)]
    unsafe fn close(&mut self, start: usize) {
        // SAFETY: nothing with a destructor is alive.
        unsafe { self.out.put([0]) };
        let length = (self.out.len() - start) as i32;
        self.out.patch(start, length.to_le_bytes());
    }

    #[inline(always)]
    unsafe fn scalar<K: Element, const N: usize>(&mut self, kind: u8, key: K, body: [u8; N]) {
        // SAFETY: nothing with a destructor is alive.
        unsafe { element::write(self.state, &mut self.out, kind, key, body) }
    }

    #[inline(always)]
    unsafe fn head<K: Element>(&mut self, kind: u8, key: K) {
        // SAFETY: nothing with a destructor is alive.
        unsafe { self.scalar(kind, key, []) }
    }

    /// Writes the value at the top of the stack, of type `ty`, and leaves it there.
    #[inline(always)]
    unsafe fn value<K: Element>(&mut self, key: K, ty: c_int, depth: u32) {
        let state = self.state;
        // SAFETY: the stack has room for some values; nothing with a destructor is alive.
        unsafe {
            match ty {
                LUA_TNUMBER => self.number(key),
                LUA_TSTRING => {
                    let mut len = 0;
                    let text = lua_tolstring(state, -1, &mut len);
                    self.string(key, slice::from_raw_parts(text.cast(), len));
                }
                LUA_TBOOLEAN => {
                    let byte = u8::from(lua_toboolean(state, -1) != 0);
                    self.scalar(kind::BOOLEAN, key, [byte]);
                }
                LUA_TTABLE => self.table(key, depth + 1),
                LUA_TUSERDATA | LUA_TLIGHTUSERDATA => self.document(key),
                LUA_TNIL => {
                    let text = c"Bson array has a hole (nil), Use bson.null instead";
                    luaL_error(state, text.as_ptr());
                }
                _ => {
                    let text = c"Invalid value type : %s";
                    luaL_error(state, text.as_ptr(), lua_typename(state, ty));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn number<K: Element>(&mut self, key: K) {
        // SAFETY: the value at the top is a number.
        unsafe {
            if lua_isinteger(self.state, -1) == 0 {
                let real = lua_tonumberx(self.state, -1, ptr::null_mut());
                return self.scalar(kind::REAL, key, real.to_le_bytes());
            }
            let integer = lua_tointegerx(self.state, -1, ptr::null_mut());
            match i32::try_from(integer) {
                Ok(small) => self.scalar(kind::INT32, key, small.to_le_bytes()),
                Err(_) => self.scalar(kind::INT64, key, integer.to_le_bytes()),
            }
        }
    }

    #[inline(always)]
    unsafe fn string<K: Element>(&mut self, key: K, text: &[u8]) {
        // SAFETY: nothing with a destructor is alive; the text stays on Lua's stack.
        unsafe {
            if let [0, kind, value @ ..] = text {
                return self.object(key, *kind, value);
            }
            // A length that does not fit is more than the buffer takes.
            let length = (text.len() as i32).wrapping_add(1);
            self.scalar(kind::STRING, key, length.to_le_bytes());
            element::check_text(self.state, text);
            self.out.extend(text);
            self.out.put([0]);
        }
    }

    /// A string that stands for a value of another type, see [`object`].
    unsafe fn object<K: Element>(&mut self, key: K, kind: u8, value: &[u8]) {
        let state = self.state;
        // SAFETY: as in `string`.
        unsafe {
            match kind {
                kind::NULL | kind::UNDEFINED | kind::MIN_KEY | kind::MAX_KEY => {
                    self.head(kind, key);
                }
                kind::OBJECT_ID => {
                    let Ok(id) = <[u8; 12]>::try_from(value) else {
                        let text = c"Invalid object id %s";
                        luaL_error(state, text.as_ptr(), value.as_ptr().cast::<c_char>());
                        return;
                    };
                    self.scalar(kind, key, id);
                }
                kind::DATE => {
                    let Some(Date(milliseconds)) = Date::read(value) else {
                        luaL_error(state, c"Invalid date".as_ptr());
                        return;
                    };
                    self.scalar(kind, key, milliseconds.to_le_bytes());
                }
                kind::DECIMAL128 => {
                    let Ok(number) = <[u8; 16]>::try_from(value) else {
                        luaL_error(state, c"Invalid decimal128".as_ptr());
                        return;
                    };
                    self.scalar(kind, key, number);
                }
                kind::TIMESTAMP => {
                    let Ok(halves) = <[u8; 8]>::try_from(value) else {
                        luaL_error(state, c"Invalid timestamp".as_ptr());
                        return;
                    };
                    self.scalar(kind, key, halves);
                }
                kind::INT64 => {
                    let Ok(number) = value.try_into() else {
                        luaL_error(state, c"Invalid int64".as_ptr());
                        return;
                    };
                    self.scalar(kind, key, i64::from_ne_bytes(number).to_le_bytes());
                }
                kind::BINARY => {
                    let Some((&subtype, bytes)) = value.split_first() else {
                        luaL_error(state, c"Invalid binary".as_ptr());
                        return;
                    };
                    let [a, b, c, d] = (bytes.len() as i32).to_le_bytes();
                    self.scalar(kind, key, [a, b, c, d, subtype]);
                    self.out.extend(bytes);
                }
                kind::REGEX => {
                    let Some((pattern, options)) = object::regex_parts(value) else {
                        luaL_error(state, c"Invalid regex".as_ptr());
                        return;
                    };
                    self.head(kind, key);
                    for part in [pattern, options] {
                        element::check_text(state, part);
                        element::check_no_zero(state, part);
                        self.out.extend(part);
                        self.out.put([0]);
                    }
                }
                _ => {
                    // They are written as they were read, if they could have been read.
                    let mut reader = crate::reader::Reader::new(value);
                    if reader.opaque_kind(kind).is_err() || reader.left() > 0 {
                        let text = c"Invalid subtype %d";
                        luaL_error(state, text.as_ptr(), c_int::from(kind));
                    }
                    self.head(kind, key);
                    self.out.extend(value);
                }
            }
        }
    }

    /// A document within the document.
    unsafe fn document<K: Element>(&mut self, key: K) {
        // SAFETY: the document stays on Lua's stack or, a light one, where it is by contract.
        unsafe {
            match document_at(self.state, -1) {
                Some(Ok(document)) => {
                    self.head(kind::DOCUMENT, key);
                    self.out.extend(document);
                }
                Some(Err(problem)) => decode::raise(self.state, problem),
                None => {
                    luaL_error(self.state, c"Invalid bson document (null)".as_ptr());
                }
            }
        }
    }

    /// The table at the top of the stack.
    unsafe fn table<K: Element>(&mut self, key: K, depth: u32) {
        let state = self.state;
        // SAFETY: the stack has room for what is pushed after the check.
        unsafe {
            if depth > MAX_DEPTH {
                luaL_error(state, c"Too depth while encoding bson".as_ptr());
            }
            luaL_checkstack(state, STACK, ptr::null());
            let mut get: Get = lua_rawgeti;
            if lua_getmetatable(state, -1) != 0 {
                pop(state, 1);
                if luaL_getmetafield(state, -1, c"__len".as_ptr()) != LUA_TNIL {
                    let count = self.len_of_metamethod();
                    self.head(kind::ARRAY, key);
                    return self.array(count, lua_geti, depth);
                }
                if luaL_getmetafield(state, -1, c"__pairs".as_ptr()) != LUA_TNIL {
                    self.head(kind::DOCUMENT, key);
                    let start = self.open();
                    self.pairs_of_metamethod(depth);
                    self.close(start);
                    return;
                }
                get = lua_geti;
            }
            lua_pushnil(state);
            if lua_next(state, -2) == 0 {
                return self.scalar(kind::DOCUMENT, key, [5, 0, 0, 0, 0]);
            }
            if self.is_first_of_array() {
                pop(state, 2);
                let count = lua_rawlen(state, -1) as lua_Integer;
                self.head(kind::ARRAY, key);
                return self.array(count, get, depth);
            }
            self.head(kind::DOCUMENT, key);
            let start = self.open();
            self.pair(depth);
            self.pairs(depth);
            self.close(start);
        }
    }

    /// Whether the pair at the top of the stack, the first of the table below, is one of an array.
    #[inline(always)]
    unsafe fn is_first_of_array(&self) -> bool {
        // SAFETY: by contract.
        unsafe {
            if lua_isinteger(self.state, -2) == 0 {
                return false;
            }
            let key = lua_tointegerx(self.state, -2, ptr::null_mut());
            key == 1 || key > 1 && key <= lua_rawlen(self.state, -3) as lua_Integer
        }
    }

    /// Calls the function at the top of the stack, `__len`, and pops it.
    unsafe fn len_of_metamethod(&self) -> lua_Integer {
        let state = self.state;
        // SAFETY: the table is below the function.
        unsafe {
            lua_pushvalue(state, -2);
            lua_call(state, 1, 1);
            if lua_isinteger(state, -1) == 0 {
                luaL_error(state, c"__len should return integer".as_ptr());
            }
            let len = lua_tointegerx(state, -1, ptr::null_mut());
            pop(state, 1);
            len
        }
    }

    /// The first `count` values of the table at the top of the stack.
    unsafe fn array(&mut self, count: lua_Integer, get: Get, depth: u32) {
        let state = self.state;
        // SAFETY: the stack has room for CHUNK values and what one of them needs.
        unsafe {
            let start = self.open();
            let table = lua_gettop(state);
            let mut ordinal = Ordinal::new();
            let mut next = 1;
            while next <= count {
                let last = count.min(next.saturating_add(CHUNK - 1));
                while next <= last {
                    let ty = get(state, table, next);
                    self.value(&ordinal, ty, depth);
                    ordinal.advance();
                    next += 1;
                }
                lua_settop(state, table);
            }
            self.close(start);
        }
    }

    /// The pairs of the table below the key at the top of the stack that follow this key, which is popped.
    #[inline(always)]
    unsafe fn pairs(&mut self, depth: u32) {
        // SAFETY: by contract; the stack has room for two values and what a value needs.
        unsafe {
            while lua_next(self.state, -2) != 0 {
                self.pair(depth);
            }
        }
    }

    /// Writes the pair at the top of the stack and pops its value.
    #[inline(always)]
    unsafe fn pair(&mut self, depth: u32) {
        let state = self.state;
        // SAFETY: a key and a value are at the top.
        unsafe {
            match lua_type(state, -2) {
                LUA_TSTRING => {
                    let mut len = 0;
                    let key = lua_tolstring(state, -2, &mut len);
                    let key = Text::new(slice::from_raw_parts(key.cast(), len));
                    self.value(key, lua_type(state, -1), depth);
                }
                LUA_TNUMBER => {
                    let text = c"Bson dictionary's key can't be number";
                    luaL_error(state, text.as_ptr());
                }
                ty => {
                    let text = c"Invalid key type : %s";
                    luaL_error(state, text.as_ptr(), lua_typename(state, ty));
                }
            }
            pop(state, 1);
        }
    }

    /// The pairs that the function at the top of the stack, `__pairs`, gives for the value below it; pops the function.
    unsafe fn pairs_of_metamethod(&mut self, depth: u32) {
        let state = self.state;
        // SAFETY: the stack has room for six values and what a value needs.
        unsafe {
            lua_pushvalue(state, -2);
            lua_call(state, 1, 3);
            let control = lua_gettop(state);
            loop {
                lua_pushvalue(state, control - 2);
                lua_pushvalue(state, control - 1);
                lua_pushvalue(state, control);
                lua_call(state, 2, 2);
                if lua_type(state, -2) == LUA_TNIL {
                    break;
                }
                self.pair(depth);
                lua_copy(state, -1, control);
                pop(state, 1);
            }
            lua_settop(state, control - 3);
        }
    }
}

/// `lua_geti`, or `lua_rawgeti` where there are no metamethods.
type Get = unsafe extern "C-unwind" fn(*mut lua_State, c_int, lua_Integer) -> c_int;
