//! Tables to documents.

use libc::c_int;
use mlua_sys::{
    LUA_TBOOLEAN, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE,
    LUA_TUSERDATA, lua_Integer, lua_upvalueindex,
};
use skynet_support::State;
use skynet_support::buffer::{Buffer, Limit, Place};
use skynet_support::state::Shown;

use crate::date::Date;
use crate::element::{Element, Ordinal, Text};
use crate::{decode, document_at, element, kind, object, push_document};

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
    before: "bson document is too large (>",
    behind: ")",
};

/// `encode(table)`: a document. A table with `__pairs` gives the pairs of that. Values are what `decode` makes, documents,
/// and tables: one with `__len`, or whose first key is a positive integer of its border, is an array. Raises an error for
/// what has no place in a document.
pub fn encode(state: State<'_>) -> c_int {
    let mut place = Place::<SMALL>::new();
    state.check_kind(1, LUA_TTABLE);
    state.set_top(1);
    let mut encoder = Encoder {
        state,
        out: Buffer::new(state, &mut place, &LIMIT, lua_upvalueindex(2)),
    };
    state.push_copy(1);
    let start = encoder.open();
    if state.get_metafield(-1, c"__pairs") == LUA_TNIL {
        state.push_nil();
        encoder.pairs(0);
    } else {
        encoder.pairs_of_metamethod(0);
    }
    encoder.close(start);
    push_document(state, encoder.out.bytes());
    encoder.out.close();
    1
}

/// `encode_order(key, value, ...)`: a document of these elements, in this order.
pub fn encode_order(state: State<'_>) -> c_int {
    let mut place = Place::<SMALL>::new();
    let count = state.top();
    if count % 2 != 0 {
        state.error(c"Invalid ordered dict");
    }
    let mut encoder = Encoder {
        state,
        out: Buffer::new(state, &mut place, &LIMIT, lua_upvalueindex(2)),
    };
    let start = encoder.open();
    for index in (1..count).step_by(2) {
        let Some(key) = state.to_bytes(index) else {
            state.error_with(format_args!("Argument {index} need a string"));
        };
        state.push_copy(index + 1);
        encoder.value(Text::new(key), state.kind(-1), 0);
        state.pop(1);
    }
    encoder.close(start);
    push_document(state, encoder.out.bytes());
    encoder.out.close();
    1
}

struct Encoder<'a> {
    state: State<'a>,
    out: Buffer<'a>,
}

impl<'a> Encoder<'a> {
    /// Begins a document: returns where its length will stand.
    #[inline(always)]
    fn open(&mut self) -> usize {
        let start = self.out.len();
        self.out.put([0; 4]);
        start
    }

    /// Ends the document that begins at `start`.
    #[inline(always)]
    fn close(&mut self, start: usize) {
        self.out.put([0]);
        let length = (self.out.len() - start) as i32;
        self.out.patch(start, length.to_le_bytes());
    }

    #[inline(always)]
    fn scalar<K: Element, const N: usize>(&mut self, kind: u8, key: K, body: [u8; N]) {
        element::write(self.state, &mut self.out, kind, key, body)
    }

    #[inline(always)]
    fn head<K: Element>(&mut self, kind: u8, key: K) {
        self.scalar(kind, key, [])
    }

    /// Writes the value at the top of the stack, of type `ty`, and leaves it there.
    #[inline(always)]
    fn value<K: Element>(&mut self, key: K, ty: c_int, depth: u32) {
        let state = self.state;
        match ty {
            LUA_TNUMBER => self.number(key),
            LUA_TSTRING => {
                let text = state.to_bytes(-1).unwrap_or_default();
                self.string(key, text);
            }
            LUA_TBOOLEAN => {
                let byte = u8::from(state.to_boolean(-1));
                self.scalar(kind::BOOLEAN, key, [byte]);
            }
            LUA_TTABLE => self.table(key, depth + 1),
            LUA_TUSERDATA | LUA_TLIGHTUSERDATA => self.document(key),
            LUA_TNIL => {
                state.error(c"Bson array has a hole (nil), Use bson.null instead");
            }
            _ => {
                let name = state.type_name(ty);
                state.error_with(format_args!("Invalid value type : {name}"));
            }
        }
    }

    #[inline(always)]
    fn number<K: Element>(&mut self, key: K) {
        if !self.state.is_integer(-1) {
            let real = self.state.to_number(-1);
            return self.scalar(kind::REAL, key, real.to_le_bytes());
        }
        let integer = self.state.to_integer(-1);
        match i32::try_from(integer) {
            Ok(small) => self.scalar(kind::INT32, key, small.to_le_bytes()),
            Err(_) => self.scalar(kind::INT64, key, integer.to_le_bytes()),
        }
    }

