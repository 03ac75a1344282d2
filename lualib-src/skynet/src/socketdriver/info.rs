//! `unpack`, `info`, `resolve`, `udp_address`: what the network has to tell.

use std::ffi::CStr;
use std::mem;
use std::ptr;

use crate::protect;
use libc::{c_char, c_int, c_void};
use mlua_sys::{
    lua_Integer, lua_State, lua_createtable, lua_pushboolean, lua_pushinteger,
    lua_pushlightuserdata, lua_pushlstring, lua_pushstring, lua_rawseti, lua_setfield,
    lua_touserdata, luaL_checkinteger, luaL_checklstring, luaL_error,
};
use skynet_sys::{
    SocketInfo, SocketMessage, info_type, skynet_socket_info, skynet_socket_udp_address,
    socket_info_release, socket_type,
};

unsafe extern "C" {
    fn inet_ntop(family: c_int, from: *const c_void, to: *mut c_char, size: u32) -> *const c_char;
}

/// `INET6_ADDRSTRLEN`.
const ADDRESS_TEXT: usize = 46;

/// `unpack(message, size)`: type, id, ud and the text or block of a socket message; with a datagram, its sender too.
pub unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the message is the core's, valid for the call.
    unsafe {
        let message: *mut SocketMessage = lua_touserdata(state, 1).cast();
        let size = luaL_checkinteger(state, 2);
        let text = usize::try_from(size).ok();
        let text = text.and_then(|size| size.checked_sub(size_of::<SocketMessage>()));
        let (false, Some(text)) = (message.is_null(), text) else {
            return luaL_error(state, c"Invalid socket message".as_ptr());
        };
        lua_pushinteger(state, (*message).r#type.into());
        lua_pushinteger(state, (*message).id.into());
        lua_pushinteger(state, (*message).ud.into());
        if (*message).buffer.is_null() {
            lua_pushlstring(state, message.add(1).cast(), text);
        } else {
            lua_pushlightuserdata(state, (*message).buffer.cast());
        }
        if (*message).r#type == socket_type::UDP {
            let mut len = 0;
            let address = skynet_socket_udp_address(message, &mut len);
            if !address.is_null() {
                lua_pushlstring(state, address, len as usize);
                return 5;
            }
        }
    }
    4
}

/// `info()`: a list of tables, one for each socket.
pub unsafe extern "C-unwind" fn info(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the list is ours until it is released.
    unsafe { protect::with(state, list, skynet_socket_info(), socket_info_release) };
    1
}

unsafe extern "C-unwind" fn list(state: *mut lua_State) -> c_int {
    // SAFETY: called by `info` with the list, which it keeps alive.
    unsafe {
        let mut socket: *const SocketInfo = lua_touserdata(state, 1).cast();
        lua_createtable(state, 0, 0);
        let mut count: lua_Integer = 0;
        while !socket.is_null() {
            describe(state, &*socket);
            count += 1;
            lua_rawseti(state, -2, count);
            socket = (*socket).next;
        }
    }
    1
}

