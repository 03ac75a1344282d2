//! The module `skynet.sharetable.core`: tables of Lua that the services of a node read at the same time.
//!
//! A table is made in a state of its own, a matrix, and then marked as shared, with all that is in it. Other states push
//! it as it is: reading it is reading a table. It needs the patched Lua, which lets no state write to such a table.

mod mark;
mod matrix;
mod patched;

use libc::{c_int, c_void};
use mlua_sys::{LUA_TTABLE, LUA_TTHREAD, lua_Integer, lua_State, lua_newuserdatauv, lua_xmove};
use skynet_support::{State, lua_functions, lua_module};

use crate::Entry;
use crate::arguments::address;
use patched::{is_shared, lua_clonetable, shared_use};

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"clone" => clone,
    c"stackvalues" => stackvalues,
    c"matrix" => matrix::matrix,
    c"is_sharedtable" => is_sharedtable,
    c"used" => used,
});

pub use patched::readers_can_be_asked;

lua_module!(unsafe luaopen_skynet_sharetable_core => FUNCTIONS);

/// `clone(address)`: the shared table at an address that a matrix gave.
fn clone(state: State<'_>) -> c_int {
    // SAFETY: the address comes from `getptr` of a matrix that lives.
    unsafe { lua_clonetable(state.raw(), address::<c_void>(state, 1)) };
    1
}

/// `is_sharedtable(value)`: whether it is a table, and shared.
fn is_sharedtable(state: State<'_>) -> c_int {
    // SAFETY: a table.
    let is_shared = state.is_table(1) && unsafe { is_shared(state.to_pointer(1)) };
    state.push_boolean(is_shared);
    1
}

/// `stackvalues(thread, table)`: stores what is on the stack of a suspended thread as 1, 2, ...; their number. Nothing
/// for the running thread.
fn stackvalues(state: State<'_>) -> c_int {
    if state.kind(1) != LUA_TTHREAD {
        state.argument_error(1, c"thread expected");
    }
    let thread = state.to_thread(1);
    let mut count = 0;
    if thread != state.raw() {
        state.check_kind(2, LUA_TTABLE);
        // SAFETY: the thread is on the stack, of the same VM, and does not run.
        let thread = unsafe { State::new(thread) };
        count = thread.top();
        // An error must be one of the running thread.
        if !thread.try_reserve(1) {
            state.error(c"stack overflow");
        }
        for index in 1..=count {
            thread.push_copy(index);
            // SAFETY: both stacks have room for a value.
            unsafe { lua_xmove(thread.raw(), state.raw(), 1) };
            state.set_i(2, index.into());
        }
    }
    state.push_integer(lua_Integer::from(count));
    1
}

/// `used(states)`: collects garbage, then says for each state in the list (`matrix:state()`) whether this service still
/// refers to something of that matrix: a list of booleans. Nothing if this Lua cannot tell.
fn used(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TTABLE);
    let Some(ask) = shared_use() else { return 0 };
    let count = state.raw_len(1);
    let size = count * (size_of::<*mut lua_State>() + 1);
    // SAFETY: first the states, then the answers, each of a byte; the userdata stays on the stack.
    let (owners, answers) = unsafe {
        let owners: *mut *mut lua_State = lua_newuserdatauv(state.raw(), size, 0).cast();
        (owners, owners.add(count).cast::<u8>())
    };
    for i in 0..count {
        state.raw_get_i(1, i as lua_Integer + 1);
        let owner = state.to_userdata(-1);
        if owner.is_null() {
            state.argument_error(1, c"list of states expected");
        }
        // SAFETY: there is room for `count`.
        unsafe { owners.add(i).write(owner.cast()) };
        state.pop(1);
    }
    // SAFETY: who passes the address of a state has its matrix; the answers have room for as many.
    unsafe { ask(state.raw(), owners, count as c_int, answers) };
    state.create_table(count as c_int, 0);
    for i in 0..count {
        // SAFETY: each was written.
        state.push_boolean(unsafe { answers.add(i).read() } != 0);
        state.set_i(-2, i as lua_Integer + 1);
    }
    1
}
