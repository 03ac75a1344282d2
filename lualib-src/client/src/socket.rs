//! The module `client.socket`.

use std::ffi::CStr;
use std::io;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use libc::{c_char, c_int};
use mlua_sys::{
    lua_State, lua_createtable, lua_pushinteger, lua_pushlstring, luaL_checkinteger,
    luaL_checklstring, luaL_checknumber, luaL_error,
};
use skynet_support::{Entry, check_version, register};

use crate::net::{self, Received};
use crate::stdin::{self, Line};

/// Bytes that are received at a time.
const ROOM: usize = 0x1000;

const FUNCTIONS: &[Entry] = &[
    (c"connect", connect),
    (c"recv", recv),
    (c"send", send),
    (c"shutdown", shutdown),
    (c"close", close),
    (c"usleep", usleep),
    (c"readstdin", readstdin),
];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_client_socket(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// The text of an error of the system, cut to what has room. Plain data: it may be abandoned when the error is raised.
fn reason(error: io::Error) -> [c_char; 128] {
    let mut text = [0; 128];
    // SAFETY: the text has room for its size, and its last byte stays 0.
    unsafe {
        let code = error.raw_os_error().unwrap_or(libc::EIO);
        libc::strerror_r(code, text.as_mut_ptr(), text.len() - 1);
    }
    text
}

unsafe fn raise(state: *mut lua_State, error: io::Error) -> c_int {
    let text = reason(error);
    // SAFETY: called by Lua; a C string.
    unsafe { luaL_error(state, c"socket error: %s".as_ptr(), text.as_ptr()) }
}

/// `connect(host, port)`: a descriptor, once it is connected.
unsafe extern "C-unwind" fn connect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the host is an argument. What `try_connect` needs is gone when it returns.
    unsafe {
        let host = luaL_checklstring(state, 1, std::ptr::null_mut());
        let port = luaL_checkinteger(state, 2);
        match try_connect(CStr::from_ptr(host), port) {
            Some(fd) => lua_pushinteger(state, fd.into()),
            None => {
                let format = c"Connect %s %d failed".as_ptr();
                return luaL_error(state, format, host, port as c_int);
            }
        }
    }
    1
}

fn try_connect(host: &CStr, port: i64) -> Option<c_int> {
    net::connect(host.to_str().ok()?, u16::try_from(port).ok()?).ok()
}

/// `close(fd)`: closes the connection.
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    net::close(unsafe { luaL_checkinteger(state, 1) } as c_int);
    0
}

/// `send(fd, text)`: sends all of it; waits while the other side does not read.
unsafe extern "C-unwind" fn send(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text is an argument.
    unsafe {
        let fd = luaL_checkinteger(state, 1) as c_int;
        let mut len = 0;
        let text = luaL_checklstring(state, 2, &mut len);
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), len);
        match net::send(fd, bytes) {
            Ok(()) => 0,
            Err(error) => raise(state, error),
        }
    }
}

/// `recv(fd)`: what has come, `""` when the other side has closed, nothing when nothing has come.
unsafe extern "C-unwind" fn recv(state: *mut lua_State) -> c_int {
    let mut room = [0; ROOM];
    // SAFETY: called by Lua.
    unsafe {
        let fd = luaL_checkinteger(state, 1) as c_int;
        match net::receive(fd, &mut room) {
            Ok(Received::Nothing) => 0,
            Ok(Received::Bytes(len)) => {
                lua_pushlstring(state, room.as_ptr().cast(), len);
                1
            }
            Err(error) => raise(state, error),
        }
    }
}

/// `usleep(time)`: sleeps for so many microseconds.
unsafe extern "C-unwind" fn usleep(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    let time = unsafe { luaL_checknumber(state, 1) };
    thread::sleep(Duration::from_micros(time as u64));
    0
}

/// `readstdin()`: a line of the standard input, nothing when none has come. An error at the end of the input. The lines are
/// the process's: each goes to the first who asks.
unsafe extern "C-unwind" fn readstdin(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the line is a plain pointer while the string is made, so an error has nothing to destroy.
    unsafe {
        match stdin::next() {
            Line::Nothing => 0,
            Line::End => luaL_error(state, c"the standard input has ended".as_ptr()),
            Line::Text(line) => {
                let line = Box::into_raw(line.into_boxed_slice());
                lua_pushlstring(state, line.cast(), line.len());
                drop(Box::from_raw(line));
                1
            }
        }
    }
}

/// `shutdown(fd, mode)`: ends one direction of the connection, `"r"` or `"w"`, or both.
unsafe extern "C-unwind" fn shutdown(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the mode is an argument.
    unsafe {
        let fd = luaL_checkinteger(state, 1) as c_int;
        let mode = luaL_checklstring(state, 2, std::ptr::null_mut());
        let (mut read, mut write) = (false, false);
        for &letter in CStr::from_ptr(mode).to_bytes() {
            match letter {
                b'r' => read = true,
                b'w' => write = true,
                other => {
                    let format = c"Invalid mode %c".as_ptr();
                    return luaL_error(state, format, c_int::from(other));
                }
            }
        }
        let how = match (read, write) {
            (true, true) => Shutdown::Both,
            (true, false) => Shutdown::Read,
            (false, true) => Shutdown::Write,
            (false, false) => {
                return luaL_error(state, c"mode should be r or/and w".as_ptr());
            }
        };
        net::shutdown(fd, how);
    }
    0
}
