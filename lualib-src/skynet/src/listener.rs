//! Whether the gate of this VM waits to be told where its listening socket listens.
//!
//! Since v1.6.0 a listening socket tells its address and port before it is started, and `netpack` calls that `init`. The
//! gates of older releases, and those that were copied from them, start the socket at once and have no function of that
//! name: for them every `init` would be an error, one for each client. They are told by the order: who starts a listening
//! socket before it has told its port does not wait for that.
//!
//! The registry has, under the address of [`KEY`], the listening socket that has not told yet, or [`EARLY`].

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_REGISTRYINDEX, lua_Integer, lua_State, lua_pop, lua_pushinteger, lua_rawgetp, lua_rawsetp,
    lua_tointeger,
};

static KEY: u8 = 0;

/// None that has not told.
const NONE: lua_Integer = 0;
/// One was started before it told. It stays so.
const EARLY: lua_Integer = -1;

fn key() -> *const c_void {
    (&raw const KEY).cast()
}

unsafe fn get(state: *mut lua_State) -> lua_Integer {
    // SAFETY: called by Lua with room for a value; what is no number is 0.
    unsafe {
        lua_rawgetp(state, LUA_REGISTRYINDEX, key());
        let value = lua_tointeger(state, -1);
        lua_pop(state, 1);
        value
    }
}

/// Raises only when nothing was set before.
unsafe fn set(state: *mut lua_State, value: lua_Integer) {
    // SAFETY: called by Lua with room for a value.
    unsafe {
        lua_pushinteger(state, value);
        lua_rawsetp(state, LUA_REGISTRYINDEX, key());
    }
}

/// Before a socket is made that listens: makes room, so that [`made`] does not raise.
pub unsafe fn prepare(state: *mut lua_State) {
    // SAFETY: called by Lua.
    unsafe {
        if get(state) != EARLY {
            set(state, NONE);
        }
    }
}

/// The socket listens.
pub unsafe fn made(state: *mut lua_State, id: c_int) {
    // SAFETY: called by Lua.
    unsafe {
        if get(state) != EARLY {
            set(state, id.into());
        }
    }
}

/// A socket is started.
pub unsafe fn started(state: *mut lua_State, id: c_int) {
    // SAFETY: called by Lua; there is something to overwrite.
    unsafe {
        if get(state) == lua_Integer::from(id) {
            set(state, EARLY);
        }
    }
}

/// A socket says that it is open, or where it listens. Whether that is news for the gate.
pub unsafe fn told(state: *mut lua_State, id: c_int) -> bool {
    // SAFETY: as in `started`.
    unsafe {
        let awaited = get(state);
        if awaited == lua_Integer::from(id) {
            set(state, NONE);
        }
        awaited != EARLY
    }
}
