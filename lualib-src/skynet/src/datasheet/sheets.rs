//! The tables of Lua that stand for tables of documents.
//!
//! All functions of the module have one upvalue, the metatable of tables that are not filled. It also holds
//! - [`DOCUMENTS`]: for each document, by address, its tables in Lua, by number; these are collected when they are not used;
//! - [`PLACES`]: for each such table the [`Place`] that it stands for.

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{LUA_TTABLE, LUA_TUSERDATA, lua_Integer, lua_upvalueindex};
use skynet_support::State;

use super::document::{Document, Value};

const DOCUMENTS: lua_Integer = 1;
const PLACES: lua_Integer = 2;

/// What a table stands for.
struct Place {
    document: *const u8,
    number: u32,
}

/// Fills the metatable at the top, see above.
pub(super) fn prepare(state: State<'_>) {
    state.create_table(0, 1);
    state.raw_set_i(-2, DOCUMENTS);
    push_weak(state, c"k");
    state.raw_set_i(-2, PLACES);
}

fn push_weak(state: State<'_>, mode: &CStr) {
    state.create_table(0, 0);
    state.create_table(0, 1);
    state.push_text(mode);
    state.set_field(-2, c"__mode");
    state.set_metatable(-2);
}

fn push_metatable(state: State<'_>) {
    state.push_copy(lua_upvalueindex(1))
}

fn push_part(state: State<'_>, part: lua_Integer) {
    state.raw_get_i(lua_upvalueindex(1), part);
}

/// Pushes the tables of a document.
fn push_tables(state: State<'_>, document: *const u8) {
    push_part(state, DOCUMENTS);
    if state.raw_get_p(-1, document) != LUA_TTABLE {
        state.pop(1);
        push_weak(state, c"v");
        state.push_copy(-1);
        state.raw_set_p(-3, document);
    }
    state.remove(-2);
}

/// Pushes the table of Lua for table `number` of a document, whose tables are at stack index `tables`.
fn push_table(state: State<'_>, tables: c_int, document: Document, number: u32) {
    if document.table(number).is_none() {
        state.error_with(format_args!("Invalid index {number}"));
    }
    let slot = lua_Integer::from(number) + 1;
    if state.raw_get_i(tables, slot) == LUA_TTABLE {
        return;
    }
    state.pop(1);
    state.create_table(0, 0);
    push_metatable(state);
    state.set_metatable(-2);
    state.push_copy(-1);
    state.raw_set_i(tables, slot);
    push_part(state, PLACES);
    state.push_copy(-2);
    let place: *mut Place = state.push_userdata(0);
    // SAFETY: there is room for it.
    unsafe {
        place.write(Place {
            document: document.address(),
            number,
        });
    }
    state.raw_set(-3);
    state.pop(1);
}

/// Pushes the first table of the document at an address.
///
/// # Safety
/// There is one, and it is kept while this module uses it.
pub(super) unsafe fn push_root(state: State<'_>, address: *const u8) {
    push_tables(state, address);
    let tables = state.top();
    // SAFETY: contract of this function.
    push_table(state, tables, unsafe { Document::at(address) }, 0);
}

/// Pushes the [`Place`] of argument 1. Raises if that is none of the tables of this module.
fn push_place(state: State<'_>) -> &mut Place {
    push_part(state, PLACES);
    state.push_copy(1);
    if state.raw_get(-2) != LUA_TUSERDATA {
        state.error_with(format_args!(
            "Invalid proxy table {:p}",
            state.to_pointer(1)
        ));
    }
    state.remove(-2);
    place_at(state, -1)
}

/// The [`Place`] at an index.
fn place_at(state: State<'_>, index: c_int) -> &mut Place {
    // SAFETY: the values of the table of places are made by `push_table`, and used for one access each.
    unsafe { &mut *state.to_userdata(index).cast() }
}

fn push_value(state: State<'_>, tables: c_int, document: Document, value: Value<'_>) {
    match value {
        Value::Nil => state.push_nil(),
        Value::Integer(value) => state.push_integer(value.into()),
        Value::Real(value) => state.push_number(value.into()),
        Value::Boolean(value) => state.push_boolean(value),
        Value::Table(number) => push_table(state, tables, document, number),
        Value::String(text) => {
            state.push_text(text);
        }
    }
}

/// Fills the table in argument 1. Leaves the stack as it was.
pub(super) fn fill(state: State<'_>) {
    let top = state.top();
    let &mut Place { document, number } = push_place(state);
    // SAFETY: `push_root` or `move_on` had that address.
    let document = unsafe { Document::at(document) };
    let Some(table) = document.table(number) else {
        state.error_with(format_args!(
            "Invalid proxy (index = {}, total = {})",
            number,
            document.tables()
        ));
    };
    push_tables(state, document.address());
    let tables = state.top();
    for at in 0..table.array() {
        let Some(value) = table.value(at) else { break };
        push_value(state, tables, document, value);
        state.raw_set_i(1, lua_Integer::from(at) + 1);
    }
    for at in 0..table.pairs() {
        let Some((key, value)) = table.pair(at) else {
            break;
        };
        state.push_text(key);
        push_value(state, tables, document, value);
        state.raw_set(1);
    }
    state.push_nil();
    state.set_metatable(1);
    state.set_top(top);
}

/// Removes all fields of the table at the top.
fn clear(state: State<'_>) {
    state.push_nil();
    while state.next(-2) {
        state.pop(1);
        state.push_copy(-1);
        state.push_nil();
        state.raw_set(-4);
    }
}

/// Moves all tables of the document that argument 1 comes from on to another document, and pushes the place of argument 1.
/// A table that is not in there stays in the list: a later document may have it again.
///
/// # Safety
/// As for [`push_root`].
pub(super) unsafe fn move_on(state: State<'_>, newer: *const u8) {
    let older = push_place(state).document;
    let place = state.top();
    let (metatable, places, older_tables, newer_tables) =
        (place + 1, place + 2, place + 3, place + 4);
    push_metatable(state);
    push_part(state, PLACES);
    push_tables(state, older);
    forget(state, older);
    push_tables(state, newer);
    state.push_nil();
    while state.next(older_tables) {
        state.push_copy(-1);
        if state.raw_get(places) == LUA_TUSERDATA {
            place_at(state, -1).document = newer;
        }
        state.pop(1);
        clear(state);
        state.push_copy(metatable);
        state.set_metatable(-2);
        state.raw_set_i(newer_tables, state.to_integer(-2));
    }
    state.set_top(place);
}

fn forget(state: State<'_>, document: *const u8) {
    push_part(state, DOCUMENTS);
    state.push_nil();
    state.raw_set_p(-2, document);
    state.pop(1);
}
