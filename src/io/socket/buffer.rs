//! Bytes on their way out. Whatever happens to a buffer, it is released exactly once, in the way its kind asks for.

use super::addr::UdpAddress;
use super::handoff::Node;
use libc::c_void;

/// There is no memory for a copy of bytes that a program wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

/// `struct socket_object_interface` of "socket_server.h": how to handle buffers of kind `SOCKET_BUFFER_OBJECT`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct ObjectInterface {
    /// The bytes of an object.
    pub buffer: Option<unsafe extern "C" fn(*const c_void) -> *const c_void>,
    /// Their number.
    pub size: Option<unsafe extern "C" fn(*const c_void) -> usize>,
    /// Releases an object.
    pub free: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// Bytes of a block in which small ones are put together, at first and at most, and the largest of those.
const FIRST_JOINED: usize = 128;
const JOINED: usize = 4096;
const SMALL: usize = 512;

/// How a buffer is released.
type Release = unsafe extern "C" fn(*mut c_void);

/// Bytes to send, and the duty to release them.
pub struct Payload {
    base: *mut c_void,
    data: *const u8,
    len: usize,
    /// Bytes of the block if others may be put behind those; 0 for what was not allocated here.
    capacity: usize,
    /// `None`: the bytes stay the caller's, valid during the call only.
    release: Option<Release>,
}

// SAFETY: an owned payload is reachable through this value only; a borrowed one is never sent away (`into_owned`).
unsafe impl Send for Payload {}

impl Payload {
    /// A block of the C allocator, taken over.
    ///
    /// # Safety
    /// `base` is null (with `len` 0) or a block of `libc::malloc` with `len` readable bytes that is given away.
    pub unsafe fn memory(base: *const c_void, len: usize) -> Payload {
        Payload {
            base: base.cast_mut(),
            data: base.cast(),
            len,
            capacity: 0,
            release: Some(libc::free),
        }
    }

    /// An object of the host program, taken over. `None`: the interface is not complete, so the object cannot be handled.
    ///
    /// # Safety
    /// `object` is what `interface` expects, and is given away.
    pub unsafe fn object(object: *const c_void, interface: &ObjectInterface) -> Option<Payload> {
        let (buffer, size, free) = (interface.buffer?, interface.size?, interface.free?);
        // SAFETY: the host promises that its functions take the object.
        let (data, len) = unsafe { (buffer(object), size(object)) };
        Some(Payload {
            base: object.cast_mut(),
            data: data.cast(),
            len,
            capacity: 0,
            release: Some(free),
        })
    }

    /// Bytes that stay the caller's.
    ///
    /// # Safety
    /// `base` points to `len` readable bytes as long as the payload lives (use [`Payload::into_owned`] to keep it).
    pub unsafe fn borrowed(base: *const c_void, len: usize) -> Payload {
        Payload {
            base: base.cast_mut(),
            data: base.cast(),
            len,
            capacity: 0,
            release: None,
        }
    }

    /// Bytes of Rust, copied.
    #[cfg(test)]
    pub fn copy_of(bytes: &[u8]) -> Payload {
        // SAFETY: the slice is readable, and the copy does not refer to it.
        let payload = unsafe { Payload::borrowed(bytes.as_ptr().cast(), bytes.len()) };
        payload.into_owned().unwrap()
    }

    /// The same bytes, in a form that may be kept.
    pub fn into_owned(self) -> Result<Payload, NoMemory> {
        if self.release.is_some() {
            return Ok(self);
        }
        // SAFETY: malloc(0) may give null, which is fine for 0 bytes.
        let base = unsafe { libc::malloc(self.len) };
        if base.is_null() && self.len != 0 {
            return Err(NoMemory);
        }
        if self.len != 0 {
            // SAFETY: both sides hold `len` bytes and do not overlap.
            unsafe { std::ptr::copy_nonoverlapping(self.data, base.cast::<u8>(), self.len) };
        }
        // SAFETY: the block was just allocated with this size.
        Ok(unsafe { Payload::memory(base, self.len) })
    }

    /// The same bytes in a block with room for so many in all. `None`: there is no memory for it.
    fn with_capacity(bytes: &[u8], capacity: usize) -> Option<Payload> {
        // SAFETY: malloc takes any size.
        let base = unsafe { libc::malloc(capacity) };
        if base.is_null() || bytes.len() > capacity {
            // SAFETY: null or the block from above.
            unsafe { libc::free(base) };
            return None;
        }
        // SAFETY: a new block with room for the bytes, which it is initialised with.
        let mut payload = unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), base.cast::<u8>(), bytes.len());
            Payload::memory(base, bytes.len())
        };
        payload.capacity = capacity;
        Some(payload)
    }

    /// Appends bytes if there is room for them. Whether there was.
    fn append(&mut self, bytes: &[u8]) -> bool {
        if bytes.len() > self.capacity.saturating_sub(self.len) || bytes.is_empty() {
            return bytes.is_empty();
        }
        // SAFETY: the block is this payload's own (only `with_capacity` gives room), with so many bytes behind the others.
        unsafe {
            let end = self.data.cast_mut().add(self.len);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), end, bytes.len());
        }
        self.len += bytes.len();
        true
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        if self.len == 0 || self.data.is_null() {
            return &[];
        }
        // SAFETY: every constructor asks for `len` readable bytes.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the payload owns `base`, and `release` is the function for its kind.
            unsafe { release(self.base) };
        }
    }
}

