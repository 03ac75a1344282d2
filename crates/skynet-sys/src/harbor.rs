//! What the core tells its harbor service: "skynet_harbor.h".

use libc::{c_char, c_int, c_void};

/// Bytes of a global name; a name of full length has no NUL (`GLOBALNAME_LENGTH`).
pub const GLOBALNAME_LENGTH: usize = 16;

/// `struct remote_name`.
#[repr(C)]
pub struct RemoteName {
    /// Zero padded.
    pub name: [c_char; GLOBALNAME_LENGTH],
    /// 0: the name counts.
    pub handle: u32,
}

/// `struct remote_message`, the message of type `PTYPE_SYSTEM` to the harbor service.
#[repr(C)]
pub struct RemoteMessage {
    /// Whom it is for.
    pub destination: RemoteName,
    /// Payload, a block of the C allocator that the receiver owns.
    pub message: *const c_void,
    /// Size of the payload in bytes.
    pub sz: usize,
    /// `PTYPE_*`.
    pub ty: c_int,
}
