//! `unpack`, `info`, `resolve`, `udp_address`: what the network has to tell.

use std::ffi::CStr;
use std::{mem, ptr, slice};

use libc::{c_char, c_int, c_void};
use mlua_sys::lua_Integer;
use skynet_support::{State, lua_function};
use skynet_sys::{
    SocketInfo, SocketMessage, info_type, skynet_socket_info, skynet_socket_udp_address,
    socket_info_release, socket_type,
};

use crate::protect;

unsafe extern "C" {
    fn inet_ntop(family: c_int, from: *const c_void, to: *mut c_char, size: u32) -> *const c_char;
}

/// `INET6_ADDRSTRLEN`.
const ADDRESS_TEXT: usize = 46;

/// `unpack(message, size)`: type, id, ud and the text or block of a socket message; with a datagram, its sender too.
pub fn unpack(state: State<'_>) -> c_int {
    let message: *mut SocketMessage = state.to_userdata(1).cast();
    let size = state.check_integer(2);
    let text = usize::try_from(size).ok();
    let text = text.and_then(|size| size.checked_sub(size_of::<SocketMessage>()));
    let (false, Some(text_len)) = (message.is_null(), text) else {
        state.error(c"Invalid socket message");
    };
    // SAFETY: who passes a socket message says that it is one of that size, of the core's, which is valid for the call.
    let (fields, text) = unsafe {
        let text = message.add(1).cast::<u8>();
        (&*message, slice::from_raw_parts(text, text_len))
    };
    state.push_integer(fields.r#type.into());
    state.push_integer(fields.id.into());
    state.push_integer(fields.ud.into());
    if fields.buffer.is_null() {
        state.push_bytes(text);
    } else {
        state.push_light(fields.buffer);
    }
    if fields.r#type == socket_type::UDP {
        let mut len = 0;
        // SAFETY: as above; the core answers null, or an address of `len` bytes in the message.
        let address = unsafe {
            let address = skynet_socket_udp_address(message, &mut len);
            (!address.is_null()).then(|| slice::from_raw_parts(address.cast(), len as usize))
        };
        if let Some(address) = address {
            state.push_bytes(address);
            return 5;
        }
    }
    4
}

/// `info()`: a list of tables, one for each socket.
pub fn info(state: State<'_>) -> c_int {
    // SAFETY: no precondition.
    let sockets = unsafe { skynet_socket_info() };
    // SAFETY: the list is this function's until it is released.
    protect::with(
        state,
        lua_function!(unsafe list),
        sockets,
        |sockets| unsafe {
            socket_info_release(sockets);
        },
    );
    1
}

fn list(state: State<'_>) -> c_int {
    let mut next: *const SocketInfo = state.to_userdata(1).cast();
    state.create_table(0, 0);
    let mut count: lua_Integer = 0;
    // SAFETY: the list of `info`, which keeps it alive; it ends with null.
    while let Some(socket) = unsafe { next.as_ref() } {
        describe(state, socket);
        count += 1;
        state.raw_set_i(-2, count);
        next = socket.next;
    }
    1
}

/// Pushes the table of one socket.
fn describe(state: State<'_>, socket: &SocketInfo) {
    let number = |name: &CStr, value: lua_Integer| {
        state.push_integer(value);
        state.set_field(-2, name);
    };
    let text = |name: &CStr, value: &CStr| {
        state.push_text(value);
        state.set_field(-2, name);
    };
    let (kind, peer) = match socket.r#type {
        info_type::LISTEN => (c"LISTEN", c"sock"),
        info_type::TCP => (c"TCP", c"peer"),
        info_type::UDP => (c"UDP", c"peer"),
        info_type::BIND => (c"BIND", c"peer"),
        info_type::CLOSING => (c"CLOSING", c"peer"),
        _ => (c"UNKNOWN", c""),
    };
    state.create_table(0, 12);
    number(c"id", socket.id.into());
    number(c"address", socket.opaque as lua_Integer);
    text(c"type", kind);
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
                state.push_boolean(value != 0);
                state.set_field(-2, name);
            }
        }
        _ => return,
    }
    if socket.name[0] != 0 {
        // SAFETY: the core ends the name with a NUL.
        text(peer, unsafe { CStr::from_ptr(socket.name.as_ptr()) });
    }
}

/// `resolve(host)`: a list of its addresses as texts, one for each kind of socket that can reach it. Blocks the thread.
pub fn resolve(state: State<'_>) -> c_int {
    let host = state.check_text(1);
    let mut found = ptr::null_mut();
    // SAFETY: zeroes are hints that ask for everything; the answer is a list, or the number of a text that is a literal.
    unsafe {
        let hints: libc::addrinfo = mem::zeroed();
        let status = libc::getaddrinfo(host.as_ptr(), ptr::null(), &hints, &mut found);
        if status != 0 {
            state.error(CStr::from_ptr(libc::gai_strerror(status)));
        }
    }
    // SAFETY: the list is this function's until it is released.
    protect::with(
        state,
        lua_function!(unsafe addresses),
        found,
        |found| unsafe {
            libc::freeaddrinfo(found);
        },
    );
    1
}

fn addresses(state: State<'_>) -> c_int {
    let mut entry: *const libc::addrinfo = state.to_userdata(1).cast();
    state.create_table(0, 0);
    let mut count: lua_Integer = 0;
    // SAFETY: the list of `resolve`, which keeps it alive; it ends with null.
    while let Some(found) = unsafe { entry.as_ref() } {
        let is_v4 = found.ai_family == libc::AF_INET;
        // SAFETY: an address has the type of its family; only what is within that is looked at.
        let address: *const c_void = unsafe {
            if is_v4 {
                (&raw const (*found.ai_addr.cast::<libc::sockaddr_in>()).sin_addr).cast()
            } else {
                (&raw const (*found.ai_addr.cast::<libc::sockaddr_in6>()).sin6_addr).cast()
            }
        };
        if push_address(state, found.ai_family, address) {
            count += 1;
            state.raw_set_i(-2, count);
        }
        entry = found.ai_next;
    }
    1
}

/// Pushes the text of an address; false, and nothing, for a family that has none.
fn push_address(state: State<'_>, family: c_int, address: *const c_void) -> bool {
    let mut text = [0; ADDRESS_TEXT];
    // SAFETY: the address has the size that its family says; the text has room for the longest, and its end.
    let text = unsafe {
        let size = text.len() as u32;
        if inet_ntop(family, address, text.as_mut_ptr(), size).is_null() {
            return false;
        }
        CStr::from_ptr(text.as_ptr())
    };
    state.push_text(text);
    true
}

/// `udp_address(address)`: IP address and port of an address that `unpack` gave.
pub fn udp_address(state: State<'_>) -> c_int {
    let address = state.check_bytes(1);
    let family = match address.len() {
        7 => libc::AF_INET,
        19 => libc::AF_INET6,
        _ => state.error(c"Invalid udp address"),
    };
    let port = u16::from_be_bytes([address[1], address[2]]);
    if !push_address(state, family, address[3..].as_ptr().cast()) {
        state.error(c"Invalid udp address");
    }
    state.push_integer(port.into());
    2
}
