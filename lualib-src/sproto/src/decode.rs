//! Messages to Lua tables. Any bytes are safe to read; tables are in proportion to them.

use std::ffi::c_int;

use mlua_sys::{LUA_TNIL, LUA_TTABLE, lua_Integer};
use skynet_support::State;
use skynet_support::state::Shown;

use crate::schema::{Field, Kind, Type};
use crate::wire::{Array, Head, piece};
use crate::{MAX_DEPTH, check_type, message};

/// Free places on Lua's stack that a struct needs.
const STACK: c_int = 16;

/// `decode(type, message [, size] [, table])`: the table, a new one unless it is given, with the fields of the message, and
/// how many bytes were read: what follows them belongs to the caller. Tags that the type does not have are passed over.
/// The message is a string, or a userdata and its size. Nothing for a null type. Raises an error for damaged messages.
pub fn decode(state: State<'_>) -> c_int {
    if state.to_userdata(1).is_null() {
        return 0;
    }
    let ty = check_type(state);
    let message = message(state, 2);
    if state.kind(-1) != LUA_TTABLE {
        let size = Head::of(message).map_or(0, |head| table_size(ty, &head));
        state.create_table(0, size);
    }
    let table = state.top();
    let target = Target::Table {
        table,
        key: None,
        slot: 0,
    };
    let Some(read) = structure(state, ty, message, target, 0) else {
        state.error(c"decode error");
    };
    state.set_top(table);
    state.push_integer(read as lua_Integer);
    2
}

/// Where the values of a struct go; indices on the stack.
#[derive(Clone, Copy)]
enum Target {
    /// A table, by name; the value of the field with the tag `key` into `slot` too.
    Table {
        table: c_int,
        key: Option<i32>,
        slot: c_int,
    },
    /// The first two fields.
    Pair(c_int, c_int),
}

/// Fields that a struct can have in the end.
#[inline(always)]
fn table_size(ty: &Type, head: &Head) -> c_int {
    head.values().min(ty.fields.len()) as c_int
}

/// Reads a struct at the beginning of `bytes`; returns its size. `None`: it is damaged.
fn structure(
    state: State<'_>,
    ty: &Type,
    bytes: &[u8],
    target: Target,
    depth: u32,
) -> Option<usize> {
    let head = Head::of(bytes)?;
    let mut rest = head.data;
    let mut tag = -1;
    state.reserve(STACK);
    for word in head.words() {
        tag += 1;
        if word & 1 != 0 {
            tag += i32::from(word / 2);
            continue;
        }
        let data = match word {
            0 => Some(piece(&mut rest)?),
            _ => None,
        };
        let Some((place, field)) = ty.field(tag) else {
            continue;
        };
        if depth >= MAX_DEPTH {
            state.error(c"The table is too deep");
        }
        match data {
            None => {
                let plain = !field.is_array
                    && matches!(field.kind, Kind::Integer | Kind::Decimal(_) | Kind::Boolean);
                if !plain {
                    return None;
                }
                push_number(state, field.kind, i64::from(word / 2) - 1);
            }
            Some(data) if field.is_array => array(state, field, data, depth)?,
            Some(data) => scalar(state, field.kind, data, depth)?,
        }
        store(state, target, place, field);
    }

    Some(bytes.len() - rest.len())
}

/// Pops the value of a field.
#[inline(always)]
fn store(state: State<'_>, target: Target, place: usize, field: &Field) {
    match (target, place) {
        (Target::Table { table, key, slot }, _) => {
            if key == Some(field.tag) && !field.is_array {
                state.copy(-1, slot);
            }
            state.set_field(table, &field.name);
            return;
        }
        (Target::Pair(key, _), 0) => state.copy(-1, key),
        (Target::Pair(_, value), 1) => state.copy(-1, value),
        (Target::Pair(..), _) => {}
    }
    state.pop(1);
}

#[inline(always)]
fn push_number(state: State<'_>, kind: Kind, value: i64) {
    match kind {
        Kind::Decimal(factor) => state.push_number(value as f64 / f64::from(factor)),
        Kind::Double => state.push_number(f64::from_bits(value as u64)),
        Kind::Boolean => state.push_boolean(value != 0),
        Kind::Integer | Kind::Text | Kind::Binary | Kind::Struct(_) => {
            state.push_integer(value);
        }
    }
}

