//! "socket_server.h": the socket server by itself, for hosts that run their own loop.

use super::socket_buffer::SendBuffer;
use super::socket_info_v1_3::in_layout;
use super::socket_raw::{
    SendMode, ServerMessage, SocketServer, UdpAddress, address_behind, c_text, new_id, send,
};
use crate::alloc::memory::uncharged;
use crate::base::release;
use crate::diag::crash::contain;
use crate::io::socket::event::kind;
use crate::io::socket::{self, ObjectInterface, SocketInfo};
use libc::{c_char, c_int};
use std::ptr::null_mut;

/// The server behind a pointer of C.
///
/// # Safety
/// `ss` is null or came from `socket_server_create` and was not released.
unsafe fn core<'a>(ss: *mut SocketServer) -> Option<&'a socket::SocketServer> {
    // SAFETY: contract of this function.
    unsafe { ss.as_ref() }.map(|s| s.core())
}

/// Makes a server; `time` is the first time of its statistics in centiseconds. NULL if the system has no descriptors.
#[unsafe(no_mangle)]
pub extern "C" fn socket_server_create(time: u64) -> *mut SocketServer {
    contain("socket_server_create", std::ptr::null_mut(), || {
        uncharged(|| match SocketServer::create(time) {
            Some(server) => Box::into_raw(Box::new(server)),
            None => null_mut(),
        })
    })
}

/// Closes everything and releases the server.
///
/// # Safety
/// No thread uses the server any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_release(ss: *mut SocketServer) {
    contain("socket_server_release", (), || {
        uncharged(|| {
            if !ss.is_null() {
                // SAFETY: it came from `socket_server_create`, and the caller gives it up.
                drop(unsafe { Box::from_raw(ss) });
            }
        })
    })
}

/// Sets the time of the statistics, in centiseconds.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_updatetime(ss: *mut SocketServer, time: u64) {
    contain("socket_server_updatetime", (), || {
        // SAFETY: contract of this function.
        if let Some(s) = unsafe { core(ss) } {
            s.update_time(time);
        }
    })
}

/// Waits for the next event and answers its kind (`SOCKET_*`). `more` (if not null) becomes 0 when it had to wait. The
/// receiver frees the bytes of data and UDP events; texts are valid until the next call. For one thread at a time.
///
/// # Safety
/// `ss` is a server, `result` is writable, `more` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_poll(
    ss: *mut SocketServer,
    result: *mut ServerMessage,
    more: *mut c_int,
) -> c_int {
    contain("socket_server_poll", -1, || {
        uncharged(|| {
            // SAFETY: contract of this function.
            let (Some(ss), false) = (unsafe { ss.as_ref() }, result.is_null()) else {
                return kind::EXIT;
            };
            let (kind, message, waited) = ss.poll();
            // SAFETY: writable by contract.
            unsafe { result.write(message) };
            if waited && !more.is_null() {
                // SAFETY: writable by contract.
                unsafe { *more = 0 };
            }
            kind
        })
    })
}

/// Tells the polling thread to end: `socket_server_poll` answers `SOCKET_EXIT`.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_exit(ss: *mut SocketServer) {
    contain("socket_server_exit", (), || {
        uncharged(|| {
            // SAFETY: contract of this function.
            unsafe { core(ss) }.into_iter().for_each(|s| s.exit())
        })
    })
}

/// Closes a socket when everything that is queued has been sent. An id that is gone is ignored.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_close(ss: *mut SocketServer, opaque: usize, id: c_int) {
    contain("socket_server_close", (), || {
        uncharged(|| {
            // SAFETY: contract of this function.
            let server = unsafe { core(ss) };
            server.into_iter().for_each(|s| s.close(opaque, id))
        })
    })
}

/// Closes a socket at once; what is queued is dropped.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_shutdown(ss: *mut SocketServer, opaque: usize, id: c_int) {
    contain("socket_server_shutdown", (), || {
        uncharged(|| {
            // SAFETY: contract of this function.
            let server = unsafe { core(ss) };
            server.into_iter().for_each(|s| s.shutdown(opaque, id))
        })
    })
}

/// Lets the events of a socket in; they go to `opaque` from now on.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_start(ss: *mut SocketServer, opaque: usize, id: c_int) {
    contain("socket_server_start", (), || {
        uncharged(|| {
            // SAFETY: contract of this function.
            unsafe { core(ss) }
                .into_iter()
                .for_each(|s| s.start(opaque, id))
        })
    })
}

/// Keeps the read events of a socket out until the next start.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_pause(ss: *mut SocketServer, opaque: usize, id: c_int) {
    contain("socket_server_pause", (), || {
        let _ = opaque;
        uncharged(|| {
            // SAFETY: contract of this function.
            unsafe { core(ss) }.into_iter().for_each(|s| s.pause(id))
        })
    })
}

/// Sends a buffer: 0, -1 if there is no such socket, or -2 if there is no memory for what has to wait (the socket is closed if a
/// part of it was out already). The buffer is released as its type asks for, in every case.
///
/// # Safety
/// `ss` is null or a server; `buffer` is null or describes what its type says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_send(
    ss: *mut SocketServer,
    buffer: *mut SendBuffer,
) -> c_int {
    contain("socket_server_send", -1, || {
        // SAFETY: contract of this function.
        unsafe { send(core(ss), buffer, SendMode::High) }
    })
}

