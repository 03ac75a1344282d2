//! "socket_server.h": the socket server by itself, for hosts that run their own loop.

use super::socket_buffer::SendBuffer;
use crate::socket::addr::UdpAddress as Address;
use crate::socket::guard::guard;
use crate::socket::{self, Clock, Event, Hooks, ObjectInterface, SocketInfo, What, event::kind};
use libc::{c_char, c_int, c_void};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::ffi::CStr;
use std::ptr::null_mut;
use std::sync::atomic::AtomicU64;

/// `struct socket_server`: a server, and the events that `socket_server_poll` has not handed out yet.
pub struct SocketServer {
    core: socket::SocketServer,
    pending: Mutex<Pending>,
}

struct Pending {
    events: VecDeque<Event>,
    /// The terminated text of the last event.
    text: [u8; 129],
}

/// `struct socket_message`.
#[repr(C)]
pub struct ServerMessage {
    /// The socket.
    pub id: c_int,
    /// Whose it is.
    pub opaque: usize,
    /// New socket, number of bytes, port, or KiB.
    pub ud: c_int,
    /// Bytes that the receiver frees (data, UDP), or a text that is valid until the next poll, or null.
    pub data: *mut c_char,
}

const _: () = assert!(size_of::<ServerMessage>() == 32);

/// `struct socket_udp_address`: type (1 or 2), port in network order, 4 or 16 bytes of address.
#[repr(C)]
pub struct UdpAddress {
    bytes: [u8; 0],
}

/// The server behind a pointer of C.
///
/// # Safety
/// `ss` is null or came from `socket_server_create` and was not released.
unsafe fn core<'a>(ss: *mut SocketServer) -> Option<&'a socket::SocketServer> {
    // SAFETY: by contract.
    unsafe { ss.as_ref() }.map(|s| &s.core)
}

/// A host of C; null is `None`.
///
/// # Safety
/// `text` is null or terminated, and outlives the use.
pub(super) unsafe fn c_text<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: not null, and terminated by contract.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// The id of a new socket, or -1.
pub(super) fn new_id(f: impl FnOnce() -> Option<i32>) -> c_int {
    guard(None, f).unwrap_or(-1)
}

/// How a buffer is to be sent.
pub(super) enum Way {
    /// In order, before everything of low priority.
    High,
    /// When nothing of high priority waits.
    Low,
    /// As a datagram to this address; null for the socket's own peer.
    To(*const UdpAddress),
}

/// Sends what `buffer` describes: 0, or -1 if that is not possible. The buffer is released in every case.
///
/// # Safety
/// `buffer` is null or describes what its type says; an address of [`Way::To`] is null or as long as its first byte says.
pub(super) unsafe fn send(
    ss: Option<&socket::SocketServer>,
    buffer: *const SendBuffer,
    way: Way,
) -> c_int {
    guard(-1, || {
        let objects = || ss.map_or(ObjectInterface::default(), |s| s.objects());
        // SAFETY: by contract.
        let Some(buffer) = (unsafe { buffer.as_ref() }) else {
            return -1;
        };
        // SAFETY: by contract.
        let Some(payload) = (unsafe { buffer.take(objects) }) else {
            if let Some(s) = ss {
                s.report("socket-server error: a buffer of unknown type, or an object without socket_server_userobject.");
            }
            return -1;
        };
        let Some(server) = ss else { return -1 };
        let sent = match way {
            Way::High => server.send(buffer.id, payload),
            Way::Low => server.send_low(buffer.id, payload),
            Way::To(addr) if addr.is_null() => server.send_datagram(buffer.id, None, payload),
            // SAFETY: not null, and long enough by contract.
            Way::To(addr) => match unsafe { Address::read(addr.cast()) } {
                Some(to) => server.send_datagram(buffer.id, Some(to), payload),
                None => false,
            },
        };
        if sent { 0 } else { -1 }
    })
}