/// Pushes the table of one socket.
unsafe fn describe(state: *mut lua_State, socket: &SocketInfo) {
    let number = |name: &CStr, value: lua_Integer| {
        // SAFETY: called by Lua; the table is at the top.
        unsafe {
            lua_pushinteger(state, value);
            lua_setfield(state, -2, name.as_ptr());
        }
    };
    let text = |name: &CStr, value: *const c_char| {
        // SAFETY: as above; the value is a C string.
        unsafe {
            lua_pushstring(state, value);
            lua_setfield(state, -2, name.as_ptr());
        }
    };
    let (kind, peer) = match socket.r#type {
        info_type::LISTEN => (c"LISTEN", c"sock"),
        info_type::TCP => (c"TCP", c"peer"),
        info_type::UDP => (c"UDP", c"peer"),
        info_type::BIND => (c"BIND", c"peer"),
        info_type::CLOSING => (c"CLOSING", c"peer"),
        _ => (c"UNKNOWN", c""),
    };
    // SAFETY: called by Lua with room on the stack.
    unsafe { lua_createtable(state, 0, 12) };
    number(c"id", socket.id.into());
    number(c"address", socket.opaque as lua_Integer);
    text(c"type", kind.as_ptr());
    match socket.r#type {
        info_type::LISTEN => {
            number(c"accept", socket.read as lua_Integer);
            number(c"rtime", socket.rtime as lua_Integer);
        }
        info_type::TCP..=info_type::CLOSING => {
            number(c"read", socket.read as lua_Integer);
            number(c"write", socket.write as lua_Integer);
            number(c"wbuffer", socket.wbuffer);
            number(c"rtime", socket.rtime as lua_Integer);
            number(c"wtime", socket.wtime as lua_Integer);
            for (name, value) in [(c"reading", socket.reading), (c"writing", socket.writing)] {
                // SAFETY: as above.
                unsafe {
                    lua_pushboolean(state, value.into());
                    lua_setfield(state, -2, name.as_ptr());
                }
            }
        }
        _ => return,
    }
    if socket.name[0] != 0 {
        text(peer, socket.name.as_ptr());
    }
}

/// `resolve(host)`: a list of its addresses as texts, one for each kind of socket that can reach it. Blocks the thread.
pub unsafe extern "C-unwind" fn resolve(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; zeroes are hints that ask for everything, and the list is ours until it is released.
    unsafe {
        let host = luaL_checklstring(state, 1, ptr::null_mut());
        let hints: libc::addrinfo = mem::zeroed();
        let mut found = ptr::null_mut();
        let status = libc::getaddrinfo(host, ptr::null(), &hints, &mut found);
        if status != 0 {
            return luaL_error(state, c"%s".as_ptr(), libc::gai_strerror(status));
        }
        protect::with(state, addresses, found, libc::freeaddrinfo);
    }
    1
}

unsafe extern "C-unwind" fn addresses(state: *mut lua_State) -> c_int {
    // SAFETY: called by `resolve` with the list, which it keeps alive; an address has the type of its family.
    unsafe {
        let mut entry: *const libc::addrinfo = lua_touserdata(state, 1).cast();
        lua_createtable(state, 0, 0);
        let mut count: lua_Integer = 0;
        while let Some(found) = entry.as_ref() {
            let address: *const c_void = if found.ai_family == libc::AF_INET {
                (&raw const (*found.ai_addr.cast::<libc::sockaddr_in>()).sin_addr).cast()
            } else {
                (&raw const (*found.ai_addr.cast::<libc::sockaddr_in6>()).sin6_addr).cast()
            };
            if push_address(state, found.ai_family, address) {
                count += 1;
                lua_rawseti(state, -2, count);
            }
            entry = found.ai_next;
        }
    }
    1
}

/// Pushes the text of an address; false, and nothing, for a family that has none.
unsafe fn push_address(state: *mut lua_State, family: c_int, address: *const c_void) -> bool {
    let mut text = [0; ADDRESS_TEXT];
    // SAFETY: the address has the size that its family says; the text has room for the longest.
    unsafe {
        let size = text.len() as u32;
        if inet_ntop(family, address, text.as_mut_ptr(), size).is_null() {
            return false;
        }
        lua_pushstring(state, text.as_ptr());
    }
    true
}

/// `udp_address(address)`: IP address and port of an address that `unpack` gave.
pub unsafe extern "C-unwind" fn udp_address(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the bytes are an argument, and of the length that is checked.
    unsafe {
        let mut len = 0;
        let bytes: *const u8 = luaL_checklstring(state, 1, &mut len).cast();
        let family = match len {
            7 => libc::AF_INET,
            19 => libc::AF_INET6,
            _ => return luaL_error(state, c"Invalid udp address".as_ptr()),
        };
        if !push_address(state, family, bytes.add(3).cast()) {
            return luaL_error(state, c"Invalid udp address".as_ptr());
        }
        let port = u16::from_be_bytes(bytes.add(1).cast::<[u8; 2]>().read());
        lua_pushinteger(state, port.into());
    }
    2
}
