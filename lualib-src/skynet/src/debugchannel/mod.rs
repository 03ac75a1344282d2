//! The module `skynet.debugchannel`: what connects a debug console with the service that it debugs.
//!
//! A service that is stopped in the debugger receives no messages; so the lines that an operator types come through a
//! channel, which the service reads while it stands.

mod channel;
mod hook;

use std::ptr;
use std::slice;
use std::sync::Arc;
use std::time::Duration;

use libc::c_int;
use mlua_sys::{
    lua_State, lua_createtable, lua_newuserdatauv, lua_pushcfunction, lua_pushlightuserdata,
    lua_pushlstring, lua_setfield, lua_setmetatable, lua_touserdata, luaL_argerror,
    luaL_checklstring, luaL_checkudata, luaL_error, luaL_newmetatable, luaL_optnumber,
};

use crate::{Entry, check_version, register};
use channel::Channel;

const FUNCTIONS: &[Entry] = &[
    (c"create", create),
    (c"connect", connect),
    (c"release", release),
    (c"sethook", hook::sethook),
];

const METHODS: &[Entry] = &[(c"read", read), (c"write", write)];

const TYPE: *const libc::c_char = c"debugchannel".as_ptr();

/// The unit of `read`'s limit.
const TENTH: Duration = Duration::from_millis(100);

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_debugchannel(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// One end of a channel in Lua; null after its release.
struct End {
    channel: *const Channel,
}

/// Pushes an end without a channel yet.
unsafe fn push_end(state: *mut lua_State) -> *mut End {
    // SAFETY: called by a function of Lua; the userdata is initialised before its metatable is set.
    unsafe {
        let end: *mut End = lua_newuserdatauv(state, size_of::<End>(), 0).cast();
        (*end).channel = ptr::null();
        if luaL_newmetatable(state, TYPE) != 0 {
            lua_createtable(state, 0, METHODS.len() as c_int);
            register(state, METHODS, 0);
            lua_setfield(state, -2, c"__index".as_ptr());
            lua_pushcfunction(state, release);
            lua_setfield(state, -2, c"__gc".as_ptr());
        }
        lua_setmetatable(state, -2);
        end
    }
}

/// The channel of argument 1.
unsafe fn channel<'a>(state: *mut lua_State) -> &'a Channel {
    // SAFETY: called by a function of Lua; an end with a channel holds a reference to it.
    unsafe {
        let end: *mut End = luaL_checkudata(state, 1, TYPE).cast();
        if (*end).channel.is_null() {
            luaL_argerror(state, 1, c"the channel is released".as_ptr());
        }
        &*(*end).channel
    }
}

/// `create()`: the first end of a new channel, and its address for [`connect`].
unsafe extern "C-unwind" fn create(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the end takes over the reference before anything raises.
    unsafe {
        let end = push_end(state);
        (*end).channel = Arc::into_raw(Channel::create());
        lua_pushlightuserdata(state, (*end).channel.cast_mut().cast());
    }
    2
}

/// `connect(address)`: the second end of a channel. Raises if it has one already, or is gone.
unsafe extern "C-unwind" fn connect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the end takes over the reference before anything raises.
    unsafe {
        let wanted: *const Channel = lua_touserdata(state, 1).cast();
        if wanted.is_null() {
            return luaL_error(state, c"Invalid channel pointer".as_ptr());
        }
        let end = push_end(state);
        match Channel::connect(wanted) {
            Some(channel) => (*end).channel = Arc::into_raw(channel),
            None => return luaL_error(state, c"new channel failed".as_ptr()),
        }
    }
    1
}

/// `release(end)`: gives the end back before the garbage collector does.
unsafe extern "C-unwind" fn release(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the end's reference is given back once.
    unsafe {
        let end: *mut End = luaL_checkudata(state, 1, TYPE).cast();
        let channel = ptr::replace(&mut (*end).channel, ptr::null());
        if !channel.is_null() {
            Arc::from_raw(channel).release();
        }
    }
    0
}

/// `end:write(line)`.
unsafe extern "C-unwind" fn write(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text is an argument and is copied.
    unsafe {
        let mut len = 0;
        let channel = channel(state);
        let text = luaL_checklstring(state, 2, &mut len);
        channel.write(slice::from_raw_parts(text.cast::<u8>(), len).into());
    }
    0
}

/// `end:read([limit])`: the oldest line, nothing if there is none. With a limit, in tenths of a second, the whole service
/// waits for one.
unsafe extern "C-unwind" fn read(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. While a line becomes a string, which may raise, it is but an address: if there is no memory
    // for the string then the line is not freed.
    unsafe {
        let channel = channel(state);
        let limit = luaL_optnumber(state, 2, 0.0);
        let limit = if limit > 0.0 { limit.min(1e6) } else { 0.0 };
        let Some(line) = channel.read(TENTH.mul_f64(limit)) else {
            return 0;
        };
        let line = Box::into_raw(line);
        lua_pushlstring(state, line.cast(), line.len());
        drop(Box::from_raw(line));
    }
    1
}
