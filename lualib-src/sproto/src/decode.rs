//! Messages to Lua tables. Any bytes are safe to read; tables are in proportion to them.

use std::ffi::{c_char, c_int};
use std::ptr;

use mlua_sys::{
    LUA_TNIL, LUA_TTABLE, lua_Integer, lua_State, lua_copy, lua_createtable, lua_gettop,
    lua_pushboolean, lua_pushinteger, lua_pushlstring, lua_pushnil, lua_pushnumber, lua_rawset,
    lua_rawseti, lua_setfield, lua_settop, lua_touserdata, lua_type, luaL_checkstack, luaL_error,
};

use crate::schema::{Field, Kind, Type};
use crate::wire::{Array, Head, piece};
use crate::{MAX_DEPTH, check_type, message};

/// Free places on Lua's stack that a struct needs.
const STACK: c_int = 16;

/// `decode(type, message [, size] [, table])`: the table, a new one unless it is given, with the fields of the message, and
/// how many bytes were read: what follows them belongs to the caller. Tags that the type does not have are passed over.
/// The message is a string, or a userdata and its size. Nothing for a null type. Raises an error for damaged messages.
pub unsafe extern "C-unwind" fn decode(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the message stays where it is, and so does the type of a schema in use, by contract.
    unsafe {
        if lua_touserdata(state, 1).is_null() {
            return 0;
        }
        let ty = check_type(state);
        let message = message(state, 2);
        if lua_type(state, -1) != LUA_TTABLE {
            let size = Head::of(message).map_or(0, |head| table_size(ty, &head));
            lua_createtable(state, 0, size);
        }
        let table = lua_gettop(state);
        let target = Target::Table {
            table,
            key: None,
            slot: 0,
        };
        let Some(read) = structure(state, ty, message, target, 0) else {
            return luaL_error(state, c"decode error".as_ptr());
        };
        lua_settop(state, table);
        lua_pushinteger(state, read as lua_Integer);
    }
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
unsafe fn structure(
    state: *mut lua_State,
    ty: &Type,
    bytes: &[u8],
    target: Target,
    depth: u32,
) -> Option<usize> {
    let head = Head::of(bytes)?;
    let mut rest = head.data;
    let mut tag = -1;
    // SAFETY: the stack has room for STACK values after the check; nothing with a destructor is alive.
    unsafe {
        luaL_checkstack(state, STACK, ptr::null());
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
                luaL_error(state, c"The table is too deep".as_ptr());
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
    }
    Some(bytes.len() - rest.len())
}

/// Pops the value of a field.
#[inline(always)]
unsafe fn store(state: *mut lua_State, target: Target, place: usize, field: &Field) {
    // SAFETY: the value is at the top.
    unsafe {
        match (target, place) {
            (Target::Table { table, key, slot }, _) => {
                if key == Some(field.tag) && !field.is_array {
                    lua_copy(state, -1, slot);
                }
                lua_setfield(state, table, field.name.as_ptr());
                return;
            }
            (Target::Pair(key, _), 0) => lua_copy(state, -1, key),
            (Target::Pair(_, value), 1) => lua_copy(state, -1, value),
            (Target::Pair(..), _) => {}
        }
        lua_settop(state, -2);
    }
}

#[inline(always)]
unsafe fn push_number(state: *mut lua_State, kind: Kind, value: i64) {
    // SAFETY: the stack has room for a value.
    unsafe {
        match kind {
            Kind::Decimal(factor) => lua_pushnumber(state, value as f64 / f64::from(factor)),
            Kind::Double => lua_pushnumber(state, f64::from_bits(value as u64)),
            Kind::Boolean => lua_pushboolean(state, (value != 0).into()),
            Kind::Integer | Kind::Text | Kind::Binary | Kind::Struct(_) => {
                lua_pushinteger(state, value);
            }
        }
    }
}

/// Pushes what a piece of data is.
#[inline(always)]
unsafe fn scalar(state: *mut lua_State, kind: Kind, data: &[u8], depth: u32) -> Option<()> {
    // SAFETY: the stack has room for a few values.
    unsafe {
        match kind {
            Kind::Integer | Kind::Decimal(_) | Kind::Double => {
                let value = match (<[u8; 4]>::try_from(data), <[u8; 8]>::try_from(data)) {
                    (Ok(narrow), _) => i32::from_le_bytes(narrow).into(),
                    (_, Ok(wide)) => i64::from_le_bytes(wide),
                    _ => return None,
                };
                push_number(state, kind, value);
            }
            Kind::Text | Kind::Binary => push_string(state, data),
            Kind::Struct(ty) => {
                push_table(state, &*ty, data);
                let target = Target::Table {
                    table: lua_gettop(state),
                    key: None,
                    slot: 0,
                };
                whole(state, &*ty, data, target, depth)?;
            }
            // One is always a word.
            Kind::Boolean => return None,
        }
    }
    Some(())
}

#[inline(always)]
unsafe fn push_string(state: *mut lua_State, text: &[u8]) {
    // SAFETY: the stack has room for a value.
    unsafe {
        lua_pushlstring(state, text.as_ptr().cast::<c_char>(), text.len());
    }
}

/// Pushes an empty table for a struct.
#[inline(always)]
unsafe fn push_table(state: *mut lua_State, ty: &Type, data: &[u8]) {
    let size = Head::of(data).map_or(0, |head| table_size(ty, &head));
    // SAFETY: the stack has room for a value.
    unsafe { lua_createtable(state, 0, size) }
}

/// A struct with nothing behind it.
#[inline(always)]
unsafe fn whole(
    state: *mut lua_State,
    ty: &Type,
    data: &[u8],
    target: Target,
    depth: u32,
) -> Option<()> {
    // SAFETY: as for `structure`.
    let read = unsafe { structure(state, ty, data, target, depth + 1)? };
    (read == data.len()).then_some(())
}

/// Pushes the table of an array.
unsafe fn array(state: *mut lua_State, field: &Field, data: &[u8], depth: u32) -> Option<()> {
    // SAFETY: the stack has room for a few values.
    unsafe {
        match field.kind {
            Kind::Integer | Kind::Decimal(_) | Kind::Double => {
                numbers(state, field.kind, data)?;
            }
            Kind::Boolean => {
                lua_createtable(state, data.len() as c_int, 0);
                for (index, &byte) in (1..).zip(data) {
                    lua_pushboolean(state, (byte != 0).into());
                    lua_rawseti(state, -2, index);
                }
            }
            Kind::Text | Kind::Binary => {
                let elements = Array::of(data)?;
                lua_createtable(state, elements.total() as c_int, 0);
                for (index, element) in (1..).zip(elements) {
                    push_string(state, element);
                    lua_rawseti(state, -2, index);
                }
            }
            Kind::Struct(ty) => {
                let elements = Array::of(data)?;
                if field.key.is_some() {
                    return by_key(state, field, &*ty, elements, depth);
                }
                lua_createtable(state, elements.total() as c_int, 0);
                let table = lua_gettop(state) + 1;
                let target = Target::Table {
                    table,
                    key: None,
                    slot: 0,
                };
                for (index, element) in (1..).zip(elements) {
                    push_table(state, &*ty, element);
                    whole(state, &*ty, element, target, depth)?;
                    lua_rawseti(state, -2, index);
                }
            }
        }
    }
    Some(())
}

unsafe fn numbers(state: *mut lua_State, kind: Kind, data: &[u8]) -> Option<()> {
    // SAFETY: the stack has room for two values.
    unsafe {
        let Some((size, data)) = data.split_first().filter(|(_, data)| !data.is_empty()) else {
            lua_createtable(state, 0, 0);
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
}

#[inline(always)]
unsafe fn fill(state: *mut lua_State, kind: Kind, values: impl ExactSizeIterator<Item = i64>) {
    // SAFETY: the stack has room for two values.
    unsafe {
        lua_createtable(state, values.len() as c_int, 0);
        for (index, value) in (1..).zip(values) {
            push_number(state, kind, value);
            lua_rawseti(state, -2, index);
        }
    }
}

/// Pushes a table of the elements by their keys.
unsafe fn by_key(
    state: *mut lua_State,
    field: &Field,
    ty: &Type,
    elements: Array,
    depth: u32,
) -> Option<()> {
    // SAFETY: the stack has room for a few values. A key and a value are right above the table, so rawset takes them.
    unsafe {
        lua_createtable(state, 0, elements.total() as c_int);
        let table = lua_gettop(state);
        let (key, value) = (table + 1, table + 2);
        for element in elements {
            lua_pushnil(state);
            if field.is_map {
                lua_pushnil(state);
                whole(state, ty, element, Target::Pair(key, value), depth)?;
                if lua_type(state, key) == LUA_TNIL {
                    let text = c"Can't find key field in [%s]";
                    luaL_error(state, text.as_ptr(), field.name.as_ptr());
                }
                if lua_type(state, value) == LUA_TNIL {
                    let text = c"Can't find value field in [%s]";
                    luaL_error(state, text.as_ptr(), field.name.as_ptr());
                }
            } else {
                push_table(state, ty, element);
                let target = Target::Table {
                    table: value,
                    key: field.key,
                    slot: key,
                };
                whole(state, ty, element, target, depth)?;
                if lua_type(state, key) == LUA_TNIL {
                    let text = c"Can't find main index (tag=%d) in [%s]";
                    let tag = field.key.unwrap_or(-1);
                    luaL_error(state, text.as_ptr(), tag, field.name.as_ptr());
                }
            }
            lua_rawset(state, table);
        }
    }
    Some(())
}
