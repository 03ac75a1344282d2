//! What travels between services.

use libc::{c_char, c_int, c_void};

/// Number of low bits of [`Message::sz`] that hold the size; the type is above them ("skynet_mq.h", `MESSAGE_TYPE_SHIFT`).
pub const TYPE_SHIFT: u32 = (size_of::<usize>() as u32 - 1) * 8;
/// Mask of the size bits of [`Message::sz`] ("skynet_mq.h", `MESSAGE_TYPE_MASK`).
pub const SIZE_MASK: usize = usize::MAX >> 8;

/// Message types ("skynet.h", `PTYPE_*`). Only the low 8 bits of a type travel.
pub mod ptype {
    #![allow(missing_docs)] // the names of "skynet.h"
    pub const TEXT: i32 = 0;
    pub const RESPONSE: i32 = 1;
    pub const MULTICAST: i32 = 2;
    pub const CLIENT: i32 = 3;
    pub const SYSTEM: i32 = 4;
    pub const HARBOR: i32 = 5;
    pub const SOCKET: i32 = 6;
    pub const ERROR: i32 = 7;
    pub const RESERVED_LUA: i32 = 10;
    /// The core takes the data over, also when the send fails, and copies nothing.
    pub const TAG_DONTCOPY: i32 = 0x10000;
    /// The core allocates a session; the session argument must be 0.
    pub const TAG_ALLOCSESSION: i32 = 0x20000;
    /// A full mailbox takes the message all the same: it tells that something has ended of which its receiver knows, so there are
    /// no more of them than messages that were not refused. No header has it; the C core passes over it.
    pub const TAG_ENDING: i32 = 0x40000;
}

/// What people call a type of messages ("skynet.h", `PTYPE_*`).
pub fn type_name(ty: u8) -> Option<&'static str> {
    const NAMES: [&str; 12] = [
        "text",
        "response",
        "multicast",
        "client",
        "system",
        "harbor",
        "socket",
        "error",
        "queue",
        "debug",
        "lua",
        "snax",
    ];
    NAMES.get(usize::from(ty)).copied()
}

/// One message as it lies in a mailbox: `struct skynet_message` of "skynet_mq.h".
///
/// `data` is null or a block of the C allocator that belongs to the holder of the message.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Message {
    /// Handle of the sender; 0 for timer, socket and signal messages.
    pub source: u32,
    /// Session, positive for requests that want an answer, else 0.
    pub session: i32,
    /// The payload.
    pub data: *mut c_void,
    /// Size in bytes in the low 56 bits, type in the high 8.
    pub sz: usize,
}

impl Message {
    /// A message without payload.
    pub const fn empty(source: u32, ty: i32, session: i32) -> Message {
        Message {
            source,
            session,
            data: std::ptr::null_mut(),
            sz: ((ty as usize) & 0xff) << TYPE_SHIFT,
        }
    }

    /// A message that carries `size` bytes at `data` (a block of the C allocator, taken over).
    pub const fn with_data(
        source: u32,
        ty: i32,
        session: i32,
        data: *mut c_void,
        size: usize,
    ) -> Message {
        Message {
            source,
            session,
            data,
            sz: (size & SIZE_MASK) | (((ty as usize) & 0xff) << TYPE_SHIFT),
        }
    }

    /// Payload size in bytes.
    #[inline]
    pub const fn size(&self) -> usize {
        self.sz & SIZE_MASK
    }

    /// Message type, 0..=255.
    #[inline]
    pub const fn ty(&self) -> i32 {
        (self.sz >> TYPE_SHIFT) as i32
    }
}

/// Types of socket messages ("skynet_socket.h", `SKYNET_SOCKET_TYPE_*`).
#[allow(missing_docs)]
pub mod socket_type {
    pub const DATA: i32 = 1;
    pub const CONNECT: i32 = 2;
    pub const CLOSE: i32 = 3;
    pub const ACCEPT: i32 = 4;
    pub const ERROR: i32 = 5;
    pub const UDP: i32 = 6;
    pub const WARNING: i32 = 7;
}

/// The payload of a PTYPE_SOCKET message: `struct skynet_socket_message` of "skynet_socket.h".
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SocketMessage {
    /// One of [`socket_type`].
    pub r#type: c_int,
    /// The socket.
    pub id: c_int,
    /// Bytes of data, new id, port or KiB, depending on the type.
    pub ud: c_int,
    /// A block that the receiver frees; null if text follows this struct.
    pub buffer: *mut c_char,
}
