//! "socket_buffer.h": bytes to send, as C describes them. No functions.

use crate::io::socket::{ObjectInterface, Payload};
use libc::{c_int, c_void};

/// `SOCKET_BUFFER_MEMORY`: a block of the C allocator; the core takes it over.
pub const SOCKET_BUFFER_MEMORY: c_int = 0;
/// `SOCKET_BUFFER_OBJECT`: an object of the host; the core takes it over.
pub const SOCKET_BUFFER_OBJECT: c_int = 1;
/// `SOCKET_BUFFER_RAWPOINTER`: stays with the caller.
pub const SOCKET_BUFFER_RAWPOINTER: c_int = 2;

/// `struct socket_sendbuffer`.
#[repr(C)]
#[derive(Clone, Copy)]
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

const _: () = assert!(size_of::<SendBuffer>() == 24);

impl SendBuffer {
    /// What the caller of the old functions means: a negative size stands for an object.
    pub fn from_parts(id: c_int, buffer: *const c_void, sz: c_int) -> SendBuffer {
        let r#type = if sz < 0 {
            SOCKET_BUFFER_OBJECT
        } else {
            SOCKET_BUFFER_MEMORY
        };
        SendBuffer {
            id,
            r#type,
            buffer,
            sz: sz as usize,
        }
    }

    /// Takes the bytes over (or borrows them, if they stay the caller's). `None`: the type is unknown, or objects cannot
    /// be handled.
    ///
    /// # Safety
    /// The buffer is what its type says, and the caller does not use it any more unless it stays the caller's.
    pub unsafe fn take(&self, objects: impl FnOnce() -> ObjectInterface) -> Option<Payload> {
        match self.r#type {
            SOCKET_BUFFER_MEMORY if self.sz != usize::MAX => {
                // SAFETY: contract of this function, as in the other arms.
                unsafe {
                    crate::alloc::memory::block_sent(self.buffer);
                    Some(Payload::memory(self.buffer, self.sz))
                }
            }
            // SAFETY: a size of -1 has always meant an object.
            SOCKET_BUFFER_MEMORY | SOCKET_BUFFER_OBJECT => unsafe {
                Payload::object(self.buffer, &objects())
            },
            // SAFETY: the payload is used up (or copied) before the call ends.
            SOCKET_BUFFER_RAWPOINTER => Some(unsafe { Payload::borrowed(self.buffer, self.sz) }),
            _ => None,
        }
    }
}