/// The address behind the bytes of a datagram, and its length.
///
/// # Safety
/// `data` is null or a datagram's block with `ud` bytes in front of the address; `size` is null or writable.
pub(super) unsafe fn address_behind(
    data: *const c_char,
    ud: c_int,
    size: *mut c_int,
) -> *const c_char {
    if data.is_null() || ud < 0 {
        return std::ptr::null();
    }
    // SAFETY: the address follows the bytes, by contract.
    let address = unsafe { data.add(ud as usize) };
    // SAFETY: the first byte of the address is readable.
    match Address::size_of_kind(unsafe { *address } as u8) {
        Some(n) => {
            if !size.is_null() {
                // SAFETY: writable by contract.
                unsafe { *size = n as c_int };
            }
            address
        }
        None => std::ptr::null(),
    }
}

/// Makes a server; `time` is the first time of its statistics in centiseconds. NULL if the system has no descriptors.
#[unsafe(no_mangle)]
pub extern "C" fn socket_server_create(time: u64) -> *mut SocketServer {
    guard(null_mut(), || {
        let hooks = Hooks::system(Clock::Manual(AtomicU64::new(time)), socket::report);
        match socket::SocketServer::new(hooks) {
            Ok(core) => {
                let pending = Mutex::new(Pending {
                    events: VecDeque::new(),
                    text: [0; 129],
                });
                Box::into_raw(Box::new(SocketServer { core, pending }))
            }
            Err(_) => {
                socket::report("socket-server error: create event pool failed.");
                null_mut()
            }
        }
    })
}

/// Closes everything and releases the server.
///
/// # Safety
/// No thread uses the server any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_release(ss: *mut SocketServer) {
    guard((), || {
        if !ss.is_null() {
            // SAFETY: it came from `socket_server_create`, and the caller gives it up.
            drop(unsafe { Box::from_raw(ss) });
        }
    })
}

/// Sets the time of the statistics, in centiseconds.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_updatetime(ss: *mut SocketServer, time: u64) {
    // SAFETY: by contract.
    if let Some(s) = unsafe { core(ss) } {
        s.update_time(time);
    }
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
    guard(kind::EXIT, || {
        // SAFETY: by contract.
        let (Some(ss), false) = (unsafe { ss.as_ref() }, result.is_null()) else {
            return kind::EXIT;
        };
        let mut pending = ss.pending.lock();
        let event = loop {
            if let Some(event) = pending.events.pop_front() {
                break event;
            }
            if !more.is_null() {
                // SAFETY: writable by contract.
                unsafe { *more = 0 };
            }
            let mut collect = |event: Event| {
                pending.events.push_back(event);
                true
            };
            ss.core.turn(&mut collect, true);
        };
        let mut ud = 0;
        let mut data = null_mut();
        let mut text = None;
        let kind = match event.what {
            What::Data(d) => {
                ud = d.len() as c_int;
                data = d.into_raw();
                kind::DATA
            }
            What::Udp(d) => {
                ud = d.len() as c_int;
                data = d.into_raw();
                kind::UDP
            }
            What::Open { text: t, number } => {
                ud = number;
                text = Some(t);
                kind::OPEN
            }
            What::Accept { id, text: t } => {
                ud = id;
                text = Some(t);
                kind::ACCEPT
            }
            What::Error(t) => {
                text = Some(t);
                kind::ERR
            }
            What::Close => kind::CLOSE,
            What::Warning(kib) => {
                ud = kib;
                kind::WARNING
            }
            What::Exit => kind::EXIT,
        };
        if let Some(t) = text {
            let bytes = t.as_bytes();
            pending.text[..bytes.len()].copy_from_slice(bytes);
            pending.text[bytes.len()] = 0;
            data = pending.text.as_mut_ptr().cast::<c_void>();
        }
        // SAFETY: writable by contract.
        unsafe {
            result.write(ServerMessage {
                id: event.id,
                opaque: event.owner,
                ud,
                data: data.cast(),
            })
        };
        kind
    })
}

/// Tells the polling thread to end: `socket_server_poll` answers `SOCKET_EXIT`.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_exit(ss: *mut SocketServer) {
    guard((), || {
        // SAFETY: by contract.
        unsafe { core(ss) }.into_iter().for_each(|s| s.exit())
    })
}

