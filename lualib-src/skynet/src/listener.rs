//! Whether the gate of this VM waits to be told where its listening socket listens.
//!
//! Since v1.6.0 a listening socket tells its address and port before it is started, and `netpack` calls that `init`. The
//! gates of older releases, and those that were copied from them, start the socket at once and have no function of that
//! name: for them every `init` would be an error, one for each client. They are told by the order: who starts a listening
//! socket before it has told its port does not wait for that.
//!
//! The registry has, under the address of [`KEY`], the listening socket that has not told yet, or [`EARLY`].

use libc::c_int;
use mlua_sys::{LUA_REGISTRYINDEX, lua_Integer};
use skynet_support::State;

static KEY: u8 = 0;

/// None that has not told.
const NONE: lua_Integer = 0;
/// One was started before it told. It stays so.
const EARLY: lua_Integer = -1;

fn get(state: State<'_>) -> lua_Integer {
    state.raw_get_p(LUA_REGISTRYINDEX, &KEY);
    let value = state.to_integer(-1);
    state.pop(1);
    value
}

/// Raises only when nothing was set before.
fn set(state: State<'_>, value: lua_Integer) {
    state.push_integer(value);
    state.raw_set_p(LUA_REGISTRYINDEX, &KEY);
}

/// Before a socket is made that listens: makes room, so that [`made`] does not raise.
pub fn prepare(state: State<'_>) {
    if get(state) != EARLY {
        set(state, NONE);
    }
}

/// The socket listens.
pub fn made(state: State<'_>, id: c_int) {
    if get(state) != EARLY {
        set(state, id.into());
    }
}

/// A socket is started.
pub fn started(state: State<'_>, id: c_int) {
    if get(state) == lua_Integer::from(id) {
        set(state, EARLY);
    }
}

/// A socket says that it is open, or where it listens. Whether that is news for the gate.
pub fn told(state: State<'_>, id: c_int) -> bool {
    let awaited = get(state);
    if awaited == lua_Integer::from(id) {
        set(state, NONE);
    }
    awaited != EARLY
}
