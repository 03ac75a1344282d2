//! What the C interface of a single server needs beyond [`socket::SocketServer`]: events one at a time, and
//! conversions.

use super::socket_buffer::SendBuffer;
use crate::alloc::memory::uncharged;
use crate::io::socket::addr::UdpAddress as Address;
use crate::io::socket::event::{Event, EventKind, kind};
use crate::io::socket::{self, Clock, Hooks, NoMemory, ObjectInterface};
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

impl SocketServer {
    /// A server whose statistics begin at `time` (centiseconds); `None` if the system has no descriptors.
    pub fn create(time: u64) -> Option<SocketServer> {
        let hooks = Hooks::system(Clock::Manual(AtomicU64::new(time)), socket::report);
        match socket::SocketServer::new(hooks) {
            Ok(core) => {
                let pending = Mutex::new(Pending {
                    events: VecDeque::new(),
                    text: [0; 129],
                });
                Some(SocketServer { core, pending })
            }
            Err(_) => {
                socket::report("socket-server error: create event pool failed.");
                None
            }
        }
    }

    /// The server itself.
    pub fn core(&self) -> &socket::SocketServer {
        &self.core
    }

    /// The next event: its kind, itself, and whether it had to be waited for. The text of a message is valid until the
    /// next call.
    pub fn poll(&self) -> (c_int, ServerMessage, bool) {
        let mut waited = false;
        let mut pending = self.pending.lock();
        let event = loop {
            if let Some(event) = pending.events.pop_front() {
                break event;
            }
            waited = true;
            let mut collect = |event: Event| {
                pending.events.push_back(event);
                true
            };
            self.core.turn(&mut collect, true);
        };
        let mut ud = 0;
        let mut data = null_mut();
        let mut text = None;
        let kind = match event.what {
            EventKind::Data(d) => {
                ud = d.len() as c_int;
                data = d.into_raw();
                kind::DATA
            }
            EventKind::Udp(d) => {
                ud = d.len() as c_int;
                data = d.into_raw();
                kind::UDP
            }
            EventKind::Open { text: t, number } => {
                ud = number;
                text = Some(t);
                kind::OPEN
            }
            EventKind::Accept { id, text: t } => {
                ud = id;
                text = Some(t);
                kind::ACCEPT
            }
            EventKind::Error(t) => {
                text = Some(t);
                kind::ERR
            }
            EventKind::Close => kind::CLOSE,
            EventKind::Warning(kib) => {
                ud = kib;
                kind::WARNING
            }
            EventKind::Exit => kind::EXIT,
        };
        if let Some(t) = text {
            let bytes = t.as_bytes();
            pending.text[..bytes.len()].copy_from_slice(bytes);
            pending.text[bytes.len()] = 0;
            data = pending.text.as_mut_ptr().cast::<c_void>();
        }
        let message = ServerMessage {
            id: event.id,
            opaque: event.owner,
            ud,
            data: data.cast(),
        };
        (kind, message, waited)
    }
}

/// A host of C; null is `None`.
///
/// # Safety
/// `text` is null or terminated, and outlives the use.
pub(crate) unsafe fn c_text<'a>(text: *const c_char) -> Option<&'a CStr> {
    // SAFETY: not null, and terminated by contract.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) })
}

/// The id of a new socket, or -1.
pub(crate) fn new_id(f: impl FnOnce() -> Option<i32>) -> c_int {
    uncharged(f).unwrap_or(-1)
}

/// How a buffer is to be sent.
pub(crate) enum SendMode {
    /// In order, before everything of low priority.
    High,
    /// When nothing of high priority waits.
    Low,
    /// As a datagram to this address; null for the socket's own peer.
    To(*const UdpAddress),
}

/// Sends what `buffer` describes: 0, -1 if that is not possible, or -2 if there is no memory for what has to wait. The buffer is
/// released in every case.
///
/// # Safety
/// `buffer` is null or describes what its type says; an address of [`SendMode::To`] is null or as long as its first byte says.
pub(crate) unsafe fn send(
    ss: Option<&socket::SocketServer>,
    buffer: *const SendBuffer,
    mode: SendMode,
) -> c_int {
    uncharged(|| {
        let objects = || ss.map_or(ObjectInterface::default(), |s| s.objects());
        // SAFETY: contract of this function.
        let Some(buffer) = (unsafe { buffer.as_ref() }) else {
            return -1;
        };
        // SAFETY: contract of this function.
        let Some(payload) = (unsafe { buffer.take(objects) }) else {
            if let Some(s) = ss {
                s.report("socket-server error: a buffer of unknown type, or an object without socket_server_userobject.");
            }
            return -1;
        };
        let Some(server) = ss else { return -1 };
        let sent = match mode {
            SendMode::High => server.send(buffer.id, payload),
            SendMode::Low => server.send_low(buffer.id, payload),
            SendMode::To(addr) if addr.is_null() => server.send_datagram(buffer.id, None, payload),
            // SAFETY: not null, and long enough by contract.
            SendMode::To(addr) => match unsafe { Address::read(addr.cast()) } {
                Some(to) => server.send_datagram(buffer.id, Some(to), payload),
                None => Ok(false),
            },
        };
        match sent {
            Ok(true) => 0,
            Ok(false) => -1,
            Err(NoMemory) => {
                // Many senders do not look at the status.
                server.report("socket-server error: not enough memory for what has to wait.");
                -2
            }
        }
    })
}

/// The address behind the bytes of a datagram, and its length.
///
/// # Safety
/// `data` is null or a datagram's block with `ud` bytes in front of the address; `size` is null or writable.
pub(crate) unsafe fn address_behind(
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
