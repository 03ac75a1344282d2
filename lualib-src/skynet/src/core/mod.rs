//! The module `skynet.core`: what the Lua layer calls of the core.

mod callback;
mod command;
mod log;
mod send;
mod timer;

pub use timer::results_can_be_unwanted;

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_TLIGHTUSERDATA, LUA_TSTRING, lua_State, lua_isnoneornil, lua_pushboolean, lua_pushinteger,
    lua_pushlstring, lua_touserdata, lua_type, lua_typename, luaL_checkinteger, luaL_error,
};
use skynet_sys::{skynet_isremote, skynet_now};

use crate::service::{context, open};
use crate::{Entry, seri};

/// Functions that have the service as their upvalue.
const BOUND: &[Entry] = &[
    (c"send", send::send),
    (c"request", send::request),
    (c"genid", send::genid),
    (c"timer", timer::timer),
    (c"redirect", send::redirect),
    (c"command", command::command),
    (c"intcommand", command::intcommand),
    (c"addresscommand", command::addresscommand),
    (c"error", log::error),
    (c"harbor", harbor),
    (c"callback", callback::callback),
    (c"trace", log::trace),
];

const FREE: &[Entry] = &[
    (c"tostring", tostring),
    (c"pack", seri::pack),
    (c"unpack", seri::unpack),
    (c"packstring", seri::packstring),
    (c"trash", trash),
    (c"now", now),
    (c"hpc", hpc),
];

/// Opens the module: pushes its table. The registry must hold the service as `skynet_context`.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe { open(state, BOUND, FREE) }
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
unsafe extern "C-unwind" fn harbor(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; `id` is valid for writing.
    unsafe {
        let handle = luaL_checkinteger(state, 1) as u32;
        let mut id: c_int = 0;
        let remote = skynet_isremote(context(state), handle, &mut id);
        lua_pushinteger(state, id.into());
        lua_pushboolean(state, remote);
    }
    2
}

/// `tostring(message, size)`: the bytes of a message as a string; nothing for nil.
unsafe extern "C-unwind" fn tostring(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the message is readable for `size` bytes by contract.
    unsafe {
        if lua_isnoneornil(state, 1) != 0 {
            return 0;
        }
        let message: *mut c_void = lua_touserdata(state, 1);
        let size = luaL_checkinteger(state, 2);
        let Ok(size) = usize::try_from(size) else {
            return luaL_error(state, c"Invalid message size".as_ptr());
        };
        if message.is_null() && size > 0 {
            return luaL_error(state, c"Invalid message pointer".as_ptr());
        }
        lua_pushlstring(state, message.cast(), size);
    }
    1
}

/// `trash(message, size)`: frees a message; a string is left to Lua.
unsafe extern "C-unwind" fn trash(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the message is a block of the C allocator that belongs to the caller.
    unsafe {
        if let Some((block, _)) = seri::block(state) {
            libc::free(block.cast_mut().cast());
            return 0;
        }
        match lua_type(state, 1) {
            LUA_TSTRING => {}
            LUA_TLIGHTUSERDATA => {
                luaL_checkinteger(state, 2);
                libc::free(lua_touserdata(state, 1));
            }
            ty => {
                let name = lua_typename(state, ty);
                return luaL_error(state, c"skynet.trash invalid param %s".as_ptr(), name);
            }
        }
    }
    0
}

/// `now()`: hundredths of a second, see [`skynet_now`].
unsafe extern "C-unwind" fn now(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(state, skynet_now() as i64) };
    1
}

/// `hpc()`: nanoseconds of a monotonic clock.
unsafe extern "C-unwind" fn hpc(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(state, monotonic()) };
    1
}
