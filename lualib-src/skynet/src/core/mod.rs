//! The module `skynet.core`: what the Lua layer calls of the core.

mod callback;
mod command;
mod flood;
mod log;
mod lost;
mod send;
mod timer;

pub use timer::results_can_be_unwanted;

use libc::{c_int, c_void};
use mlua_sys::{LUA_TLIGHTUSERDATA, LUA_TSTRING};
use skynet_support::{State, lua_functions, lua_module};
use skynet_sys::{skynet_isremote, skynet_now};

use crate::{Entry, arguments, seri, service};

/// Functions that have the service as their upvalue.
const BOUND: &[Entry] = lua_functions!(unsafe {
    c"send" => send::send,
    c"request" => send::request,
    c"genid" => send::genid,
    c"timer" => timer::timer,
    c"redirect" => send::redirect,
    c"command" => command::command,
    c"intcommand" => command::intcommand,
    c"addresscommand" => command::addresscommand,
    c"error" => log::error,
    c"harbor" => harbor,
    c"callback" => callback::callback,
    c"trace" => log::trace,
});

const FREE: &[Entry] = lua_functions!(unsafe {
    c"tostring" => tostring,
    c"pack" => seri::pack,
    c"unpack" => seri::unpack,
    c"packstring" => seri::packstring,
    c"trash" => trash,
    c"now" => now,
    c"hpc" => hpc,
});

lua_module!(unsafe luaopen_skynet_core => fn open);

/// Opens the module: pushes its table. The registry must hold the service as `skynet_context`.
fn open(state: State<'_>) -> c_int {
    service::open(state, BOUND, FREE)
}

/// Nanoseconds of a clock that never goes back.
fn monotonic() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// `harbor(handle)`: its harbor id, and whether that is another node.
fn harbor(state: State<'_>) -> c_int {
    let handle = state.check_integer(1) as u32;
    let mut id: c_int = 0;
    // SAFETY: the invariant of `Service`; `id` is valid for writing.
    let remote = unsafe { skynet_isremote(service::service(state).context(), handle, &mut id) };
    state.push_integer(id.into());
    state.push_boolean(remote != 0);
    2
}

/// `tostring(message, size)`: the bytes of a message as a string; nothing for nil.
fn tostring(state: State<'_>) -> c_int {
    if state.is_none_or_nil(1) {
        return 0;
    }
    let message: *mut c_void = state.to_userdata(1);
    let size = state.check_integer(2);
    let Ok(size) = usize::try_from(size) else {
        state.error(c"Invalid message size");
    };
    if message.is_null() && size > 0 {
        state.error(c"Invalid message pointer");
    }
    // SAFETY: who passes a message and its size says that so many bytes are there.
    state.push_bytes(unsafe { arguments::bytes(message, size) });
    1
}

/// `trash(message, size)`: frees a message; a string is left to Lua.
fn trash(state: State<'_>) -> c_int {
    let block = match seri::block(state) {
        Some((block, _)) => block.cast_mut().cast(),
        None => match state.kind(1) {
            LUA_TSTRING => return 0,
            LUA_TLIGHTUSERDATA => {
                state.check_integer(2);
                state.to_userdata(1)
            }
            kind => {
                let name = state.type_name(kind);
                state.error_with(format_args!("skynet.trash invalid param {name}"));
            }
        },
    };
    // SAFETY: who calls gives the block away.
    unsafe { libc::free(block) };
    0
}

/// `now()`: hundredths of a second, see [`skynet_now`].
fn now(state: State<'_>) -> c_int {
    // SAFETY: no precondition.
    state.push_integer(unsafe { skynet_now() } as i64);
    1
}

/// `hpc()`: nanoseconds of a monotonic clock.
fn hpc(state: State<'_>) -> c_int {
    state.push_integer(monotonic());
    1
}
