//! The module `skynet.cluster.core`: the packets between the nodes of a cluster.

mod assembly;
mod compression;
pub mod packet;
mod parts;
mod request;
mod response;

use std::slice;

use libc::c_int;
use mlua_sys::{
    LUA_TSTRING, lua_State, lua_createtable, lua_pushboolean, lua_pushfstring, lua_pushlstring,
    lua_rawseti, lua_tolstring, lua_type,
};

use crate::arguments::message;
use crate::seri::has_pointer;
use crate::{Entry, check_version, register};

const FUNCTIONS: &[Entry] = &[
    (c"packrequest", request::packrequest),
    (c"packpush", request::packpush),
    (c"packtrace", request::packtrace),
    (c"unpackrequest", request::unpackrequest),
    (c"packresponse", response::packresponse),
    (c"unpackresponse", response::unpackresponse),
    (c"readresponse", response::readresponse),
    (c"compress", compression::compress),
    (c"largeanswer", response::largeanswer),
    (c"assembly", assembly::assembly),
    (c"finish", assembly::finish),
    (c"append", parts::append),
    (c"concat", parts::concat),
    (c"isname", isname),
    (c"haspointer", haspointer),
    (c"nodename", nodename),
];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_cluster_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// Pushes bytes as a string.
unsafe fn push(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: called by Lua.
    unsafe { lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len()) };
}

/// Appends bytes as a string to the table at the top, as its element `n`.
unsafe fn add(state: *mut lua_State, n: usize, bytes: &[u8]) {
    // SAFETY: called by Lua with a table at the top.
    unsafe {
        push(state, bytes);
        lua_rawseti(state, -2, n as i64);
    }
}

/// `isname(address)`: true for a text that begins with `@`, else nothing.
unsafe extern "C-unwind" fn isname(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a text ends with a NUL.
    unsafe {
        let text = lua_tolstring(state, 1, std::ptr::null_mut());
        if text.is_null() || *text as u8 != b'@' {
            return 0;
        }
        lua_pushboolean(state, 1);
    }
    1
}

/// `haspointer(message, size)` or `haspointer(string)`: whether `skynet.unpack` would make a light userdata of a part of it.
unsafe extern "C-unwind" fn haspointer(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the message is readable for `size` bytes by contract, and a string stays on the stack. Nothing that
    // has a destructor is left when the result is pushed.
    unsafe {
        let (data, size): (*const u8, usize) = if lua_type(state, 1) == LUA_TSTRING {
            let mut len = 0;
            let text = lua_tolstring(state, 1, &mut len);
            (text.cast(), len)
        } else {
            let (data, size) = message(state, 1);
            (data.cast_const().cast(), size)
        };
        let found = !data.is_null() && has_pointer(slice::from_raw_parts(data, size));
        lua_pushboolean(state, found.into());
    }
    1
}

/// `nodename()`: a name for this process: host name, with `_` for all but printable ASCII, and process id.
unsafe extern "C-unwind" fn nodename(state: *mut lua_State) -> c_int {
    let mut host = [0u8; 256];
    // SAFETY: called by Lua; the last byte stays 0 whatever the system writes.
    unsafe {
        let process = libc::getpid();
        let size = host.len() - 1;
        if libc::gethostname(host.as_mut_ptr().cast(), size) != 0 {
            lua_pushfstring(state, c"noname%d".as_ptr(), process);
            return 1;
        }
        for byte in host.iter_mut().take_while(|byte| **byte != 0) {
            if *byte <= b' ' || !byte.is_ascii() {
                *byte = b'_';
            }
        }
        lua_pushfstring(state, c"%s%d".as_ptr(), host.as_ptr(), process);
    }
    1
}
