//! Changing values of a document in place.
//!
//! `makeindex` leaves a table in the document's user value: name to `type | place << 5`, place from the beginning.

use std::ffi::CStr;
use std::slice;

use libc::c_int;
use mlua_sys::{LUA_TNUMBER, LUA_TTABLE, lua_Integer, luaL_error};
use skynet_support::State;
use skynet_support::state::Shown;

use crate::date::Date;
use crate::reader::{self, Problem, Reader};
use crate::{DOCUMENT, decode, kind};

/// Bits of the type in an entry of the index. All types that are in it fit.
const KIND_BITS: u32 = 5;

/// Bytes of a value that can be replaced.
fn size(kind: u8) -> Option<usize> {
    Some(match kind {
        kind::REAL | kind::INT64 | kind::DATE | kind::TIMESTAMP => 8,
        kind::OBJECT_ID => 12,
        kind::INT32 => 4,
        kind::BOOLEAN => 1,
        _ => return None,
    })
}

/// The bytes of the document at argument 1.
fn document(state: State<'_>) -> &mut [u8] {
    let start: *mut u8 = state.check_userdata(1, DOCUMENT);
    // SAFETY: a document of this module is a block of its own that Lua keeps; no other reference to it is in use.
    unsafe { slice::from_raw_parts_mut(start, state.raw_len(1)) }
}

/// `document:makeindex()`: makes its numbers, booleans, dates, timestamps and object ids replaceable; returns the document.
/// Of elements with the same name the last one counts.
pub fn makeindex(state: State<'_>) -> c_int {
    let held = document(state);
    state.set_top(1);
    state.create_table(0, 0);
    if let Err(problem) = fill(state, held) {
        decode::raise(state, problem);
    }
    state.set_user_value(1, 1);
    1
}

/// Fills the table at the top of the stack.
fn fill(state: State<'_>, held: &[u8]) -> Result<(), Problem> {
    let document = reader::document(held)?;
    let mut reader = Reader::elements(document);
    while let Some((kind, name)) = reader.element()? {
        // The zero at the end is no element's.
        let place = document.len() - 1 - reader.left();
        reader.skip(kind)?;
        if size(kind).is_some() {
            let entry = lua_Integer::from(kind) | (place as lua_Integer) << KIND_BITS;
            state.push_bytes(name);
            state.push_integer(entry);
            state.raw_set(-3);
        }
    }
    Ok(())
}

/// `document[name] = value`: replaces a value by one of the same type. Raises an error for another type, and for a name
/// that `makeindex` has not found.
pub fn replace(state: State<'_>) -> c_int {
    let held = document(state);
    state.set_top(3);
    if state.get_user_value(1, 1) != LUA_TTABLE {
        state.error(c"call makeindex first");
    }
    state.push_copy(2);
    if state.raw_get(-2) != LUA_TNUMBER {
        let name = Shown(state.to_bytes(2).unwrap_or(b"(null)"));
        state.error_with(format_args!("Can't replace key : {name}"));
    }
    let entry = state.to_integer(-1);
    let kind = (entry & ((1 << KIND_BITS) - 1)) as u8;
    let place = usize::try_from(entry >> KIND_BITS).unwrap_or(usize::MAX);
    let value = size(kind)
        .zip(held.get_mut(place..))
        .and_then(|(size, rest)| rest.get_mut(..size));
    let Some(value) = value else {
        state.error_with(format_args!("Can't replace type {kind}"));
    };
    match kind {
        kind::REAL => set(value, state.check_number(3).to_le_bytes()),
        kind::BOOLEAN => set(value, [u8::from(state.to_boolean(3))]),
        kind::INT32 => {
            let number = i32::try_from(integer(state, c"%f must be a 32bit integer "));
            let Ok(number) = number else {
                not_integer(state, c"%f must be a 32bit integer ");
            };
            set(value, number.to_le_bytes());
        }
        kind::INT64 => {
            let number = integer(state, c"%f must be a 64bit integer ");
            set(value, number.to_le_bytes());
        }
        _ => replace_object(state, kind, value),
    }
    0
}

fn set<const N: usize>(value: &mut [u8], new: [u8; N]) {
    // The size is the type's.
    if let Ok(value) = <&mut [u8; N]>::try_from(value) {
        *value = new;
    }
}

/// Argument 3.
fn integer(state: State<'_>, otherwise: &CStr) -> lua_Integer {
    if !state.is_integer(3) {
        not_integer(state, otherwise);
    }
    state.to_integer(3)
}

#[cold]
fn not_integer(state: State<'_>, text: &CStr) -> ! {
    // SAFETY: a number, as the format has it; it does not return.
    unsafe {
        luaL_error(state.raw(), text.as_ptr(), state.to_number(3));
        std::hint::unreachable_unchecked()
    }
}

/// By a string that stands for a value of the same type.
fn replace_object(state: State<'_>, kind: u8, value: &mut [u8]) {
    let text = state.check_bytes(3);
    let new = match text {
        [0, other, new @ ..] if *other == kind && text.len() >= 6 => new,
        _ => state.error_with(format_args!("Type mismatch, need bson type {kind}")),
    };
    let wrong = match kind {
        kind::DATE => match Date::read(new) {
            Some(Date(milliseconds)) => {
                set(value, milliseconds.to_le_bytes());
                return;
            }
            None => c"Invalid date",
        },
        kind::TIMESTAMP => c"Invalid timestamp",
        _ => c"Invalid object id",
    };
    if new.len() != value.len() {
        state.error(wrong);
    }
    value.copy_from_slice(new);
}
