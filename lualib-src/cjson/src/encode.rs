//! Lua values to text.

use std::ffi::{CStr, c_int};

use mlua_sys::{
    LUA_TBOOLEAN, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer,
    lua_upvalueindex,
};
use skynet_support::State;
use skynet_support::buffer::{Buffer, Limit, Place};
use skynet_support::state::Shown;

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
    before: "JSON text is too large (>",
    behind: ")",
};

/// `encode(value)`: its text, in one line unless `encode_indent` says otherwise. A table whose keys are positive integers is an
/// array; so is one with the metatable `array_mt`, an empty one with `empty_array_mt`, and one with `__len`. Others are objects.
/// Raises an error for what JSON has no form of.
pub fn encode(state: State<'_>) -> c_int {
    let mut small = Place::<SMALL>::new();
    let mut outer = Place::<{ containers::SMALL }>::new();
    check_one_argument(state);
    let config = *config::current(state);
    // The text stays on the stack: it might be replaced on the way.
    config::push_indent(state);
    let indent: &[u8] = if config.has_indent {
        state.to_bytes(-1).unwrap_or_default()
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
    state.push_copy(1);
    encoder.text();
    state.push_bytes(encoder.out.bytes());
    encoder.outer.close();
    if config.keep_buffer {
        encoder.out.close();
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
    state: State<'a>,
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
    fn text(&mut self) {
        let mut top = Container {
            kind: Kind::Text,
            has_pair: false,
            comma: false,
            slot: 0,
            index: 0,
            start: 0,
        };
        if self.state.kind(-1) != LUA_TTABLE {
            self.scalar();
            return;
        }
        self.open(&mut top);
        while !matches!(top.kind, Kind::Text) {
            if !self.next(&mut top) {
                self.close(&mut top);
            } else if self.state.kind(-1) == LUA_TTABLE {
                self.open(&mut top);
            } else if !self.scalar() {
                let (len, comma) = self.mark;
                self.out.truncate(len);
                top.comma = comma;
            }
        }
    }

    /// Begins the table at the top of the stack: `top` is that one from now on, unless it is written at once.
    #[inline(always)]
    fn open(&mut self, top: &mut Container) {
        let state = self.state;
        let depth = self.outer.len() + 1;
        if depth > self.config.encode_max_depth as u32 || !state.try_reserve(STACK) {
            state.error_with(format_args!(
                "Cannot serialise, excessive nesting ({depth})"
            ));
        }
        let slot = state.top();
        let start = self.out.len();
        let (kind, has_pair) = if state.get_metatable(slot) {
            state.set_top(slot);
            (self.general(slot), false)
        } else {
            state.push_nil();
            if !state.next(slot) {
                let empty = if self.config.empty_table_as_object {
                    b"{}"
                } else {
                    b"[]"
                };
                return self.out.put(*empty);
            }
            if state.kind(-2) != LUA_TNUMBER {
                (Kind::Object, true)
            } else if self.key_is(1) {
                (Kind::Sequence, true)
            } else {
                state.set_top(slot);
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

    /// The kind of the table in `slot`, the top of the stack, by all that decides it. An object has a first key above it then.
    #[cold]
    fn general(&mut self, slot: c_int) -> Kind {
        match table::shape(self.state, &self.config, slot) {
            Shape::Array { count, raw } => Kind::Array { count, raw },
            Shape::Object => {
                self.state.push_nil();
                Kind::Object
            }
        }
    }

    fn bracket(&mut self, kind: Kind) {
        self.out.put(if let Kind::Object = kind {
            *b"{"
        } else {
            *b"["
        })
    }

    /// Whether the key of the pair at the top of the stack is the integer `key`.
    #[inline(always)]
    fn key_is(&self, key: lua_Integer) -> bool {
        self.state.is_integer(-2) && self.state.to_integer(-2) == key
    }

    /// Pushes the next value of `top`, in place of the last one, and writes what comes before it. False if there is none.
    #[inline(always)]
    fn next(&mut self, top: &mut Container) -> bool {
        let state = self.state;
        // The stack is as `Kind` says, with room for a pair and more.
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
                    && (state.kind(-1) != LUA_TTABLE || self.is_sequence(top));
                if !right {
                    return self.begin_again(top);
                }
                self.separate(top);
                true
            }
            Kind::Array { count, raw } => {
                state.set_top(top.slot);
                if top.index >= count {
                    return false;
                }
                self.separate(top);
                if raw {
                    state.raw_get_i(top.slot, top.index);
                } else {
                    state.get_i(top.slot, top.index);
                }
                true
            }
        }
    }

    #[inline(always)]
    fn next_pair(&self, top: &mut Container) -> bool {
        if top.has_pair {
            top.has_pair = false;
            return true;
        }
        // The key of the last pair is above the table.
        self.state.set_top(top.slot + 1);
        self.state.next(top.slot)
    }

    /// Whether the keys that follow the pair at the top of the stack go on as in a sequence: `top` is an array then.
    #[cold]
    fn is_sequence(&self, top: &mut Container) -> bool {
        let state = self.state;
        let mut count = top.index + 1;
        state.push_copy(-2);
        while state.next(top.slot) {
            count += 1;
            if !self.key_is(count) {
                return false;
            }
            state.pop(1);
        }
        // The value takes the place of the key.
        state.replace(top.slot + 1);

        top.kind = Kind::Array { count, raw: true };
        true
    }

    /// `top` is no sequence: drops what was written of it, and does as `next`.
    #[cold]
    fn begin_again(&mut self, top: &mut Container) -> bool {
        self.out.truncate(top.start);
        self.state.set_top(top.slot);
        top.kind = self.general(top.slot);
        top.index = 0;
        top.comma = false;
        self.bracket(top.kind);
        self.next(top)
    }

    /// What stands between values.
    #[inline(always)]
    fn separate(&mut self, top: &mut Container) {
        top.index += 1;
        self.mark = (self.out.len(), top.comma);
        if top.comma {
            self.out.put(*b",");
        }
        top.comma = true;
        if !self.indent.is_empty() {
            self.line(self.outer.len());
        }
    }

    #[cold]
    fn line(&mut self, depth: u32) {
        self.out.put(*b"\n");
        for _ in 0..depth {
            self.out.extend(self.indent);
        }
    }

    /// Ends `top`, whose table is at the top of the stack then as a value that is written.
    #[inline(always)]
    fn close(&mut self, top: &mut Container) {
        if top.index > 0 && !self.indent.is_empty() {
            self.line(self.outer.len() - 1);
        }
        self.out.put(if let Kind::Object = top.kind {
            *b"}"
        } else {
            *b"]"
        });

        *top = self.outer.pop();
    }

    /// Writes the key of the pair at the top of the stack.
    #[inline(always)]
    fn key(&mut self) {
        let state = self.state;
        // A number is not changed into a string, which `next` would not know.
        match state.kind(-2) {
            LUA_TSTRING => {
                let key = state.to_bytes(-2).unwrap_or_default();
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

    /// Writes the value at the top of the stack, which is no table. False if that is to be left out.
    #[inline(always)]
    fn scalar(&mut self) -> bool {
        let state = self.state;
        match state.kind(-1) {
            LUA_TSTRING => {
                let text = state.to_bytes(-1).unwrap_or_default();
                string::write(&mut self.out, text, self.escapes);
            }
            LUA_TNUMBER => self.number(-1),
            LUA_TBOOLEAN if state.to_boolean(-1) => self.out.put(*b"true"),
            LUA_TBOOLEAN => self.out.put(*b"false"),
            LUA_TNIL => self.out.put(*b"null"),
            ty => return self.odd(ty),
        }

        true
    }

    #[cold]
    fn odd(&mut self, ty: c_int) -> bool {
        if ty == LUA_TLIGHTUSERDATA {
            let pointer = self.state.to_userdata(-1).cast_const();
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

        false
    }

    #[inline(always)]
    fn number(&mut self, index: c_int) {
        if self.state.is_integer(index) {
            let integer = self.state.to_integer(index);
            let mut text = itoa::Buffer::new();
            self.out.extend(text.format(integer).as_bytes());
        } else {
            self.real(self.state.to_number(index));
        }
    }

    fn real(&mut self, value: f64) {
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

    #[cold]
    fn refuse(&self, ty: c_int, why: &CStr) -> ! {
        refuse(self.state, ty, why)
    }
}

/// Raises an error about a value of type `ty`.
#[cold]
pub fn refuse(state: State<'_>, ty: c_int, why: &CStr) -> ! {
    let (kind, why) = (state.type_name(ty), Shown(why.to_bytes()));
    state.error_with(format_args!("Cannot serialise {kind}: {why}"))
}
