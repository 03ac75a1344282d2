//! The module `skynet.datasheet.core`: tables that are filled from a shared document when they are first used.
//!
//! A table that has not been used is empty and has a metatable; its first use copies its fields, where tables inside
//! are new such tables, and takes the metatable away. When there is a newer document, all tables that come from the old one
//! are emptied again.

pub mod document;
mod sheets;

use libc::c_int;
use mlua_sys::{LUA_TTABLE, lua_Integer};
use skynet_support::{State, lua_function, lua_functions, lua_module};

use crate::Entry;
use crate::arguments::address;
use document::Invalid;

/// Functions of the module; like the metamethods they have the metatable as their upvalue, see [`sheets`].
const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"new" => new,
    c"update" => update,
    c"stringpointer" => stringpointer,
});

const METAMETHODS: &[Entry] =
    lua_functions!(unsafe {c"__index" => index, c"__pairs" => pairs, c"__len" => len});

lua_module!(unsafe luaopen_skynet_datasheet_core => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    state.push_module(&[]);
    state.create_table(2, METAMETHODS.len() as c_int);
    sheets::prepare(state);
    state.push_copy(-1);
    state.register(METAMETHODS, 1);
    state.register(FUNCTIONS, 1);
    1
}

/// `stringpointer(document)`: the address of a document, for other services. The string must be kept while they use it.
/// Raises if it is not a document.
fn stringpointer(state: State<'_>) -> c_int {
    let bytes = state.check_bytes(1);
    if let Err(problem) = document::check(bytes) {
        refuse(state, problem);
    }
    state.push_light(bytes.as_ptr());
    1
}

#[cold]
fn refuse(state: State<'_>, problem: Invalid) -> ! {
    match problem {
        Invalid::Truncated => state.error(c"Invalid datasheet: it ends too early"),
        Invalid::Empty => state.error(c"Invalid datasheet: no table"),
        Invalid::Overlap => state.error(c"Invalid datasheet: tables overlap"),
        Invalid::Kind(kind) => {
            state.error_with(format_args!("Invalid datasheet: value of type {kind}"))
        }
        Invalid::Table(number) => {
            state.error_with(format_args!("Invalid datasheet: no table {number}"))
        }
        Invalid::String(offset) => {
            state.error_with(format_args!("Invalid datasheet: no string at {offset}"))
        }
    }
}

/// `new(address)`: the first table of a document. The same one as long as it is used.
fn new(state: State<'_>) -> c_int {
    let document = address::<u8>(state, 1);
    // SAFETY: the address comes from `stringpointer`.
    unsafe { sheets::push_root(state, document) };
    1
}

/// `update(table, address)`: the document that the table comes from is replaced by the one at the address. All tables that
/// come from it are emptied, and filled with the new values by their next use.
fn update(state: State<'_>) -> c_int {
    let newer = address::<u8>(state, 2);
    // SAFETY: the address comes from `stringpointer`.
    unsafe { sheets::move_on(state, newer) };
    1
}

/// `table[key]`: fills the table.
fn index(state: State<'_>) -> c_int {
    sheets::fill(state);
    state.raw_get(1);
    1
}

/// `#table`: fills the table.
fn len(state: State<'_>) -> c_int {
    sheets::fill(state);
    state.push_integer(state.raw_len(1) as lua_Integer);
    1
}

/// `pairs(table)`: fills the table.
fn pairs(state: State<'_>) -> c_int {
    sheets::fill(state);
    state.push_function(lua_function!(unsafe next));
    state.push_copy(1);
    state.push_nil();
    3
}

/// Lua's `next`, whatever a service has made of that global.
fn next(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TTABLE);
    state.set_top(2);
    if state.next(1) {
        return 2;
    }
    state.push_nil();
    1
}
