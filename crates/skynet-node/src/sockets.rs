//! The functions of `skynet_socket.h` of this program's core, with the types that [`skynet_service`] has for them.

#![allow(
    clippy::missing_transmute_annotations,
    reason = "the fields have the types"
)]

use std::ffi::{c_char, c_int};
use std::mem::transmute;

use skynet_service::sys::sockets::Sockets;
use skynet_sys::{Context, SendBuffer};

type OfHost = unsafe extern "C" fn(*mut Context, *const c_char, c_int) -> c_int;
type OfId = unsafe extern "C" fn(*mut Context, c_int);

/// All of them.
pub(crate) fn all() -> Sockets {
    // SAFETY: the types differ in the names that the two crates have for the core's opaque context and for `struct socket_sendbuffer`, which
    // have one layout.
    unsafe {
        Sockets {
            connect: Some(transmute::<OfHost, _>(skynet_sys::skynet_socket_connect)),
            listen: Some(transmute::<
                unsafe extern "C" fn(*mut Context, *const c_char, c_int, c_int) -> c_int,
                _,
            >(skynet_sys::skynet_socket_listen)),
            close: Some(transmute::<OfId, _>(skynet_sys::skynet_socket_close)),
            shutdown: Some(transmute::<OfId, _>(skynet_sys::skynet_socket_shutdown)),
            start: Some(transmute::<OfId, _>(skynet_sys::skynet_socket_start)),
            pause: Some(transmute::<OfId, _>(skynet_sys::skynet_socket_pause)),
            nodelay: Some(transmute::<OfId, _>(skynet_sys::skynet_socket_nodelay)),
            sendbuffer: Some(transmute::<
                unsafe extern "C" fn(*mut Context, *mut SendBuffer) -> c_int,
                _,
            >(skynet_sys::skynet_socket_sendbuffer)),
            // The one of earlier releases.
            send: None,
            udp: Some(transmute::<OfHost, _>(skynet_sys::skynet_socket_udp)),
            udp_connect: Some(transmute::<
                unsafe extern "C" fn(*mut Context, c_int, *const c_char, c_int) -> c_int,
                _,
            >(skynet_sys::skynet_socket_udp_connect)),
            udp_dial: Some(transmute::<OfHost, _>(skynet_sys::skynet_socket_udp_dial)),
            udp_listen: Some(transmute::<OfHost, _>(skynet_sys::skynet_socket_udp_listen)),
            udp_sendbuffer: Some(transmute::<
                unsafe extern "C" fn(*mut Context, *const c_char, *mut SendBuffer) -> c_int,
                _,
            >(skynet_sys::skynet_socket_udp_sendbuffer)),
            udp_send: None,
            tells_when_drained: true,
        }
    }
}