/// As `socket_server_send`, for data that may wait until everything else has been sent.
///
/// # Safety
/// As for `socket_server_send`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_send_lowpriority(
    ss: *mut SocketServer,
    buffer: *mut SendBuffer,
) -> c_int {
    contain("socket_server_send_lowpriority", -1, || {
        // SAFETY: contract of this function.
        unsafe { send(core(ss), buffer, SendMode::Low) }
    })
}

/// Listens; the id, or -1 if the address cannot be bound. The bound address comes as an event. NULL means all of IPv4.
///
/// # Safety
/// `ss` is null or a server; `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_listen(
    ss: *mut SocketServer,
    opaque: usize,
    addr: *const c_char,
    port: c_int,
    backlog: c_int,
) -> c_int {
    contain("socket_server_listen", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { core(ss)?.listen(opaque, c_text(addr), port, backlog) })
    })
}

/// Connects; the id, or -1 if there is no free slot. The outcome comes as an event.
///
/// # Safety
/// `ss` is null or a server; `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_connect(
    ss: *mut SocketServer,
    opaque: usize,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    contain("socket_server_connect", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { core(ss)?.connect(opaque, c_text(addr)?, port) })
    })
}

/// Watches a descriptor of the caller's own; the id, or -1 if there is no free slot.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_bind(
    ss: *mut SocketServer,
    opaque: usize,
    fd: c_int,
) -> c_int {
    contain("socket_server_bind", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { core(ss) }?.bind(opaque, fd))
    })
}

/// Sends without delay (TCP_NODELAY).
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_nodelay(ss: *mut SocketServer, id: c_int) {
    contain("socket_server_nodelay", (), || {
        uncharged(|| {
            // SAFETY: contract of this function.
            unsafe { core(ss) }.into_iter().for_each(|s| s.nodelay(id))
        })
    })
}

/// A UDP socket, bound if `addr` or `port` is given; the id or -1. It needs no start.
///
/// # Safety
/// `ss` is null or a server; `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_udp(
    ss: *mut SocketServer,
    opaque: usize,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    contain("socket_server_udp", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { core(ss)?.udp(opaque, c_text(addr), port) })
    })
}

/// Sets where a UDP socket sends to: 0, or -1 if there is no such socket or host.
///
/// # Safety
/// `ss` is null or a server; `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_udp_connect(
    ss: *mut SocketServer,
    id: c_int,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    contain("socket_server_udp_connect", -1, || {
        // SAFETY: contract of this function.
        let (server, host) = unsafe { (core(ss), c_text(addr)) };
        uncharged(|| match (server, host) {
            (Some(s), Some(h)) if s.udp_connect(id, h, port) => 0,
            _ => -1,
        })
    })
}

/// A UDP socket that sends to a host; the id or -1.
///
/// # Safety
/// `ss` is null or a server; `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_udp_dial(
    ss: *mut SocketServer,
    opaque: usize,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    contain("socket_server_udp_dial", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { core(ss)?.udp_dial(opaque, c_text(addr)?, port) })
    })
}

/// A UDP socket that is bound to a port (not 0); the id or -1.
///
/// # Safety
/// `ss` is null or a server; `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_udp_listen(
    ss: *mut SocketServer,
    opaque: usize,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    contain("socket_server_udp_listen", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { core(ss)?.udp_listen(opaque, c_text(addr), port) })
    })
}

/// Sends a datagram to `addr`, or to the socket's own peer if that is NULL: 0 or -1. The buffer is released in every case.
///
/// # Safety
/// As for `socket_server_send`; `addr` is null or as long as its first byte says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_udp_send(
    ss: *mut SocketServer,
    addr: *const UdpAddress,
    buffer: *mut SendBuffer,
) -> c_int {
    contain("socket_server_udp_send", -1, || {
        // SAFETY: contract of this function.
        unsafe { send(core(ss), buffer, SendMode::To(addr)) }
    })
}

/// Where a datagram came from: the address inside the message, and its length (7 or 19) in `addrsz`.
///
/// # Safety
/// `msg` is null or a message of the kind `SOCKET_UDP`; `addrsz` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_udp_address(
    ss: *mut SocketServer,
    msg: *mut ServerMessage,
    addrsz: *mut c_int,
) -> *const UdpAddress {
    contain("socket_server_udp_address", std::ptr::null(), || {
        let _ = ss;
        // SAFETY: contract of this function.
        unsafe {
            match msg.as_ref() {
                Some(m) => address_behind(m.data, m.ud, addrsz).cast(),
                None => std::ptr::null(),
            }
        }
    })
}

/// Says how buffers of the type `SOCKET_BUFFER_OBJECT` are handled. Call it before the first such buffer is sent.
///
/// # Safety
/// `ss` is null or a server; `soi` is null or readable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_userobject(
    ss: *mut SocketServer,
    soi: *mut ObjectInterface,
) {
    contain("socket_server_userobject", (), || {
        // SAFETY: contract of this function.
        if let (Some(s), Some(interface)) = unsafe { (core(ss), soi.as_ref()) } {
            s.set_objects(*interface);
        }
    })
}

/// Statistics of all sockets, the highest slot first; release them with `socket_info_release`.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_info(ss: *mut SocketServer) -> *mut SocketInfo {
    contain("socket_server_info", std::ptr::null_mut(), || {
        uncharged(|| {
            // SAFETY: contract of this function.
            let info = unsafe { core(ss) }.map_or(null_mut(), |s| s.info());
            in_layout(release::version(), info)
        })
    })
}
