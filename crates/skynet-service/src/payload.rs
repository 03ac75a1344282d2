//! The bytes of a message, and who owns them.

use std::fmt;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::ptr::NonNull;

/// Bytes of a message that this service owns: memory of `skynet_malloc`, which is freed with the value. Sending a payload hands
/// the memory over to the core without a copy; a message that is kept ([`crate::Message::keep`]) is one, without a copy too.
///
/// It may go to other threads.
pub struct Payload {
    /// A block of `malloc`, or null when there are no bytes.
    data: *mut u8,
    /// Of any value when `data` is null.
    len: usize,
}

// SAFETY: it owns its block, as a `Box<[u8]>` does, and any thread may free memory of `malloc`.
unsafe impl Send for Payload {}
// SAFETY: a shared payload can only be read.
unsafe impl Sync for Payload {}

impl Payload {
    /// No bytes.
    pub const fn new() -> Payload {
        Payload {
            data: std::ptr::null_mut(),
            len: 0,
        }
    }

    /// A copy of the bytes. As after the core's own copies, a zero stands behind them, which C services may rely on.
    #[inline]
    pub fn copy_from(bytes: &[u8]) -> Payload {
        if bytes.is_empty() {
            return Payload::new();
        }
        let len = bytes.len();
        // SAFETY: any size; a slice is shorter than the memory.
        let data: *mut u8 = unsafe { libc::malloc(len + 1) }.cast();
        if data.is_null() {
            no_memory(len + 1);
        }
        // SAFETY: the new block has room for the bytes and the zero.
        unsafe {
            data.copy_from_nonoverlapping(bytes.as_ptr(), len);
            data.add(len).write(0);
        }
        Payload { data, len }
    }

    /// Takes a block over.
    ///
    /// # Safety
    ///
    /// `data` is null (then `len` counts as 0), or a block of `skynet_malloc` with `len` initialised bytes that nobody else uses.
    #[inline]
    pub unsafe fn from_raw(data: *mut u8, len: usize) -> Payload {
        Payload { data, len }
    }

    /// Hands the block over: who gets it frees it with `skynet_free`. Null when there are no bytes.
    #[inline]
    pub fn into_raw(self) -> (*mut u8, usize) {
        let (data, len) = self.into_block();
        (data, if data.is_null() { 0 } else { len })
    }

    /// The same for the core, which gets null with the length that it came with.
    #[inline]
    pub(crate) fn into_block(self) -> (*mut u8, usize) {
        let block = (self.data, self.len);
        std::mem::forget(self);
        block
    }
}

impl Drop for Payload {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a block of malloc of its own, or null.
        unsafe { libc::free(self.data.cast()) };
    }
}

impl Deref for Payload {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: that many initialised bytes, which live as long as the value.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Default for Payload {
    fn default() -> Payload {
        Payload::new()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload(\"{}\")", self.escape_ascii())
    }
}

impl From<&[u8]> for Payload {
    #[inline]
    fn from(bytes: &[u8]) -> Payload {
        Payload::copy_from(bytes)
    }
}

impl<const N: usize> From<&[u8; N]> for Payload {
    #[inline]
    fn from(bytes: &[u8; N]) -> Payload {
        Payload::copy_from(bytes)
    }
}

impl From<&str> for Payload {
    #[inline]
    fn from(text: &str) -> Payload {
        Payload::copy_from(text.as_bytes())
    }
}

impl From<String> for Payload {
    #[inline]
    fn from(text: String) -> Payload {
        Payload::copy_from(text.as_bytes())
    }
}

impl From<Vec<u8>> for Payload {
    #[inline]
    fn from(bytes: Vec<u8>) -> Payload {
        Payload::copy_from(&bytes)
    }
}

#[cold]
#[inline(never)]
fn no_memory(size: usize) -> ! {
    let layout = std::alloc::Layout::array::<u8>(size).expect("a size");
    std::alloc::handle_alloc_error(layout)
}

/// Bytes that are written one after another into what becomes a [`Payload`], without a copy at the end.
pub struct PayloadWriter {
    /// A block of `malloc` of `capacity` bytes, dangling when that is 0. Others' when it is lent.
    data: NonNull<u8>,
    len: usize,
    capacity: usize,
    is_lent: bool,
}

// SAFETY: as for `Payload`.
unsafe impl Send for PayloadWriter {}
// SAFETY: as for `Payload`.
unsafe impl Sync for PayloadWriter {}

impl PayloadWriter {
    /// Nothing is allocated before the first byte.
    pub const fn new() -> PayloadWriter {
        PayloadWriter {
            data: NonNull::dangling(),
            len: 0,
            capacity: 0,
            is_lent: false,
        }
    }

