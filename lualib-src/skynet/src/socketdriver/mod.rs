//! The module `skynet.socketdriver`: sockets for the Lua layer.

mod address;
mod buffer;
mod info;
pub mod received;
mod send;

use std::ptr;

use libc::{c_char, c_int};
use mlua_sys::{
    lua_Integer, lua_State, lua_isstring, lua_pushinteger, lua_pushlightuserdata, lua_touserdata,
    luaL_checkinteger, luaL_checklstring, luaL_error, luaL_optinteger,
};
use skynet_sys::{
    skynet_socket_bind, skynet_socket_close, skynet_socket_connect, skynet_socket_listen,
    skynet_socket_nodelay, skynet_socket_pause, skynet_socket_shutdown, skynet_socket_start,
    skynet_socket_udp, skynet_socket_udp_connect, skynet_socket_udp_dial, skynet_socket_udp_listen,
};

use crate::service::{context, open};
use crate::{Entry, listener};

const FREE: &[Entry] = &[
    (c"buffer", buffer::buffer),
    (c"push", buffer::push),
    (c"pop", buffer::pop),
    (c"drop", discard),
    (c"readall", buffer::readall),
    (c"clear", buffer::clear),
    (c"readline", buffer::readline),
    (c"str2p", str2p),
    (c"header", header),
    (c"info", info::info),
    (c"unpack", info::unpack),
];

/// Functions that have the service as their upvalue.
const BOUND: &[Entry] = &[
    (c"connect", connect),
    (c"close", close),
    (c"shutdown", shutdown),
    (c"listen", listen),
    (c"send", send::send),
    (c"lsend", send::lsend),
    (c"bind", bind),
    (c"start", start),
    (c"pause", pause),
    (c"nodelay", nodelay),
    (c"udp", udp),
    (c"udp_connect", udp_connect),
    (c"udp_dial", udp_dial),
    (c"udp_listen", udp_listen),
    (c"udp_send", send::udp_send),
    (c"udp_address", info::udp_address),
    (c"resolve", info::resolve),
];

/// Opens the module: pushes its table. The registry must hold the service as `skynet_context`.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_socketdriver(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe { open(state, BOUND, FREE) }
}

/// Pushes a new socket, or raises `failure`.
unsafe fn opened(state: *mut lua_State, id: c_int, failure: *const c_char) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if id < 0 {
            return luaL_error(state, failure);
        }
        lua_pushinteger(state, id.into());
    }
    1
}

/// `connect(address [, port])`: a new socket that begins to connect, or -1 when there is no room for one.
unsafe extern "C-unwind" fn connect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the host is on the stack.
    unsafe {
        let (host, port) = address::check(state, 1);
        if port == 0 {
            return luaL_error(state, c"Invalid port".as_ptr());
        }
        let id = skynet_socket_connect(context(state), host, port);
        lua_pushinteger(state, id.into());
    }
    1
}

/// Connections that wait to be accepted, unless `listen` says otherwise.
const BACKLOG: lua_Integer = 32;

/// `listen(address [, port [, backlog]])`: a new listening socket. With the port in the address, the second argument is
/// nil.
unsafe extern "C-unwind" fn listen(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the host is on the stack.
    unsafe {
        let backlog = luaL_optinteger(state, 3, BACKLOG) as c_int;
        let (host, port) = address::check(state, 1);
        listener::prepare(state);
        *libc::__errno_location() = 0;
        let id = skynet_socket_listen(context(state), host, port, backlog);
        if id < 0 {
            return cannot_listen(state, host, port);
        }
        listener::made(state, id);
        opened(state, id, c"Listen error".as_ptr())
    }
}

/// Raises, with what the system says in a second line: the core tells only that it failed, and leaves `errno` alone.
#[cold]
unsafe fn cannot_listen(state: *mut lua_State, host: *const c_char, port: c_int) -> c_int {
    let mut reason = [0; 128];
    // SAFETY: called by Lua; `reason` is written with an end within its length, and copied by Lua.
    unsafe {
        let problem = *libc::__errno_location();
        let host = if host.is_null() || *host == 0 {
            c"0.0.0.0".as_ptr()
        } else {
            host
        };
        if problem == 0 || libc::strerror_r(problem, reason.as_mut_ptr(), reason.len()) != 0 {
            return luaL_error(state, c"Listen error\n\tlisten %s:%d".as_ptr(), host, port);
        }
        let format = c"Listen error\n\tlisten %s:%d: %s".as_ptr();
        luaL_error(state, format, host, port, reason.as_ptr())
    }
}

