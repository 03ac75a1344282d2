//! A table becomes shared, with all that is in it.

use libc::c_int;
use mlua_sys::{
    LUA_TBOOLEAN, LUA_TFUNCTION, LUA_TLIGHTUSERDATA, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE,
    lua_getupvalue, lua_iscfunction,
};
use skynet_support::State;

use super::patched::{is_shared, lua_sharefunction, lua_sharestring, make_shared};

/// Slots that a level of nesting takes: a table, a key and a value; and some for the work on these.
const SLOTS: c_int = 3 + 2;

/// Shares the value at the top of the stack. Raises for anything but a table, and for tables with a metatable, functions
/// with upvalues, userdata and threads inside of it; the state is of no use then.
///
/// # Safety
/// Only this thread uses the state, and its collector is stopped: it must not meet a table that is shared in part.
pub(super) unsafe fn share(state: State<'_>) {
    if state.kind(-1) != LUA_TTABLE {
        let name = state.type_name(state.kind(-1));
        state.error_with(format_args!("Not a table, it's a {name}."));
    }
    if !enter(state, -1) {
        return;
    }
    let mut depth = 1usize;
    while depth > 0 {
        // Either a table and a key of it are at the top ...
        if !state.next(-2) {
            state.pop(1);
            depth -= 1;
            if depth == 0 {
                break;
            }
        }
        // ... or below a pair, of which nothing, or a table that has just been done, may be shared.
        if share_scalar_or_enter(state, -2) || share_scalar_or_enter(state, -1) {
            depth += 1;
        } else {
            state.pop(1);
        }
    }
}

/// Begins to share the table at `index`, unless that is done: a copy of it and nil at the top.
fn enter(state: State<'_>, index: c_int) -> bool {
    let table = state.to_pointer(index);
    // SAFETY: a table.
    if unsafe { is_shared(table) } {
        return false;
    }
    state.reserve(SLOTS);
    if state.get_metatable(index) {
        state.error(c"Can't share metatable");
    }
    // SAFETY: a table of a state that is ready for it (`share`).
    unsafe { make_shared(table) };
    state.push_copy(index);
    state.push_nil();
    true
}

/// Shares the value at `index`; true if that is a table which has been entered.
fn share_scalar_or_enter(state: State<'_>, index: c_int) -> bool {
    match state.kind(index) {
        LUA_TTABLE => return enter(state, index),
        LUA_TNUMBER | LUA_TBOOLEAN | LUA_TLIGHTUSERDATA => {}
        // SAFETY: a string of a state that is ready for it (`share`).
        LUA_TSTRING => unsafe { lua_sharestring(state.raw(), index) },
        LUA_TFUNCTION => {
            // SAFETY: a function; there is room for its upvalue.
            let has_upvalue = unsafe { !lua_getupvalue(state.raw(), index, 1).is_null() };
            if has_upvalue {
                state.error(c"Invalid function with upvalue");
            }
            // SAFETY: a function of Lua, of a state that is ready for it (`share`).
            unsafe {
                if lua_iscfunction(state.raw(), index) == 0 {
                    make_shared(state.to_pointer(index));
                    lua_sharefunction(state.raw(), index);
                }
            }
        }
        other => {
            let name = state.type_name(other);
            state.error_with(format_args!("Invalid type [{name}]"));
        }
    }

    false
}