    /// Writes into that room, and allocates when it does not suffice.
    ///
    /// # Safety
    ///
    /// The room lives as long as the writer, and nobody else uses it.
    pub(crate) unsafe fn within(room: &mut [MaybeUninit<u8>]) -> PayloadWriter {
        PayloadWriter {
            data: NonNull::from(&mut *room).cast(),
            len: 0,
            capacity: room.len(),
            is_lent: true,
        }
    }

    /// The payload, unless the bytes are in a room that was lent.
    pub(crate) fn into_heap(self) -> Result<Payload, PayloadWriter> {
        if self.is_lent {
            return Err(self);
        }
        Ok(self.finish())
    }

    /// Has room for that many bytes.
    pub fn with_capacity(capacity: usize) -> PayloadWriter {
        let mut writer = PayloadWriter::new();
        writer.reserve(capacity);
        writer
    }

    /// Appends.
    pub fn put(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        // SAFETY: the block has the room, and is not the caller's.
        unsafe {
            std::ptr::copy_nonoverlapping(
                bytes.as_ptr(),
                self.data.as_ptr().add(self.len),
                bytes.len(),
            );
        }
        self.len += bytes.len();
    }

    /// Takes away all but the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Puts bytes in between, before the byte at `at`.
    pub(crate) fn insert(&mut self, at: usize, bytes: &[u8]) {
        assert!(at <= self.len, "insertion within what is written");
        self.put(bytes);
        self[at..].rotate_right(bytes.len());
    }

    /// The payload. Empty ones have no block.
    pub fn finish(mut self) -> Payload {
        if self.len == 0 {
            return Payload::new();
        }
        if self.is_lent {
            return Payload::copy_from(&self);
        }
        self.reserve(0);
        // SAFETY: there is always room for one more byte.
        unsafe { self.data.as_ptr().add(self.len).write(0) };
        let payload = Payload {
            data: self.data.as_ptr(),
            len: self.len,
        };
        std::mem::forget(self);
        payload
    }

    /// Makes room for that many bytes and the zero at the end.
    fn reserve(&mut self, more: usize) {
        let need = self
            .len
            .checked_add(more)
            .and_then(|need| need.checked_add(1))
            .expect("a message that fits the memory");
        if need <= self.capacity {
            return;
        }
        let capacity = need.max(self.capacity.saturating_mul(2)).max(32);
        if self.is_lent {
            let mut new = PayloadWriter::with_capacity(capacity);
            new.put(self);
            *self = new;
            return;
        }
        let old = if self.capacity == 0 {
            std::ptr::null_mut()
        } else {
            self.data.as_ptr()
        };
        // SAFETY: null, or a block of malloc.
        let new = unsafe { libc::realloc(old.cast(), capacity) };
        let Some(new) = NonNull::new(new.cast()) else {
            no_memory(capacity);
        };
        self.data = new;
        self.capacity = capacity;
    }
}

impl Drop for PayloadWriter {
    #[inline]
    fn drop(&mut self) {
        if self.capacity != 0 && !self.is_lent {
            // SAFETY: a block of malloc of its own.
            unsafe { libc::free(self.data.as_ptr().cast()) };
        }
    }
}

impl Deref for PayloadWriter {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: that many bytes were written; a slice of none may dangle.
        unsafe { std::slice::from_raw_parts(self.data.as_ptr(), self.len) }
    }
}

impl std::ops::DerefMut for PayloadWriter {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `deref`, and exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.data.as_ptr(), self.len) }
    }
}

impl Default for PayloadWriter {
    fn default() -> PayloadWriter {
        PayloadWriter::new()
    }
}

impl std::io::Write for PayloadWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Payload, PayloadWriter};

    #[test]
    fn a_payload_ends_with_a_zero_that_does_not_count() {
        let (data, len) = Payload::from("text").into_raw();
        // SAFETY: one byte more than its length was allocated and written.
        let bytes = unsafe { std::slice::from_raw_parts(data, len + 1) };
        assert_eq!(bytes, b"text\0");
        // SAFETY: the block that was just handed over, and the slice is not used again.
        drop(unsafe { Payload::from_raw(data, len) });
    }

    #[test]
    fn nothing_has_no_block() {
        assert!(Payload::copy_from(b"").into_raw().0.is_null());
        assert_eq!(&*Payload::new(), b"");
    }

    #[test]
    fn bytes_go_in_between() {
        let mut writer = PayloadWriter::new();
        for part in 0..100u8 {
            writer.put(&[part]);
        }
        writer.insert(1, b"abc");
        assert_eq!(&writer[..5], b"\0abc\x01");
        assert_eq!(writer.len(), 103);
        writer.truncate(2);
        assert_eq!(&*writer.finish(), b"\0a");
    }

    #[test]
    fn a_block_goes_out_and_comes_back() {
        let (data, len) = Payload::from(&b"kept"[..]).into_raw();
        // SAFETY: the block that was just handed over.
        let again = unsafe { Payload::from_raw(data, len) };
        assert_eq!(&*again, b"kept");
    }
}