    #[inline(always)]
    fn string<K: Element>(&mut self, key: K, text: &[u8]) {
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

    /// A string that stands for a value of another type, see [`object`].
    fn object<K: Element>(&mut self, key: K, kind: u8, value: &[u8]) {
        let state = self.state;
        match kind {
            kind::NULL | kind::UNDEFINED | kind::MIN_KEY | kind::MAX_KEY => {
                self.head(kind, key);
            }
            kind::OBJECT_ID => {
                let Ok(id) = <[u8; 12]>::try_from(value) else {
                    state.error_with(format_args!("Invalid object id {}", Shown(value)));
                };
                self.scalar(kind, key, id);
            }
            kind::DATE => {
                let Some(Date(milliseconds)) = Date::read(value) else {
                    state.error(c"Invalid date");
                };
                self.scalar(kind, key, milliseconds.to_le_bytes());
            }
            kind::DECIMAL128 => {
                let Ok(number) = <[u8; 16]>::try_from(value) else {
                    state.error(c"Invalid decimal128");
                };
                self.scalar(kind, key, number);
            }
            kind::TIMESTAMP => {
                let Ok(halves) = <[u8; 8]>::try_from(value) else {
                    state.error(c"Invalid timestamp");
                };
                self.scalar(kind, key, halves);
            }
            kind::INT64 => {
                let Ok(number) = value.try_into() else {
                    state.error(c"Invalid int64");
                };
                self.scalar(kind, key, i64::from_ne_bytes(number).to_le_bytes());
            }
            kind::BINARY => {
                let Some((&subtype, bytes)) = value.split_first() else {
                    state.error(c"Invalid binary");
                };
                let [a, b, c, d] = (bytes.len() as i32).to_le_bytes();
                self.scalar(kind, key, [a, b, c, d, subtype]);
                self.out.extend(bytes);
            }
            kind::REGEX => {
                let Some((pattern, options)) = object::regex_parts(value) else {
                    state.error(c"Invalid regex");
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
                    state.error_with(format_args!("Invalid subtype {kind}"));
                }
                self.head(kind, key);
                self.out.extend(value);
            }
        }
    }

    /// A document within the document.
    fn document<K: Element>(&mut self, key: K) {
        match document_at(self.state, -1) {
            Some(Ok(document)) => {
                self.head(kind::DOCUMENT, key);
                self.out.extend(document);
            }
            Some(Err(problem)) => decode::raise(self.state, problem),
            None => self.state.error(c"Invalid bson document (null)"),
        }
    }

    /// The table at the top of the stack.
    fn table<K: Element>(&mut self, key: K, depth: u32) {
        let state = self.state;
        if depth > MAX_DEPTH {
            state.error(c"Too depth while encoding bson");
        }
        state.reserve(STACK);
        let mut get: Get<'a> = State::raw_get_i;
        if state.get_metatable(-1) {
            state.pop(1);
            if state.get_metafield(-1, c"__len") != LUA_TNIL {
                let count = self.len_of_metamethod();
                self.head(kind::ARRAY, key);
                return self.array(count, State::get_i, depth);
            }
            if state.get_metafield(-1, c"__pairs") != LUA_TNIL {
                self.head(kind::DOCUMENT, key);
                let start = self.open();
                self.pairs_of_metamethod(depth);
                self.close(start);
                return;
            }
            get = State::get_i;
        }
        state.push_nil();
        if !state.next(-2) {
            return self.scalar(kind::DOCUMENT, key, [5, 0, 0, 0, 0]);
        }
        if self.is_first_of_array() {
            state.pop(2);
            let count = state.raw_len(-1) as lua_Integer;
            self.head(kind::ARRAY, key);
            return self.array(count, get, depth);
        }
        self.head(kind::DOCUMENT, key);
        let start = self.open();
        self.pair(depth);
        self.pairs(depth);
        self.close(start);
    }

    /// Whether the pair at the top of the stack, the first of the table below, is one of an array.
    #[inline(always)]
    fn is_first_of_array(&self) -> bool {
        if !self.state.is_integer(-2) {
            return false;
        }
        let key = self.state.to_integer(-2);
        key == 1 || key > 1 && key <= self.state.raw_len(-3) as lua_Integer
    }

    /// Calls the function at the top of the stack, `__len`, and pops it.
    fn len_of_metamethod(&self) -> lua_Integer {
        let state = self.state;
        state.push_copy(-2);
        state.call(1, 1);
        if !state.is_integer(-1) {
            state.error(c"__len should return integer");
        }
        let len = state.to_integer(-1);
        state.pop(1);
        len
    }

    /// The first `count` values of the table at the top of the stack.
    fn array(&mut self, count: lua_Integer, get: Get<'a>, depth: u32) {
        let state = self.state;
        let start = self.open();
        let table = state.top();
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
            state.set_top(table);
        }
        self.close(start);
    }

    /// The pairs of the table below the key at the top of the stack that follow this key, which is popped.
    #[inline(always)]
    fn pairs(&mut self, depth: u32) {
        while self.state.next(-2) {
            self.pair(depth);
        }
    }

    /// Writes the pair at the top of the stack and pops its value.
    #[inline(always)]
    fn pair(&mut self, depth: u32) {
        let state = self.state;
        match state.kind(-2) {
            LUA_TSTRING => {
                let key = Text::new(state.to_bytes(-2).unwrap_or_default());
                self.value(key, state.kind(-1), depth);
            }
            LUA_TNUMBER => state.error(c"Bson dictionary's key can't be number"),
            kind => {
                let name = state.type_name(kind);
                state.error_with(format_args!("Invalid key type : {name}"));
            }
        }
        state.pop(1);
    }

    /// The pairs that the function at the top of the stack, `__pairs`, gives for the value below it; pops the function.
    fn pairs_of_metamethod(&mut self, depth: u32) {
        let state = self.state;
        state.push_copy(-2);
        state.call(1, 3);
        let control = state.top();
        loop {
            state.push_copy(control - 2);
            state.push_copy(control - 1);
            state.push_copy(control);
            state.call(2, 2);
            if state.kind(-2) == LUA_TNIL {
                break;
            }
            self.pair(depth);
            state.copy(-1, control);
            state.pop(1);
        }
        state.set_top(control - 3);
    }
}

/// `lua_geti`, or `lua_rawgeti` where there are no metamethods.
type Get<'a> = fn(State<'a>, c_int, lua_Integer) -> c_int;
