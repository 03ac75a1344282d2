//! "skynet_socket.h": the node's sockets, for services.

use super::socket_buffer::SendBuffer;
use super::socket_info_v1_3::in_layout;
use super::socket_raw::{SendMode, address_behind, c_text, new_id, send};
use crate::actor::service::Context;
use crate::alloc::memory::uncharged;
pub use crate::base::message::SocketMessage;
use crate::base::message::socket_type;
use crate::base::release;
use crate::diag::crash::contain;
use crate::io::socket::{self, Poll, SocketInfo, server};
use libc::{c_char, c_int};
use std::ptr::null_mut;

/// The service behind a context, as the owner of sockets.
///
/// # Safety
/// `ctx` is null or a live context.
unsafe fn owner(ctx: *mut Context) -> Option<usize> {
    // SAFETY: contract of this function.
    unsafe { ctx.as_ref() }.map(|c| c.handle() as usize)
}

/// Makes the node's socket server.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_socket_init() {
    contain("skynet_socket_init", (), || {
        uncharged(|| {
            socket::init();
        })
    })
}

/// Tells the socket thread to end.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_socket_exit() {
    contain("skynet_socket_exit", (), || uncharged(socket::exit))
}

/// Closes all sockets. No thread may use them any more.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_socket_free() {
    contain("skynet_socket_free", (), || {
        // SAFETY: contract of this function, which C cannot say in its type.
        uncharged(|| unsafe { socket::free() })
    })
}

/// One turn of the socket thread: waits for events and sends them to the owners. 0: the thread shall end; 1: messages were
/// sent; -1: nothing was sent.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_socket_poll() -> c_int {
    contain("skynet_socket_poll", -1, || {
        uncharged(|| match socket::poll_once() {
            Poll::Exit => 0,
            Poll::Delivered(0) => -1,
            Poll::Delivered(_) => 1,
        })
    })
}

/// Nothing: the socket thread reads the clock itself.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_socket_updatetime() {}

/// Sends a buffer: 0, -1 if there is no such socket, or -2 if there is no memory for what has to wait (the socket is closed if a
/// part of it was out already). The buffer is released as its type asks for, in every case.
///
/// # Safety
/// `buffer` is null or describes what its type says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_sendbuffer(
    ctx: *mut Context,
    buffer: *mut SendBuffer,
) -> c_int {
    contain("skynet_socket_sendbuffer", -1, || {
        let _ = ctx;
        // SAFETY: contract of this function.
        unsafe { send(server(), buffer, SendMode::High) }
    })
}

/// As `skynet_socket_sendbuffer`, for data that may wait until everything else has been sent.
///
/// # Safety
/// As for `skynet_socket_sendbuffer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_sendbuffer_lowpriority(
    ctx: *mut Context,
    buffer: *mut SendBuffer,
) -> c_int {
    contain("skynet_socket_sendbuffer_lowpriority", -1, || {
        let _ = ctx;
        // SAFETY: contract of this function.
        unsafe { send(server(), buffer, SendMode::Low) }
    })
}

/// Listens; the id, or -1 if the address cannot be bound. A CONNECT message brings the bound address and port (in `ud`);
/// connections are accepted after `skynet_socket_start`. NULL means all of IPv4.
///
/// # Safety
/// `ctx` is a live context; `host` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_listen(
    ctx: *mut Context,
    host: *const c_char,
    port: c_int,
    backlog: c_int,
) -> c_int {
    contain("skynet_socket_listen", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { server()?.listen(owner(ctx)?, c_text(host), port, backlog) })
    })
}

/// Connects; the id, or -1 if there is no free slot. CONNECT or ERROR tells the outcome.
///
/// # Safety
/// `ctx` is a live context; `host` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_connect(
    ctx: *mut Context,
    host: *const c_char,
    port: c_int,
) -> c_int {
    contain("skynet_socket_connect", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { server()?.connect(owner(ctx)?, c_text(host)?, port) })
    })
}

/// Watches a descriptor of the service's own; the id, or -1 if there is no free slot.
///
/// # Safety
/// `ctx` is a live context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_bind(ctx: *mut Context, fd: c_int) -> c_int {
    contain("skynet_socket_bind", -1, || {
        // SAFETY: contract of this function.
        new_id(|| server()?.bind(unsafe { owner(ctx) }?, fd))
    })
}

/// Closes a socket when everything that is queued has been sent. An id that is gone is ignored.
///
/// # Safety
/// `ctx` is null or a live context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_close(ctx: *mut Context, id: c_int) {
    contain("skynet_socket_close", (), || {
        // SAFETY: contract of this function.
        let caller = unsafe { owner(ctx) }.unwrap_or(0);
        uncharged(|| server().into_iter().for_each(|s| s.close(caller, id)))
    })
}

