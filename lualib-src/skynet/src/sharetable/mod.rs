//! The module `skynet.sharetable.core`: tables of Lua that the services of a node read at the same time.
//!
//! A table is made in a state of its own, a matrix, and then marked as shared, with all that is in it. Other states push
//! it as it is: reading it is reading a table. It needs the patched Lua, which lets no state write to such a table.

mod mark;
mod matrix;
mod patched;

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_TTABLE, LUA_TTHREAD, lua_Integer, lua_State, lua_checkstack, lua_createtable, lua_gettop,
    lua_newuserdatauv, lua_pop, lua_pushboolean, lua_pushinteger, lua_pushvalue, lua_rawgeti,
    lua_rawlen, lua_seti, lua_topointer, lua_tothread, lua_touserdata, lua_type, lua_xmove,
    luaL_argerror, luaL_checktype, luaL_error,
};

use crate::arguments::address;
use crate::{Entry, check_version, register};
use patched::{is_shared, lua_clonetable, shared_use};

const FUNCTIONS: &[Entry] = &[
    (c"clone", clone),
    (c"stackvalues", stackvalues),
    (c"matrix", matrix::matrix),
    (c"is_sharedtable", is_sharedtable),
    (c"used", used),
];

pub use patched::readers_can_be_asked;

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_sharetable_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// `clone(address)`: the shared table at an address that a matrix gave.
unsafe extern "C-unwind" fn clone(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; by contract the matrix is not closed.
    unsafe { lua_clonetable(state, address::<c_void>(state, 1)) };
    1
}

/// `is_sharedtable(value)`: whether it is a table, and shared.
unsafe extern "C-unwind" fn is_sharedtable(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a table is a table.
    unsafe {
        let shared = lua_type(state, 1) == LUA_TTABLE && is_shared(lua_topointer(state, 1));
        lua_pushboolean(state, shared.into());
    }
    1
}

/// `stackvalues(thread, table)`: stores what is on the stack of a suspended thread as 1, 2, ...; their number. Nothing
/// for the running thread.
unsafe extern "C-unwind" fn stackvalues(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the other thread does not run, and gets back what is pushed on its stack at once.
    unsafe {
        if lua_type(state, 1) != LUA_TTHREAD {
            return luaL_argerror(state, 1, c"thread expected".as_ptr());
        }
        let thread = lua_tothread(state, 1);
        let mut count = 0;
        if thread != state {
            luaL_checktype(state, 2, LUA_TTABLE);
            count = lua_gettop(thread);
            if lua_checkstack(thread, 1) == 0 {
                return luaL_error(state, c"stack overflow".as_ptr());
            }
            for index in 1..=count {
                lua_pushvalue(thread, index);
                lua_xmove(thread, state, 1);
                lua_seti(state, 2, index.into());
            }
        }
        lua_pushinteger(state, lua_Integer::from(count));
    }
    1
}

/// `used(states)`: collects garbage, then says for each state in the list (`matrix:state()`) whether this service still
/// refers to something of that matrix: a list of booleans. Nothing if this Lua cannot tell.
unsafe extern "C-unwind" fn used(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; by contract none of the matrices is closed. The block of memory is Lua's, and large enough for
    // `count` addresses and then as many bytes.
    unsafe {
        luaL_checktype(state, 1, LUA_TTABLE);
        let Some(ask) = shared_use() else { return 0 };
        let count = lua_rawlen(state, 1) as usize;
        let size = count * (size_of::<*mut lua_State>() + 1);
        let owners: *mut *mut lua_State = lua_newuserdatauv(state, size, 0).cast();
        let answers: *mut u8 = owners.add(count).cast();
        for i in 0..count {
            lua_rawgeti(state, 1, i as lua_Integer + 1);
            let owner = lua_touserdata(state, -1);
            if owner.is_null() {
                return luaL_argerror(state, 1, c"list of states expected".as_ptr());
            }
            owners.add(i).write(owner.cast());
            lua_pop(state, 1);
        }
        ask(state, owners, count as c_int, answers);
        lua_createtable(state, count as c_int, 0);
        for i in 0..count {
            lua_pushboolean(state, answers.add(i).read().into());
            lua_seti(state, -2, i as lua_Integer + 1);
        }
    }
    1
}
