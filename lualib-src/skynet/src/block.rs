//! Blocks of the C allocator: what the core hands to services and takes from them.

use std::collections::TryReserveError;
use std::slice;

use libc::c_void;

/// There is no memory.
#[derive(Debug)]
pub struct OutOfMemory;

impl From<TryReserveError> for OutOfMemory {
    fn from(_: TryReserveError) -> OutOfMemory {
        OutOfMemory
    }
}

/// A block and the number of bytes in it that count. Freed when it is dropped.
pub struct Block {
    base: *mut u8,
    len: usize,
}

impl Block {
    /// Takes a block over.
    ///
    /// # Safety
    /// `base` is null or a block of the C allocator of at least `len` initialised bytes that is given away.
    pub unsafe fn from_raw(base: *mut c_void, len: usize) -> Block {
        let len = if base.is_null() { 0 } else { len };
        Block {
            base: base.cast(),
            len,
        }
    }

    /// An empty block with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Result<Block, OutOfMemory> {
        // SAFETY: malloc takes any size; one byte at least, so that it never answers null for success.
        let base: *mut u8 = unsafe { libc::malloc(capacity.max(1)) }.cast();
        if base.is_null() {
            return Err(OutOfMemory);
        }
        Ok(Block { base, len: 0 })
    }

    /// A block with these bytes.
    #[inline]
    pub fn copy_of(bytes: &[u8]) -> Result<Block, OutOfMemory> {
        let mut block = Block::with_capacity(bytes.len())?;
        // SAFETY: that is its room.
        unsafe { block.append(bytes) };
        Ok(block)
    }

    /// Appends bytes.
    ///
    /// # Safety
    /// The block has room for them behind those that it has.
    #[inline]
    pub unsafe fn append(&mut self, bytes: &[u8]) {
        // SAFETY: contract of this function; nothing else has the block.
        unsafe {
            let end = self.base.add(self.len);
            end.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        self.len += bytes.len();
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        if self.base.is_null() {
            return &[];
        }
        // SAFETY: the block has `len` initialised bytes, and nothing else has it.
        unsafe { slice::from_raw_parts(self.base, self.len) }
    }

    /// Gives the block away; the receiver has to free it.
    pub fn into_raw(self) -> (*mut c_void, usize) {
        let raw = (self.base.cast(), self.len);
        std::mem::forget(self);
        raw
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: null or a block of the C allocator that nothing else has.
        unsafe { libc::free(self.base.cast()) }
    }
}
