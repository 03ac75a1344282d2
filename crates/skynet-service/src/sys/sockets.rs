//! The functions of `skynet_socket.h`. Releases differ in them, so each may be missing; a node of tests has none.

use std::ffi::{c_char, c_int, c_void};
use std::io;

use super::{Context, function};

/// `struct socket_sendbuffer`.
#[repr(C)]
#[allow(missing_docs, reason = "socket_buffer.h describes them")]
pub struct SendBuffer {
    pub id: c_int,
    pub kind: c_int,
    pub buffer: *const c_void,
    pub len: usize,
}

/// `SOCKET_BUFFER_MEMORY`: a block of `skynet_malloc`, which the core takes over.
pub const MEMORY: c_int = 0;

/// `struct skynet_socket_message`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "skynet_socket.h describes them")]
pub struct SocketMessage {
    pub kind: c_int,
    pub id: c_int,
    pub ud: c_int,
    pub buffer: *mut c_char,
}

type OfHost = unsafe extern "C" fn(*mut Context, *const c_char, c_int) -> c_int;
type OfId = unsafe extern "C" fn(*mut Context, c_int);

/// The functions; `None` is one that this release lacks.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "skynet_socket.h describes them")]
pub struct Sockets {
    pub connect: Option<OfHost>,
    pub listen: Option<unsafe extern "C" fn(*mut Context, *const c_char, c_int, c_int) -> c_int>,
    pub close: Option<OfId>,
    pub shutdown: Option<OfId>,
    pub start: Option<OfId>,
    /// From v1.4.0 on.
    pub pause: Option<OfId>,
    pub nodelay: Option<OfId>,
    /// From v1.3.0 on; in earlier releases it is `send`.
    pub sendbuffer: Option<unsafe extern "C" fn(*mut Context, *mut SendBuffer) -> c_int>,
    pub send: Option<unsafe extern "C" fn(*mut Context, c_int, *mut c_void, c_int) -> c_int>,
    pub udp: Option<OfHost>,
    pub udp_connect:
        Option<unsafe extern "C" fn(*mut Context, c_int, *const c_char, c_int) -> c_int>,
    /// From v1.8.0 on.
    pub udp_dial: Option<OfHost>,
    /// From v1.8.0 on.
    pub udp_listen: Option<OfHost>,
    /// From v1.3.0 on; in earlier releases it is `udp_send`.
    pub udp_sendbuffer:
        Option<unsafe extern "C" fn(*mut Context, *const c_char, *mut SendBuffer) -> c_int>,
    pub udp_send: Option<
        unsafe extern "C" fn(*mut Context, c_int, *const c_char, *const c_void, c_int) -> c_int,
    >,
    /// The core says when what waited has been sent. From v1.1.0 on.
    pub tells_when_drained: bool,
}

impl Sockets {
    /// No sockets.
    pub const NONE: Sockets = Sockets {
        connect: None,
        listen: None,
        close: None,
        shutdown: None,
        start: None,
        pause: None,
        nodelay: None,
        sendbuffer: None,
        send: None,
        udp: None,
        udp_connect: None,
        udp_dial: None,
        udp_listen: None,
        udp_sendbuffer: None,
        udp_send: None,
        tells_when_drained: true,
    };

    /// What the process exports.
    pub(super) fn look_up() -> Sockets {
        // SAFETY: the symbols have these types in every release that has them.
        unsafe {
            Sockets {
                connect: function(c"skynet_socket_connect").ok(),
                listen: function(c"skynet_socket_listen").ok(),
                close: function(c"skynet_socket_close").ok(),
                shutdown: function(c"skynet_socket_shutdown").ok(),
                start: function(c"skynet_socket_start").ok(),
                pause: function(c"skynet_socket_pause").ok(),
                nodelay: function(c"skynet_socket_nodelay").ok(),
                sendbuffer: function(c"skynet_socket_sendbuffer").ok(),
                send: function(c"skynet_socket_send").ok(),
                udp: function(c"skynet_socket_udp").ok(),
                udp_connect: function(c"skynet_socket_udp_connect").ok(),
                udp_dial: function(c"skynet_socket_udp_dial").ok(),
                udp_listen: function(c"skynet_socket_udp_listen").ok(),
                udp_sendbuffer: function(c"skynet_socket_udp_sendbuffer").ok(),
                udp_send: function(c"skynet_socket_udp_send").ok(),
                // Another novelty of that release.
                tells_when_drained: super::symbol(c"skynet_profile_enable").is_ok(),
            }
        }
    }
}

/// A function that this release may lack.
pub(crate) fn need<F>(function: Option<F>, name: &str, since: &str) -> io::Result<F> {
    function.ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            format!(
                "this node has no function {name} (releases of the C core have it from {since} on)"
            ),
        )
    })
}