/// What a block is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// To be written.
    Write,
    /// What the socket holds back is to be written; see [`super::cork`].
    Uncork,
    /// The I/O role is to see to the write queue.
    Flush,
    /// `to` becomes the default peer of the (UDP) socket.
    SetPeer,
}

/// One payload in a write queue or on its way into one.
pub struct Block {
    next: *mut Block,
    payload: Payload,
    /// Bytes already written.
    written: usize,
    /// The socket it was sent to; a slot may have another one by the time the block arrives.
    pub id: i32,
    /// Low priority.
    pub low: bool,
    /// UDP: where to; [`UdpAddress::NONE`] for streams and for the socket's own peer.
    pub to: UdpAddress,
    /// The owner of the handoff lock is asked for something else, and the payload is empty.
    pub ask: Ask,
}

// SAFETY: `next` is only followed by the owner of the list that the block is in; the payload is owned.
unsafe impl Send for Block {}

// SAFETY: the link belongs to the block; a Block is aligned to 8 bytes.
unsafe impl Node for Block {
    fn link(&mut self) -> &mut *mut Block {
        &mut self.next
    }
}

impl Block {
    /// A block for the socket `id`.
    pub fn new(
        payload: Payload,
        id: i32,
        low: bool,
        to: UdpAddress,
    ) -> Result<Box<Block>, NoMemory> {
        Ok(Box::new(Block {
            next: std::ptr::null_mut(),
            payload: payload.into_owned()?,
            written: 0,
            id,
            low,
            to,
            ask: Ask::Write,
        }))
    }

    /// Without bytes: asks the owner of the handoff lock for something else.
    pub fn asking(id: i32, ask: Ask) -> Box<Block> {
        // SAFETY: no bytes, and nothing to release.
        let payload = unsafe { Payload::borrowed(std::ptr::null(), 0) };
        Box::new(Block {
            next: std::ptr::null_mut(),
            payload,
            written: 0,
            id,
            low: false,
            to: UdpAddress::NONE,
            ask,
        })
    }

    /// Takes the bytes of a small block, which comes next in the same stream, into this one. Whether it did. A block of its
    /// own for each of many small writes takes a multiple of their bytes.
    pub fn join(&mut self, next: &Block) -> bool {
        let bytes = next.rest();
        if bytes.len() > SMALL || next.begun() {
            return false;
        }
        if self.payload.append(bytes) {
            return true;
        }
        let (len, is_joined) = (self.payload.len, self.payload.capacity > 0);
        let need = len + bytes.len();
        if self.begun() || need > JOINED || len > SMALL && !is_joined {
            return false;
        }
        // Twice of what there is, so that each byte is copied once more on average, and two small ones take little.
        let capacity = (2 * need).clamp(FIRST_JOINED, JOINED);
        match Payload::with_capacity(self.payload.bytes(), capacity) {
            Some(larger) => self.payload = larger,
            None => return false,
        }
        self.payload.append(bytes)
    }

    /// Takes the block apart. Only for blocks of which nothing is written.
    pub fn into_parts(self) -> (Payload, bool, UdpAddress) {
        (self.payload, self.low, self.to)
    }

    /// What is still to be written.
    pub fn rest(&self) -> &[u8] {
        &self.payload.bytes()[self.written..]
    }

    /// Whether a part of it is out, so that nothing may come between.
    pub fn begun(&self) -> bool {
        self.written != 0
    }

    /// Notes that `n` more bytes are out.
    pub fn advance(&mut self, n: usize) {
        self.written += n;
    }

    /// The link, for the lists of the write queue.
    pub(super) fn next_mut(&mut self) -> &mut *mut Block {
        &mut self.next
    }

    /// The block behind this one.
    pub(super) fn next_ptr(&self) -> *mut Block {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(len: usize) -> Box<Block> {
        Block::new(Payload::copy_of(&vec![7; len]), 1, false, UdpAddress::NONE).unwrap()
    }

    #[test]
    fn small_writes_take_a_small_multiple_of_their_bytes() {
        let mut joined = block(10);
        let mut bytes = 10;
        while joined.join(&block(10)) {
            bytes += 10;
            assert_eq!(joined.rest().len(), bytes);
            let capacity = joined.payload.capacity;
            assert!(
                capacity <= (2 * bytes).max(FIRST_JOINED),
                "{capacity} for {bytes}"
            );
        }
        assert_eq!(bytes, JOINED / 10 * 10);
        assert!(
            !block(SMALL + 1).join(&block(1)),
            "a large one is not copied"
        );
        assert!(!block(1).join(&block(SMALL + 1)));
    }
}