/// Pushes what a piece of data is.
#[inline(always)]
fn scalar(state: State<'_>, kind: Kind, data: &[u8], depth: u32) -> Option<()> {
    match kind {
        Kind::Integer | Kind::Decimal(_) | Kind::Double => {
            let value = match (<[u8; 4]>::try_from(data), <[u8; 8]>::try_from(data)) {
                (Ok(narrow), _) => i32::from_le_bytes(narrow).into(),
                (_, Ok(wide)) => i64::from_le_bytes(wide),
                _ => return None,
            };
            push_number(state, kind, value);
        }
        Kind::Text | Kind::Binary => state.push_bytes(data),
        Kind::Struct(ty) => {
            push_table(state, &ty, data);
            let target = Target::Table {
                table: state.top(),
                key: None,
                slot: 0,
            };
            whole(state, &ty, data, target, depth)?;
        }
        // One is always a word.
        Kind::Boolean => return None,
    }

    Some(())
}

/// Pushes an empty table for a struct.
#[inline(always)]
fn push_table(state: State<'_>, ty: &Type, data: &[u8]) {
    let size = Head::of(data).map_or(0, |head| table_size(ty, &head));
    state.create_table(0, size)
}

/// A struct with nothing behind it.
#[inline(always)]
fn whole(state: State<'_>, ty: &Type, data: &[u8], target: Target, depth: u32) -> Option<()> {
    let read = structure(state, ty, data, target, depth + 1)?;
    (read == data.len()).then_some(())
}

/// Pushes the table of an array.
fn array(state: State<'_>, field: &Field, data: &[u8], depth: u32) -> Option<()> {
    match field.kind {
        Kind::Integer | Kind::Decimal(_) | Kind::Double => {
            numbers(state, field.kind, data)?;
        }
        Kind::Boolean => {
            state.create_table(data.len() as c_int, 0);
            for (index, &byte) in (1..).zip(data) {
                state.push_boolean(byte != 0);
                state.raw_set_i(-2, index);
            }
        }
        Kind::Text | Kind::Binary => {
            let elements = Array::of(data)?;
            state.create_table(elements.total() as c_int, 0);
            for (index, element) in (1..).zip(elements) {
                state.push_bytes(element);
                state.raw_set_i(-2, index);
            }
        }
        Kind::Struct(ty) => {
            let elements = Array::of(data)?;
            if field.key.is_some() {
                return by_key(state, field, &ty, elements, depth);
            }
            state.create_table(elements.total() as c_int, 0);
            let table = state.top() + 1;
            let target = Target::Table {
                table,
                key: None,
                slot: 0,
            };
            for (index, element) in (1..).zip(elements) {
                push_table(state, &ty, element);
                whole(state, &ty, element, target, depth)?;
                state.raw_set_i(-2, index);
            }
        }
    }

    Some(())
}

fn numbers(state: State<'_>, kind: Kind, data: &[u8]) -> Option<()> {
    let Some((size, data)) = data.split_first().filter(|(_, data)| !data.is_empty()) else {
        state.create_table(0, 0);
        return Some(());
    };
    match size {
        4 => {
            let (values, rest) = data.as_chunks::<4>();
            let values = values.iter().map(|bytes| i32::from_le_bytes(*bytes).into());
            rest.is_empty().then(|| fill(state, kind, values))
        }
        8 => {
            let (values, rest) = data.as_chunks::<8>();
            let values = values.iter().map(|bytes| i64::from_le_bytes(*bytes));
            rest.is_empty().then(|| fill(state, kind, values))
        }
        _ => None,
    }
}

#[inline(always)]
fn fill(state: State<'_>, kind: Kind, values: impl ExactSizeIterator<Item = i64>) {
    state.create_table(values.len() as c_int, 0);
    for (index, value) in (1..).zip(values) {
        push_number(state, kind, value);
        state.raw_set_i(-2, index);
    }
}

/// Pushes a table of the elements by their keys.
fn by_key(state: State<'_>, field: &Field, ty: &Type, elements: Array, depth: u32) -> Option<()> {
    state.create_table(0, elements.total() as c_int);
    let table = state.top();
    let (key, value) = (table + 1, table + 2);
    for element in elements {
        state.push_nil();
        if field.is_map {
            state.push_nil();
            whole(state, ty, element, Target::Pair(key, value), depth)?;
            if state.kind(key) == LUA_TNIL {
                state.error_with(format_args!("Can't find key field in [{}]", shown(field)));
            }
            if state.kind(value) == LUA_TNIL {
                state.error_with(format_args!("Can't find value field in [{}]", shown(field)));
            }
        } else {
            push_table(state, ty, element);
            let target = Target::Table {
                table: value,
                key: field.key,
                slot: key,
            };
            whole(state, ty, element, target, depth)?;
            if state.kind(key) == LUA_TNIL {
                let tag = field.key.unwrap_or(-1);
                state.error_with(format_args!(
                    "Can't find main index (tag={tag}) in [{}]",
                    shown(field)
                ));
            }
        }
        state.raw_set(table);
    }

    Some(())
}

fn shown(field: &Field) -> Shown<'_> {
    Shown(field.name.to_bytes())
}
