//! What travels between services.

use libc::c_void;

/// Number of low bits of [`Message::sz`] that hold the size; the type is above them ("skynet_mq.h", `MESSAGE_TYPE_SHIFT`).
pub const TYPE_SHIFT: u32 = (size_of::<usize>() as u32 - 1) * 8;
/// Mask of the size bits of [`Message::sz`] ("skynet_mq.h", `MESSAGE_TYPE_MASK`).
pub const SIZE_MASK: usize = usize::MAX >> 8;

/// Message types ("skynet.h", `PTYPE_*`). Only the low 8 bits of a type travel.
pub mod ptype {
    #![allow(missing_docs)]
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
}

/// One message as it lies in a mailbox: `struct skynet_message` of "skynet_mq.h".
///
/// `data` is null or a block of the C allocator that belongs to whoever holds the message.
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
