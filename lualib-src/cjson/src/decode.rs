//! Text to Lua values.

use std::ffi::c_int;
use std::{fmt, ptr};

use mlua_sys::{lua_Integer, lua_upvalueindex};
use skynet_support::State;
use skynet_support::buffer::{Buffer, Limit, Place};
use skynet_support::state::Shown;

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
    before: "string is too large (>",
    behind: ")",
};

/// `decode(text)`: the value. null is `cjson.null`; a number without fraction and exponent is an integer if it fits 64 bits,
/// otherwise a float. Of equal keys in an object the last counts. Raises an error that names the place where the text is wrong.
pub fn decode(state: State<'_>) -> c_int {
    let mut small = Place::<SMALL>::new();
    let mut outer = Place::<{ containers::SMALL }>::new();
    check_one_argument(state);
    let text = state.check_bytes(1);
    if let [0, _, ..] | [_, 0, ..] = text {
        state.error(c"JSON parser does not support UTF-16 or UTF-32");
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
    state: State<'a>,
    scanner: Scanner<'a>,
    config: Config,
    outer: Containers<'a, Container>,
    escaped: Buffer<'a>,
}

impl Decoder<'_> {
    /// Reads all of the text, and pushes its value.
    fn text(&mut self) {
        let mut top = Container {
            kind: Kind::Text,
            has_table: false,
            slot: 0,
            pending: 0,
            room: 1,
            stored: 0,
        };
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

    /// Nothing may follow the value of the text.
    fn end(&mut self) {
        self.scanner.skip_blanks();
        if self.scanner.at < self.scanner.text.len() {
            self.unexpected("the end")
        }
    }

    /// Pushes the value that is next. False if an array or object begins, whose first value is next then.
    #[inline(always)]
    fn value(&mut self, top: &mut Container) -> bool {
        let state = self.state;
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
                Err(problem) => self.raise("value", problem),
            },
            b't' if self.scanner.word(b"true") => state.push_boolean(true),
            b'f' if self.scanner.word(b"false") => state.push_boolean(false),
            b'n' if self.scanner.word(b"null") => state.push_light(ptr::null::<u8>()),
            _ => self.odd_value(),
        }

        true
    }

    /// After a value of `top`, an array or object: true if another one is next, false if `top` has ended, which is a value of
    /// what is `top` then.
    #[inline(always)]
    fn next(&mut self, top: &mut Container) -> bool {
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
            (Kind::Array, _) => self.unexpected("comma or array end"),
            _ => self.unexpected("comma or object end"),
        }

        false
    }

    #[inline(always)]
    fn push_number(&self, number: Number) {
        match number {
            Number::Integer(integer) => self.state.push_integer(integer),
            Number::Real(real) => self.state.push_number(real),
        }
    }

    /// What begins like no value: a number that is not JSON's, or an error.
    #[cold]
    fn odd_value(&mut self) {
        use crate::scan::Token;
        match self.scanner.token() {
            Ok((Token::Number(number), _)) => self.push_number(number),
            Ok((token, at)) => self.raise(
                "value",
                Problem {
                    text: token.name(),
                    at,
                },
            ),
            Err(problem) => self.raise("value", problem),
        }
    }

    /// Pushes the string whose first quote has been read.
    #[inline(always)]
    fn string(&mut self) {
        match self.scanner.plain_string() {
            Some(string) => self.state.push_bytes(string),
            None => self.escaped_string("value"),
        }
    }

    #[inline(never)]
    fn escaped_string(&mut self, expected: &str) {
        let escaped = &mut self.escaped;
        escaped.truncate(0);
        match string::unescape(&mut self.scanner, &mut Unescaped(escaped)) {
            Ok(()) => self.state.push_bytes(self.escaped.bytes()),
            Err(problem) => self.raise(expected, problem),
        }
    }

    /// Pushes a key, and reads the colon behind it.
    #[inline(always)]
    fn key(&mut self) {
        const EXPECTED: &str = "object key string";
        if self.scanner.peek() != b'"' {
            self.unexpected(EXPECTED);
        }
        self.scanner.at += 1;
        match self.scanner.plain_string() {
            Some(key) => self.state.push_bytes(key),
            None => self.escaped_string(EXPECTED),
        }
        self.scanner.skip_blanks();
        if self.scanner.peek() != b':' {
            self.unexpected("colon");
        }
        self.scanner.at += 1;
    }

    /// Reads a bracket: `top` is what it opens from now on.
    #[inline(always)]
    fn open(&mut self, top: &mut Container, kind: Kind) {
        let state = self.state;
        let values = if kind == Kind::Object {
            2 * FIRST_ROOM
        } else {
            FIRST_ROOM
        };
        self.scanner.at += 1;
        let depth = self.outer.len() + 1;
        if depth > self.config.decode_max_depth as u32
            || !state.try_reserve(values as c_int + SPARE)
        {
            self.too_deep(depth);
        }
        self.outer.push(*top);
        state.push_nil();
        *top = Container {
            kind,
            has_table: false,
            slot: state.top(),
            pending: 0,
            room: FIRST_ROOM,
            stored: 0,
        };
    }

    #[cold]
    fn too_deep(&self, depth: u32) -> ! {
        let at = self.scanner.at;
        self.state.error_with(format_args!(
            "Found too many nested data structures ({depth}) at character {at}{}",
            At(self.scanner.text, at - 1)
        ))
    }

    /// There are as many values of `top` on the stack as there is room for.
    #[cold]
    fn make_room(&mut self, top: &mut Container) {
        if top.pending >= MOST_ROOM {
            self.store(top);
            return;
        }
        let more = if top.kind == Kind::Object {
            2 * top.room
        } else {
            top.room
        };
        if !self.state.try_reserve(more as c_int + SPARE) {
            // It is nearly full: do with what there is.
            self.store(top);
            return;
        }
        top.room *= 2;
    }

    /// Moves the values of `top` from the stack to its table, which is made if there is none.
    #[inline(always)]
    fn store(&self, top: &mut Container) {
        let state = self.state;
        let (slot, pending) = (top.slot, top.pending as c_int);
        // The stack is as `Container` says, with SPARE places above.
        if top.kind == Kind::Array {
            if !top.has_table {
                state.create_table(pending, 0);
                state.replace(slot);
            }
            for index in (1..=pending).rev() {
                state.raw_set_i(slot, top.stored + lua_Integer::from(index));
            }
        } else {
            if !top.has_table {
                state.create_table(0, pending);
                state.replace(slot);
            }
            // In the order of the text: the last of equal keys counts.
            for pair in 0..pending - 1 {
                state.push_copy(slot + 2 * pair + 1);
                state.push_copy(slot + 2 * pair + 2);
                state.raw_set(slot);
            }
            if pending > 0 {
                state.raw_set(slot);
            }
            state.set_top(slot);
        }
        top.has_table = true;
        top.stored += lua_Integer::from(pending);
        top.pending = 0;
    }

    /// Reads a bracket that ends `top`, whose table is at the top of the stack then; `top` is what is around it.
    #[inline(always)]
    fn close(&mut self, top: &mut Container) {
        self.scanner.at += 1;
        self.store(top);
        if top.kind == Kind::Array && self.config.array_with_array_mt {
            push_array_mt(self.state);
            self.state.set_metatable(-2);
        }

        *top = self.outer.pop();
    }

    /// Raises an error about what is next instead of `expected`.
    #[cold]
    fn unexpected(&mut self, expected: &str) -> ! {
        let problem = match self.scanner.token() {
            Ok((token, at)) => Problem {
                text: token.name(),
                at,
            },
            Err(problem) => problem,
        };
        self.raise(expected, problem)
    }

    #[cold]
    fn raise(&self, expected: &str, problem: Problem) -> ! {
        self.state.error_with(format_args!(
            "Expected {expected} but found {} at character {}{}",
            Shown(problem.text.to_bytes()),
            problem.at + 1,
            At(self.scanner.text, problem.at)
        ))
    }
}

/// A string that is put together.
struct Unescaped<'a, 'b>(&'a mut Buffer<'b>);

impl Sink for Unescaped<'_, '_> {
    #[inline(always)]
    fn run(&mut self, text: &[u8], start: usize, end: usize) {
        const SHORT: usize = 16;
        match text
            .get(start..)
            .and_then(|rest| rest.first_chunk::<SHORT>())
        {
            // SAFETY: there is room for the block. What is copied too much is not counted.
            Some(block) if end - start <= SHORT => unsafe {
                self.0
                    .room(SHORT)
                    .cast::<[u8; SHORT]>()
                    .write_unaligned(*block);
                self.0.advance(end - start);
            },
            _ => self.0.extend(&text[start..end]),
        }
    }

    #[inline(always)]
    fn escape(&mut self, bytes: &[u8]) {
        match bytes {
            &[byte] => self.0.put([byte]),
            _ => self.0.extend(bytes),
        }
    }
}

/// Where the byte of a text is, for a message: line and column; nothing on the first line, where the column is the character.
struct At<'a>(&'a [u8], usize);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match line_and_column(self.0, self.1) {
            (1, _) => Ok(()),
            (line, column) => write!(f, " (line {line}, column {column})"),
        }
    }
}