/// Closes a socket when everything that is queued has been sent. An id that is gone is ignored.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_close(ss: *mut SocketServer, opaque: usize, id: c_int) {
    let _ = opaque;
    guard((), || {
        // SAFETY: by contract.
        unsafe { core(ss) }.into_iter().for_each(|s| s.close(id))
    })
}

/// Closes a socket at once; what is queued is dropped.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_shutdown(ss: *mut SocketServer, opaque: usize, id: c_int) {
    let _ = opaque;
    guard((), || {
        // SAFETY: by contract.
        unsafe { core(ss) }.into_iter().for_each(|s| s.shutdown(id))
    })
}

/// Lets the events of a socket in; they go to `opaque` from now on.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_start(ss: *mut SocketServer, opaque: usize, id: c_int) {
    guard((), || {
        // SAFETY: by contract.
        unsafe { core(ss) }
            .into_iter()
            .for_each(|s| s.start(opaque, id))
    })
}

/// Keeps the read events of a socket out until the next start.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_pause(ss: *mut SocketServer, opaque: usize, id: c_int) {
    let _ = opaque;
    guard((), || {
        // SAFETY: by contract.
        unsafe { core(ss) }.into_iter().for_each(|s| s.pause(id))
    })
}

/// Sends a buffer: 0, or -1 if there is no such socket. The buffer is released as its type asks for, in every case.
///
/// # Safety
/// `ss` is null or a server; `buffer` is null or describes what its type says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_send(
    ss: *mut SocketServer,
    buffer: *mut SendBuffer,
) -> c_int {
    // SAFETY: by contract.
    unsafe { send(core(ss), buffer, Way::High) }
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
    // SAFETY: by contract.
    unsafe { send(core(ss), buffer, Way::Low) }
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
    // SAFETY: by contract.
    new_id(|| unsafe { core(ss)?.listen(opaque, c_text(addr), port, backlog) })
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
    // SAFETY: by contract.
    new_id(|| unsafe { core(ss)?.connect(opaque, c_text(addr)?, port) })
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
    // SAFETY: by contract.
    new_id(|| unsafe { core(ss) }?.bind(opaque, fd))
}

/// Sends without delay (TCP_NODELAY).
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_nodelay(ss: *mut SocketServer, id: c_int) {
    guard((), || {
        // SAFETY: by contract.
        unsafe { core(ss) }.into_iter().for_each(|s| s.nodelay(id))
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
    // SAFETY: by contract.
    new_id(|| unsafe { core(ss)?.udp(opaque, c_text(addr), port) })
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
    // SAFETY: by contract.
    let (server, host) = unsafe { (core(ss), c_text(addr)) };
    guard(-1, || match (server, host) {
        (Some(s), Some(h)) if s.udp_connect(id, h, port) => 0,
        _ => -1,
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
    // SAFETY: by contract.
    new_id(|| unsafe { core(ss)?.udp_dial(opaque, c_text(addr)?, port) })
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
    // SAFETY: by contract.
    new_id(|| unsafe { core(ss)?.udp_listen(opaque, c_text(addr), port) })
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
    // SAFETY: by contract.
    unsafe { send(core(ss), buffer, Way::To(addr)) }
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
    let _ = ss;
    // SAFETY: by contract.
    unsafe {
        match msg.as_ref() {
            Some(m) => address_behind(m.data, m.ud, addrsz).cast(),
            None => std::ptr::null(),
        }
    }
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
    // SAFETY: by contract.
    if let (Some(s), Some(interface)) = unsafe { (core(ss), soi.as_ref()) } {
        s.set_objects(*interface);
    }
}

/// Statistics of all sockets, the highest slot first; release them with `socket_info_release`.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_info(ss: *mut SocketServer) -> *mut SocketInfo {
    guard(null_mut(), || {
        // SAFETY: by contract.
        unsafe { core(ss) }.map_or(null_mut(), |s| s.info())
    })
}
