//! Three functions that are inline in the headers since v1.3.0, and that services compiled before still look for.

use super::socket_buffer::SendBuffer;
use super::socket_raw::{SendMode, send};
use crate::actor::service::Context;
use crate::diag::crash::contain;
use crate::io::socket::server;
use libc::{c_char, c_int, c_void};

/// Sends `sz` bytes of the C allocator, or a user object if `sz` is negative; takes them over. 0, or -1 without a socket.
///
/// # Safety
/// `buffer` is what `sz` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_send(
    ctx: *mut Context,
    id: c_int,
    buffer: *mut c_void,
    sz: c_int,
) -> c_int {
    contain("skynet_socket_send", -1, || {
        let _ = ctx;
        // SAFETY: contract of this function.
        unsafe {
            send(
                server(),
                &SendBuffer::from_parts(id, buffer, sz),
                SendMode::High,
            )
        }
    })
}

/// The same with low priority. (v1.0.0 gave no result; its callers do not look.)
///
/// # Safety
/// As for `skynet_socket_send`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_send_lowpriority(
    ctx: *mut Context,
    id: c_int,
    buffer: *mut c_void,
    sz: c_int,
) -> c_int {
    contain("skynet_socket_send_lowpriority", -1, || {
        let _ = ctx;
        // SAFETY: contract of this function.
        unsafe {
            send(
                server(),
                &SendBuffer::from_parts(id, buffer, sz),
                SendMode::Low,
            )
        }
    })
}

/// Sends a datagram.
///
/// # Safety
/// As for `skynet_socket_send`; `address` is null or as long as its first byte says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_socket_udp_send(
    ctx: *mut Context,
    id: c_int,
    address: *const c_char,
    buffer: *const c_void,
    sz: c_int,
) -> c_int {
    contain("skynet_socket_udp_send", -1, || {
        let _ = ctx;
        // SAFETY: contract of this function.
        unsafe {
            send(
                server(),
                &SendBuffer::from_parts(id, buffer, sz),
                SendMode::To(address.cast()),
            )
        }
    })
}
