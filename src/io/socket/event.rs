//! What the I/O thread has to tell.

use super::addr::{Text, UdpAddress};
use libc::c_void;

/// The kinds of `socket_server_poll` ("socket_server.h", `SOCKET_*`).
#[allow(missing_docs)]
pub mod kind {
    pub const DATA: i32 = 0;
    pub const CLOSE: i32 = 1;
    pub const OPEN: i32 = 2;
    pub const ACCEPT: i32 = 3;
    pub const ERR: i32 = 4;
    pub const EXIT: i32 = 5;
    pub const UDP: i32 = 6;
    pub const WARNING: i32 = 7;
}

/// Received bytes in a block of the C allocator; a UDP sender's address follows the bytes.
pub struct Received {
    base: *mut c_void,
    len: usize,
}

// SAFETY: the block belongs to this value alone.
unsafe impl Send for Received {}

impl Received {
    /// Room for `len` bytes.
    pub fn with_room(len: usize) -> Received {
        // SAFETY: malloc takes any size. One byte at least, so that an empty datagram has a block too.
        let base = unsafe { libc::malloc(len.max(1)) };
        if base.is_null() {
            std::alloc::handle_alloc_error(std::alloc::Layout::new::<u8>());
        }
        Received { base, len }
    }

    /// A copy of `bytes`.
    pub fn copy_of(bytes: &[u8]) -> Received {
        let r = Received::with_room(bytes.len());
        // SAFETY: the block has room for the bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), r.base.cast(), bytes.len()) };
        r
    }

    /// A datagram and where it came from.
    pub fn datagram(bytes: &[u8], from: &UdpAddress) -> Received {
        let mut r = Received::with_room(bytes.len() + from.bytes().len());
        // SAFETY: the block has room for both parts.
        unsafe {
            let at = r.base.cast::<u8>();
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
            std::ptr::copy_nonoverlapping(
                from.bytes().as_ptr(),
                at.add(bytes.len()),
                from.bytes().len(),
            );
        }
        r.len = bytes.len();
        r
    }

    /// Where to read to.
    pub fn as_mut_ptr(&mut self) -> *mut c_void {
        self.base
    }

    /// Gives back what is not needed behind the first `len` bytes.
    pub fn shrink(&mut self, len: usize) {
        // SAFETY: the block belongs to the event; a failed realloc leaves it as it is.
        let smaller = unsafe { libc::realloc(self.base, len.max(1)) };
        if !smaller.is_null() {
            self.base = smaller;
        }
        self.len = len;
    }

    /// The number of bytes, without a datagram's address.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Sets the number of bytes that were received.
    pub fn set_len(&mut self, len: usize) {
        self.len = len;
    }

    /// The received bytes.
    #[cfg(all(test, not(feature = "loom")))]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `len` bytes were filled.
        unsafe { std::slice::from_raw_parts(self.base.cast(), self.len) }
    }

    /// Hands the block to the caller, who frees it with `libc::free`.
    pub fn into_raw(self) -> *mut c_void {
        let base = self.base;
        std::mem::forget(self);
        base
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        // SAFETY: a block of malloc that belongs to this value.
        unsafe { libc::free(self.base) };
    }
}

/// What happened.
pub enum EventKind {
    /// Bytes of a stream.
    Data(Received),
    /// A datagram with its sender's address.
    Udp(Received),
    /// Connected, started, transferred or bound (`number` 0), or listening (`number` is the port).
    Open {
        /// Address, or `start`, `transfer`, `binding`.
        text: Text,
        /// Port of a listening socket.
        number: i32,
    },
    /// A connection came in.
    Accept {
        /// The new socket.
        id: i32,
        /// `ip:port` of the peer.
        text: Text,
    },
    /// Something failed.
    Error(Text),
    /// The socket's stream has ended.
    Close,
    /// So many KiB wait to be written; 0: none any more.
    Warning(i32),
    /// The server was told to end.
    Exit,
}

/// One event, and whose it is.
pub struct Event {
    /// The socket.
    pub id: i32,
    /// Who gets the event (a service's handle).
    pub owner: usize,
    /// What happened.
    pub what: EventKind,
}

/// Where events go. `false`: the owner does not exist (any more).
pub trait Sink {
    /// Takes one event.
    fn deliver(&mut self, event: Event) -> bool;

    /// The I/O thread is about to sleep, with nothing left to do.
    fn falls_asleep(&mut self) {}

    /// The wait of a turn is over; what it brought is delivered after this. True if that took time: what is there by now is
    /// asked for once more.
    fn awake(&mut self) -> bool {
        false
    }

    /// Whether [`super::SocketServer::handled`] is told what becomes of the data, so that reading can be held up.
    fn counts(&self) -> bool {
        false
    }
}

impl<F: FnMut(Event) -> bool> Sink for F {
    fn deliver(&mut self, event: Event) -> bool {
        self(event)
    }
}
