//! Payloads: blocks of the C allocator, which the core hands out and takes over.

use core::ptr;
use core::slice;

use libc::c_void;

/// There is no memory.
#[derive(Debug, PartialEq, Eq)]
pub struct NoMemory;

/// Bytes in a block of the C allocator that this value owns.
pub struct Block {
    data: *mut u8,
    len: usize,
    capacity: usize,
}

impl Block {
    /// Takes a block over.
    ///
    /// # Safety
    /// `data` is null, or a block of the C allocator with `len` initialised bytes that is given away.
    pub unsafe fn from_raw(data: *mut c_void, len: usize) -> Block {
        let len = if data.is_null() { 0 } else { len };
        Block {
            data: data.cast(),
            len,
            capacity: len,
        }
    }

    /// Gives the block away: null if there never was one.
    pub fn into_raw(self) -> (*mut c_void, usize) {
        let block = core::mem::ManuallyDrop::new(self);
        (block.data.cast(), block.len)
    }

    /// Makes room for `more` bytes behind those that are there.
    pub fn reserve(&mut self, more: usize) -> Result<(), NoMemory> {
        let needed = self.len.checked_add(more).ok_or(NoMemory)?;
        if needed <= self.capacity {
            return Ok(());
        }
        // SAFETY: null or a block of the C allocator; on failure it stays as it is.
        let data = unsafe { libc::realloc(self.data.cast(), needed) };
        if data.is_null() {
            return Err(NoMemory);
        }
        self.data = data.cast();
        self.capacity = needed;
        Ok(())
    }

    /// Appends bytes.
    pub fn extend(&mut self, bytes: &[u8]) -> Result<(), NoMemory> {
        self.reserve(bytes.len())?;
        if !bytes.is_empty() {
            // SAFETY: there is room for them, and a slice cannot overlap a block that this value owns.
            unsafe {
                ptr::copy_nonoverlapping(bytes.as_ptr(), self.data.add(self.len), bytes.len())
            };
            self.len += bytes.len();
        }
        Ok(())
    }

    /// Drops the bytes behind the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Number of bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the block has room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        if self.data.is_null() {
            return &[];
        }
        // SAFETY: so many bytes of the block are initialised.
        unsafe { slice::from_raw_parts(self.data, self.len) }
    }
}

impl Default for Block {
    /// No bytes, no memory.
    fn default() -> Block {
        Block {
            data: ptr::null_mut(),
            len: 0,
            capacity: 0,
        }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: null or a block of this value alone.
        unsafe { libc::free(self.data.cast()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_survive_growth_and_the_way_through_raw_pointers() {
        let mut block = Block::default();
        assert_eq!(block.bytes(), b"");
        block.extend(b"one").unwrap();
        block.extend(b"").unwrap();
        block.extend(b"two").unwrap();
        block.truncate(5);
        let (data, len) = block.into_raw();
        // SAFETY: what `into_raw` gave.
        let block = unsafe { Block::from_raw(data, len) };
        assert_eq!(block.bytes(), b"onetw");
        assert_eq!(block.len(), 5);
    }

    #[test]
    fn null_has_no_bytes() {
        // SAFETY: null.
        let block = unsafe { Block::from_raw(ptr::null_mut(), 7) };
        assert_eq!(block.len(), 0);
        assert!(block.into_raw().0.is_null());
    }
}