/// Closes a socket at once; what is queued is dropped.
///
/// # Safety
/// `ctx` is null or a live context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_shutdown(ctx: *mut Context, id: c_int) {
    contain("skynet_socket_shutdown", (), || {
        // SAFETY: contract of this function.
        let caller = unsafe { owner(ctx) }.unwrap_or(0);
        uncharged(|| server().into_iter().for_each(|s| s.shutdown(caller, id)))
    })
}

/// Lets the events of a socket in; they go to this service from now on.
///
/// # Safety
/// `ctx` is a live context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_start(ctx: *mut Context, id: c_int) {
    contain("skynet_socket_start", (), || {
        uncharged(|| {
            // SAFETY: contract of this function.
            if let (Some(s), Some(owner)) = (server(), unsafe { owner(ctx) }) {
                s.start(owner, id);
            }
        })
    })
}

/// Keeps the read events of a socket out until the next start.
///
/// # Safety
/// None beyond C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_pause(ctx: *mut Context, id: c_int) {
    contain("skynet_socket_pause", (), || {
        let _ = ctx;
        uncharged(|| server().into_iter().for_each(|s| s.pause(id)))
    })
}

/// Sends without delay (TCP_NODELAY).
///
/// # Safety
/// None beyond C's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_nodelay(ctx: *mut Context, id: c_int) {
    contain("skynet_socket_nodelay", (), || {
        let _ = ctx;
        uncharged(|| server().into_iter().for_each(|s| s.nodelay(id)))
    })
}

/// A UDP socket, bound if `addr` or `port` is given; the id or -1. It needs no start.
///
/// # Safety
/// `ctx` is a live context; `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_udp(
    ctx: *mut Context,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    contain("skynet_socket_udp", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { server()?.udp(owner(ctx)?, c_text(addr), port) })
    })
}

/// Sets where a UDP socket sends to: 0, or -1 if there is no such socket or host.
///
/// # Safety
/// `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_udp_connect(
    ctx: *mut Context,
    id: c_int,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    contain("skynet_socket_udp_connect", -1, || {
        let _ = ctx;
        // SAFETY: contract of this function.
        uncharged(|| match (server(), unsafe { c_text(addr) }) {
            (Some(s), Some(h)) if s.udp_connect(id, h, port) => 0,
            _ => -1,
        })
    })
}

/// A UDP socket that sends to a host; the id or -1.
///
/// # Safety
/// `ctx` is a live context; `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_udp_dial(
    ctx: *mut Context,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    contain("skynet_socket_udp_dial", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { server()?.udp_dial(owner(ctx)?, c_text(addr)?, port) })
    })
}

/// A UDP socket that is bound to a port (not 0); the id or -1.
///
/// # Safety
/// `ctx` is a live context; `addr` is null or terminated.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_udp_listen(
    ctx: *mut Context,
    addr: *const c_char,
    port: c_int,
) -> c_int {
    contain("skynet_socket_udp_listen", -1, || {
        // SAFETY: contract of this function.
        new_id(|| unsafe { server()?.udp_listen(owner(ctx)?, c_text(addr), port) })
    })
}

/// Sends a datagram to `address` (as `skynet_socket_udp_address` gives it), or to the socket's own peer if that is NULL:
/// 0 or -1. The buffer is released in every case.
///
/// # Safety
/// As for `skynet_socket_sendbuffer`; `address` is null or as long as its first byte says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_udp_sendbuffer(
    ctx: *mut Context,
    address: *const c_char,
    buffer: *mut SendBuffer,
) -> c_int {
    contain("skynet_socket_udp_sendbuffer", -1, || {
        let _ = ctx;
        // SAFETY: contract of this function.
        unsafe { send(server(), buffer, SendMode::To(address.cast())) }
    })
}

/// Where a datagram came from: the address inside the message, and its length (7 or 19) in `addrsz`. NULL if the message
/// is no datagram.
///
/// # Safety
/// `msg` is null or a message of the socket protocol; `addrsz` is null or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_udp_address(
    msg: *mut SocketMessage,
    addrsz: *mut c_int,
) -> *const c_char {
    contain("skynet_socket_udp_address", std::ptr::null(), || {
        // SAFETY: contract of this function.
        unsafe {
            match msg.as_ref() {
                Some(m) if m.r#type == socket_type::UDP => address_behind(m.buffer, m.ud, addrsz),
                _ => std::ptr::null(),
            }
        }
    })
}

/// Statistics of all sockets, the highest slot first; release them with `socket_info_release`.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_socket_info() -> *mut SocketInfo {
    contain("skynet_socket_info", std::ptr::null_mut(), || {
        uncharged(|| {
            let info = server().map_or(null_mut(), |s| s.info());
            in_layout(release::version(), info)
        })
    })
}
