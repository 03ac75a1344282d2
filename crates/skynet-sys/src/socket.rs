//! Sockets: "skynet_socket.h", "socket_info.h" and "socket_buffer.h".

use libc::{c_char, c_int, c_void};

use crate::Context;

/// Kinds of a [`SocketMessage`] (`SKYNET_SOCKET_TYPE_*`).
pub mod socket_type {
    use libc::c_int;

    /// Bytes have come: `ud` of them at `buffer`.
    pub const DATA: c_int = 1;
    /// The socket is open; a text says how. `ud` is the port of a listening socket.
    pub const CONNECT: c_int = 2;
    /// The socket is gone.
    pub const CLOSE: c_int = 3;
    /// A listening socket has the new socket `ud`; a text gives its address.
    pub const ACCEPT: c_int = 4;
    /// The socket failed; a text says why.
    pub const ERROR: c_int = 5;
    /// A datagram of `ud` bytes at `buffer`; the address of its sender follows the bytes.
    pub const UDP: c_int = 6;
    /// `ud` KiB wait to be sent.
    pub const WARNING: c_int = 7;
}

/// `struct skynet_socket_message`, the message of type `PTYPE_SOCKET`.
#[repr(C)]
pub struct SocketMessage {
    /// One of [`socket_type`].
    pub r#type: c_int,
    /// The socket.
    pub id: c_int,
    /// By type.
    pub ud: c_int,
    /// A block of the C allocator that the receiver owns; null when a text follows this structure instead.
    pub buffer: *mut c_char,
}

/// `SOCKET_BUFFER_MEMORY`: a block of the C allocator; the core takes it over.
pub const SOCKET_BUFFER_MEMORY: c_int = 0;
/// `SOCKET_BUFFER_OBJECT`: an object of the host; the core takes it over.
pub const SOCKET_BUFFER_OBJECT: c_int = 1;
/// `SOCKET_BUFFER_RAWPOINTER`: bytes that stay with the caller.
pub const SOCKET_BUFFER_RAWPOINTER: c_int = 2;

/// `struct socket_sendbuffer`: bytes to send.
#[repr(C)]
pub struct SendBuffer {
    /// The socket.
    pub id: c_int,
    /// `SOCKET_BUFFER_*`.
    pub r#type: c_int,
    /// The bytes, or the object.
    pub buffer: *const c_void,
    /// Number of bytes; ignored for objects.
    pub sz: usize,
}

/// Kinds of a [`SocketInfo`] (`SOCKET_INFO_*`).
#[allow(missing_docs)]
pub mod info_type {
    use libc::c_int;

    pub const LISTEN: c_int = 1;
    pub const TCP: c_int = 2;
    pub const UDP: c_int = 3;
    pub const BIND: c_int = 4;
    pub const CLOSING: c_int = 5;
}

/// `struct socket_info`: statistics of a socket, in a list.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SocketInfo {
    /// The socket.
    pub id: c_int,
    /// One of [`info_type`].
    pub r#type: c_int,
    /// Handle of the owner.
    pub opaque: u64,
    /// Bytes received; accepted connections for a listening socket.
    pub read: u64,
    /// Bytes sent.
    pub write: u64,
    /// Centisecond of the last receipt.
    pub rtime: u64,
    /// Centisecond of the last sending.
    pub wtime: u64,
    /// Bytes that wait to be sent.
    pub wbuffer: i64,
    /// Read events are watched for.
    pub reading: u8,
    /// The socket waits for room to write.
    pub writing: u8,
    /// `ip:port`: the local address of a listening socket, else the peer's. Terminated; may be empty.
    pub name: [c_char; 128],
    /// The next one; null at the end.
    pub next: *mut SocketInfo,
}

unsafe extern "C" {
    /// Starts to connect; the id, or -1 when there is no room. A message tells the outcome.
    pub fn skynet_socket_connect(context: *mut Context, host: *const c_char, port: c_int) -> c_int;

    /// Listens; the id, or -1.
    pub fn skynet_socket_listen(
        context: *mut Context,
        host: *const c_char,
        port: c_int,
        backlog: c_int,
    ) -> c_int;

    /// Watches a descriptor; the id, or -1.
    pub fn skynet_socket_bind(context: *mut Context, fd: c_int) -> c_int;

    /// Closes a socket once everything is sent.
    pub fn skynet_socket_close(context: *mut Context, id: c_int);

    /// Closes a socket at once.
    pub fn skynet_socket_shutdown(context: *mut Context, id: c_int);

    /// Lets the events of a socket in; they go to this service from now on.
    pub fn skynet_socket_start(context: *mut Context, id: c_int);

    /// Keeps what comes in out until the next start.
    pub fn skynet_socket_pause(context: *mut Context, id: c_int);

    /// Sends without delay (TCP_NODELAY).
    pub fn skynet_socket_nodelay(context: *mut Context, id: c_int);

    /// Sends bytes: 0, or -1 when there is no such socket. The buffer is taken over in both cases.
    pub fn skynet_socket_sendbuffer(context: *mut Context, buffer: *mut SendBuffer) -> c_int;

    /// [`skynet_socket_sendbuffer`] for bytes that may wait for all others.
    pub fn skynet_socket_sendbuffer_lowpriority(
        context: *mut Context,
        buffer: *mut SendBuffer,
    ) -> c_int;

    /// A UDP socket, bound when an address or a port is given; the id, or -1.
    pub fn skynet_socket_udp(context: *mut Context, host: *const c_char, port: c_int) -> c_int;

    /// Sets where a UDP socket sends to: 0, or -1.
    pub fn skynet_socket_udp_connect(
        context: *mut Context,
        id: c_int,
        host: *const c_char,
        port: c_int,
    ) -> c_int;

    /// A UDP socket that sends to a host; the id, or -1.
    pub fn skynet_socket_udp_dial(context: *mut Context, host: *const c_char, port: c_int)
    -> c_int;

    /// A UDP socket that is bound to a port; the id, or -1.
    pub fn skynet_socket_udp_listen(
        context: *mut Context,
        host: *const c_char,
        port: c_int,
    ) -> c_int;

    /// Sends a datagram to an address of [`skynet_socket_udp_address`]'s form: 0, or -1. The buffer is taken over.
    pub fn skynet_socket_udp_sendbuffer(
        context: *mut Context,
        address: *const c_char,
        buffer: *mut SendBuffer,
    ) -> c_int;

    /// Where a datagram came from, 7 or 19 bytes inside the message; null when it is none.
    pub fn skynet_socket_udp_address(
        message: *mut SocketMessage,
        size: *mut c_int,
    ) -> *const c_char;

    /// Statistics of all sockets, to be given to [`socket_info_release`].
    pub fn skynet_socket_info() -> *mut SocketInfo;

    /// Frees a list of statistics.
    pub fn socket_info_release(info: *mut SocketInfo);
}