/// `bind(fd)`: a new socket for a descriptor of the process.
unsafe extern "C-unwind" fn bind(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let fd = luaL_checkinteger(state, 1) as c_int;
        let id = skynet_socket_bind(context(state), fd);
        lua_pushinteger(state, id.into());
    }
    1
}

/// `close(id)`: closes a socket once everything is sent.
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { skynet_socket_close(context(state), luaL_checkinteger(state, 1) as c_int) };
    0
}

/// `shutdown(id)`: closes a socket at once.
unsafe extern "C-unwind" fn shutdown(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { skynet_socket_shutdown(context(state), luaL_checkinteger(state, 1) as c_int) };
    0
}

/// `start(id)`: lets the events of a socket in, to this service.
unsafe extern "C-unwind" fn start(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let id = luaL_checkinteger(state, 1) as c_int;
        listener::started(state, id);
        skynet_socket_start(context(state), id);
    }
    0
}

/// `pause(id)`: keeps what comes in out until `start`.
unsafe extern "C-unwind" fn pause(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { skynet_socket_pause(context(state), luaL_checkinteger(state, 1) as c_int) };
    0
}

/// `nodelay(id)`: sends without delay from now on.
unsafe extern "C-unwind" fn nodelay(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { skynet_socket_nodelay(context(state), luaL_checkinteger(state, 1) as c_int) };
    0
}

/// `udp([address [, port]])`: a new UDP socket, bound when there is an address.
unsafe extern "C-unwind" fn udp(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the host is on the stack.
    unsafe {
        // What is no text is no address to bind, whatever else it is.
        let (host, port) = if lua_isstring(state, 1) == 0 {
            (ptr::null(), 0)
        } else {
            address::check(state, 1)
        };
        let id = skynet_socket_udp(context(state), host, port);
        opened(state, id, c"udp init failed".as_ptr())
    }
}

/// `udp_connect(id, address [, port])`: sets where a UDP socket sends to.
unsafe extern "C-unwind" fn udp_connect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the host is on the stack.
    unsafe {
        let id = luaL_checkinteger(state, 1) as c_int;
        let (host, port) = address::check(state, 2);
        if skynet_socket_udp_connect(context(state), id, host, port) != 0 {
            return luaL_error(state, c"udp connect failed".as_ptr());
        }
    }
    0
}

/// `udp_dial(address [, port])`: a new UDP socket that sends to an address.
unsafe extern "C-unwind" fn udp_dial(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the host is on the stack.
    unsafe {
        let (host, port) = address::check(state, 1);
        let id = skynet_socket_udp_dial(context(state), host, port);
        opened(state, id, c"udp dial host failed".as_ptr())
    }
}

/// `udp_listen(address [, port])`: a new UDP socket, bound to an address.
unsafe extern "C-unwind" fn udp_listen(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the host is on the stack.
    unsafe {
        let (host, port) = address::check(state, 1);
        let id = skynet_socket_udp_listen(context(state), host, port);
        opened(state, id, c"udp listen host failed".as_ptr())
    }
}

/// `drop(message, size)`: frees a block that was received.
unsafe extern "C-unwind" fn discard(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the block is the caller's, by contract.
    unsafe {
        let message = lua_touserdata(state, 1);
        luaL_checkinteger(state, 2);
        libc::free(message);
    }
    0
}

/// `str2p(text)`: a copy of the string as a block of the C allocator, and its size.
unsafe extern "C-unwind" fn str2p(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; pushing these two values raises nothing.
    unsafe {
        let mut len = 0;
        let text = luaL_checklstring(state, 1, &mut len);
        let block = libc::malloc(len.max(1));
        if block.is_null() {
            return luaL_error(state, c"not enough memory".as_ptr());
        }
        libc::memcpy(block, text.cast(), len);
        lua_pushlightuserdata(state, block);
        lua_pushinteger(state, len as lua_Integer);
    }
    2
}

/// `header(bytes)`: the number that 1 to 4 bytes stand for, the highest first.
unsafe extern "C-unwind" fn header(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the bytes are an argument.
    unsafe {
        let mut len = 0;
        let text = luaL_checklstring(state, 1, &mut len);
        if !(1..=4).contains(&len) {
            return luaL_error(state, c"Invalid read %s".as_ptr(), text);
        }
        let bytes = std::slice::from_raw_parts(text.cast::<u8>(), len);
        let number = bytes
            .iter()
            .fold(0, |sum, &byte| sum << 8 | lua_Integer::from(byte));
        lua_pushinteger(state, number);
    }
    1
}
