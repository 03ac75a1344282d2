//! The functions of `skynet_socket.h` of this program's core, for services in Rust.

use std::ffi::{c_char, c_int};

use skynet_service::sys::Context;
use skynet_service::sys::sockets::{SendBuffer, Sockets};

// As `skynet_socket.h` has them, with the types of the crate that calls them.
unsafe extern "C" {
    fn skynet_socket_connect(context: *mut Context, host: *const c_char, port: c_int) -> c_int;
    fn skynet_socket_listen(
        context: *mut Context,
        host: *const c_char,
        port: c_int,
        backlog: c_int,
    ) -> c_int;
    fn skynet_socket_close(context: *mut Context, id: c_int);
    fn skynet_socket_shutdown(context: *mut Context, id: c_int);
    fn skynet_socket_start(context: *mut Context, id: c_int);
    fn skynet_socket_pause(context: *mut Context, id: c_int);
    fn skynet_socket_nodelay(context: *mut Context, id: c_int);
    fn skynet_socket_sendbuffer(context: *mut Context, buffer: *mut SendBuffer) -> c_int;
    fn skynet_socket_udp(context: *mut Context, host: *const c_char, port: c_int) -> c_int;
    fn skynet_socket_udp_connect(
        context: *mut Context,
        id: c_int,
        host: *const c_char,
        port: c_int,
    ) -> c_int;
    fn skynet_socket_udp_dial(context: *mut Context, host: *const c_char, port: c_int) -> c_int;
    fn skynet_socket_udp_listen(context: *mut Context, host: *const c_char, port: c_int) -> c_int;
    fn skynet_socket_udp_sendbuffer(
        context: *mut Context,
        address: *const c_char,
        buffer: *mut SendBuffer,
    ) -> c_int;
}

/// All of them.
pub(crate) fn all() -> Sockets {
    Sockets {
        connect: Some(skynet_socket_connect),
        listen: Some(skynet_socket_listen),
        close: Some(skynet_socket_close),
        shutdown: Some(skynet_socket_shutdown),
        start: Some(skynet_socket_start),
        pause: Some(skynet_socket_pause),
        nodelay: Some(skynet_socket_nodelay),
        sendbuffer: Some(skynet_socket_sendbuffer),
        // The one of earlier releases.
        send: None,
        udp: Some(skynet_socket_udp),
        udp_connect: Some(skynet_socket_udp_connect),
        udp_dial: Some(skynet_socket_udp_dial),
        udp_listen: Some(skynet_socket_udp_listen),
        udp_sendbuffer: Some(skynet_socket_udp_sendbuffer),
        udp_send: None,
        tells_when_drained: true,
    }
}
