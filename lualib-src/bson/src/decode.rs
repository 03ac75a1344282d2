//! Documents to tables.

use libc::c_int;
use mlua_sys::lua_Integer;
use skynet_support::State;

use crate::date::Date;
use crate::reader::{Problem, Reader};
use crate::{document_at, kind, object};

/// Documents within documents, at most: more of them could only exhaust the C stack. MongoDB allows 100.
const MAX_DEPTH: u32 = 1000;
/// Free places on Lua's stack that a document needs.
const STACK: c_int = 16;

/// `decode(document)`: a table. An array becomes a table with integer keys. Nothing for nil or a null pointer; a string is
/// no document. Raises an error when the document is damaged.
pub fn decode(state: State<'_>) -> c_int {
    let Some(document) = document_at(state, 1) else {
        return 0;
    };
    match document {
        Ok(document) => table(state, document, false, 0),
        Err(problem) => raise(state, problem),
    }
    1
}

/// Raises an error that names the problem.
#[cold]
pub fn raise(state: State<'_>, problem: Problem) -> ! {
    match problem {
        Problem::Short { left, wanted } => {
            state.error_with(format_args!("Invalid bson block ({left}:{wanted})"))
        }
        Problem::Name => state.error(c"Invalid bson block : cstring"),
        Problem::End => state.error(c"Invalid document end"),
        Problem::Length(length) => {
            state.error_with(format_args!("Invalid bson string , length = {length}"))
        }
        Problem::Kind(kind) => state.error_with(format_args!("Invalid bson type : {kind}")),
    }
}

/// The value, or an error.
macro_rules! sound {
    ($state:expr, $value:expr) => {
        match $value {
            Ok(value) => value,
            Err(problem) => raise($state, problem),
        }
    };
}

/// Pushes a table of `document`'s elements.
fn table(state: State<'_>, document: &[u8], is_array: bool, depth: u32) {
    if depth > MAX_DEPTH {
        state.error(c"Too depth while decoding bson");
    }
    state.reserve(STACK);
    let mut reader = Reader::elements(document);
    // An element has two bytes at least, so the table is in proportion to the document.
    let count = c_int::try_from(reader.count()).unwrap_or(0);
    if is_array {
        state.create_table(count, 0);
        while let Some((kind, name)) = sound!(state, reader.element()) {
            value(state, &mut reader, kind, depth);
            state.raw_set_i(-2, array_index(name));
        }
    } else {
        state.create_table(0, count);
        while let Some((kind, name)) = sound!(state, reader.element()) {
            state.push_bytes(name);
            value(state, &mut reader, kind, depth);
            state.raw_set(-3);
        }
    }
}

/// Pushes the body of an element of type `kind`.
#[inline(always)]
fn value(state: State<'_>, reader: &mut Reader, kind: u8, depth: u32) {
    match kind {
        kind::INT32 => state.push_integer(sound!(state, reader.int()).into()),
        kind::STRING => state.push_bytes(sound!(state, reader.text())),
        kind::REAL => state.push_number(sound!(state, reader.real())),
        kind::INT64 => state.push_integer(sound!(state, reader.long())),
        kind::BOOLEAN => state.push_boolean(sound!(state, reader.boolean())),
        kind::DOCUMENT | kind::ARRAY => {
            let document = sound!(state, reader.document());
            table(state, document, kind == kind::ARRAY, depth + 1);
        }
        _ => uncommon(state, reader, kind),
    }
}

/// The types that become strings.
fn uncommon(state: State<'_>, reader: &mut Reader, kind: u8) {
    match kind {
        kind::NULL | kind::UNDEFINED | kind::MIN_KEY | kind::MAX_KEY => {
            object::push(state, kind, &[])
        }
        kind::OBJECT_ID => object::push(state, kind, &sound!(state, reader.object_id())),
        kind::DATE => {
            let date = Date(sound!(state, reader.long()));
            let exact = date.millisecond() != 0 && object::dates_are_exact(state);
            object::push(state, kind, date.form(exact).bytes());
        }
        kind::DECIMAL128 => {
            object::push_parts(state, kind, &[&sound!(state, reader.decimal128())]);
        }
        kind::TIMESTAMP => {
            let increment = sound!(state, reader.int()).to_ne_bytes();
            let seconds = sound!(state, reader.int()).to_ne_bytes();
            object::push_parts(state, kind, &[&increment, &seconds]);
        }
        kind::BINARY => {
            let (subtype, bytes) = sound!(state, reader.binary());
            object::push_parts(state, kind, &[&[subtype], bytes]);
        }
        kind::REGEX => {
            let (pattern, options) = sound!(state, reader.regex());
            object::push_parts(state, kind, &[pattern, &[0], options, &[0]]);
        }
        _ => {
            let bytes = sound!(state, reader.opaque_kind(kind));
            object::push(state, kind, bytes);
        }
    }
}

/// The place in a Lua table that the name of an array's element, a number from 0, stands for. What is no number counts as
/// far as it is one, like C's strtol.
#[inline(always)]
fn array_index(name: &[u8]) -> lua_Integer {
    let mut number: i32 = 0;
    if name.len() <= 9 {
        for &byte in name {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 {
                return odd_index(name);
            }
            number = number * 10 + i32::from(digit);
        }
        return lua_Integer::from(number) + 1;
    }
    odd_index(name)
}

#[cold]
fn odd_index(name: &[u8]) -> lua_Integer {
    let blanks = name
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace() || **byte == 0x0b)
        .count();
    let (negative, digits) = match &name[blanks..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    let mut number: i64 = 0;
    for &byte in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        number = number
            .saturating_mul(10)
            .saturating_add(i64::from(byte - b'0'));
    }
    let number = if negative { -number } else { number };
    // The number is a C int in the end.
    lua_Integer::from(number.wrapping_add(1) as i32)
}

#[cfg(test)]
mod tests {
    use super::array_index;

    #[test]
    fn names_of_array_elements_are_numbers_from_zero() {
        assert_eq!(array_index(b"0"), 1);
        assert_eq!(array_index(b"41"), 42);
        assert_eq!(array_index(b"999999999"), 1_000_000_000);
        assert_eq!(array_index(b"2147483646"), 2_147_483_647);
    }

    #[test]
    fn what_is_no_number_counts_as_far_as_it_is_one() {
        assert_eq!(array_index(b""), 1);
        assert_eq!(array_index(b"x"), 1);
        assert_eq!(array_index(b" 7x"), 8);
        assert_eq!(array_index(b"-3"), -2);
        assert_eq!(array_index(b"+3"), 4);
        assert_eq!(array_index(b"99999999999999999999"), 0);
    }
}
