//! The buffer into which a thread packs.
//!
//! It belongs to the thread, so an error that Lua raises in the middle of a value leaks nothing. Packing may call a
//! metamethod that packs too: the inner [`Writer`] begins where the outer one, [suspended](Writer::suspend), has stopped.

use std::cell::Cell;
use std::ptr;
use std::slice;

/// A larger buffer is given back after use.
const KEEP: usize = 256 * 1024;
/// A message of this size leaves with the buffer, if that fits it: a copy would cost more than the next buffer.
const GIVE: usize = 16 * 1024;

struct Scratch {
    base: Cell<*mut u8>,
    capacity: Cell<usize>,
    /// Bytes at the beginning that suspended writers own.
    used: Cell<usize>,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: null or a block of `realloc`, and the thread ends.
        unsafe { libc::free(self.base.get().cast()) }
    }
}

thread_local! {
    static SCRATCH: Scratch = const {
        Scratch { base: Cell::new(ptr::null_mut()), capacity: Cell::new(0), used: Cell::new(0) }
    };
}

/// There is no memory for the message.
#[derive(Debug)]
pub struct OutOfMemory;

/// Appends to the buffer of this thread. Plain data: it may be abandoned at any time.
pub struct Writer {
    base: *mut u8,
    capacity: usize,
    start: usize,
    len: usize,
}

impl Writer {
    /// A writer of no bytes.
    pub fn open() -> Writer {
        SCRATCH.with(|scratch| {
            let start = scratch.used.get();
            Writer {
                base: scratch.base.get(),
                capacity: scratch.capacity.get(),
                start,
                len: start,
            }
        })
    }

    /// What has been written.
    pub fn bytes(&self) -> &[u8] {
        if self.base.is_null() {
            return &[];
        }
        // SAFETY: start <= len <= capacity of the block at base, and all up to len has been written.
        unsafe { slice::from_raw_parts(self.base.add(self.start), self.len - self.start) }
    }

    /// Ends the use of the buffer.
    pub fn close(self) {
        if self.capacity > KEEP && self.start == 0 {
            SCRATCH.with(|scratch| {
                // SAFETY: the block of this thread; no other writer is open, as the use starts at 0.
                unsafe { libc::free(scratch.base.replace(ptr::null_mut()).cast()) };
                scratch.capacity.set(0);
            });
        }
    }

    /// Ends the use of the buffer and gives it away, a block of the C allocator that begins with the message. `None`, and the
    /// writer is as before, when the message is small, or much smaller than the buffer, or not alone in it.
    #[inline]
    pub fn give(&self) -> Option<*mut u8> {
        if self.len < GIVE || self.start > 0 || self.capacity - self.len > self.len / 8 {
            return None;
        }
        SCRATCH.with(|scratch| scratch.capacity.set(0));
        Some(SCRATCH.with(|scratch| scratch.base.replace(ptr::null_mut())))
    }

    /// Lets other writers of the thread work until [`Writer::resume`].
    pub fn suspend(&self) {
        SCRATCH.with(|scratch| scratch.used.set(self.len));
    }

    /// Goes on after [`Writer::suspend`]; the buffer may have moved.
    pub fn resume(&mut self) {
        SCRATCH.with(|scratch| {
            scratch.used.set(self.start);
            self.base = scratch.base.get();
            self.capacity = scratch.capacity.get();
        });
    }

    #[cold]
    fn grow(&mut self, more: usize) -> Result<(), OutOfMemory> {
        let needed = self.len.checked_add(more).ok_or(OutOfMemory)?;
        let capacity = needed.max(self.capacity.saturating_mul(2)).max(1024);
        SCRATCH.with(|scratch| {
            // SAFETY: null or the block of this thread, to which there is no other reference.
            let base = unsafe { libc::realloc(scratch.base.get().cast(), capacity) };
            if base.is_null() {
                return Err(OutOfMemory);
            }
            scratch.base.set(base.cast());
            scratch.capacity.set(capacity);
            self.base = base.cast();
            self.capacity = capacity;
            Ok(())
        })
    }

    /// Where at least `more` bytes may be written; who has written them adds them to `len`.
    #[inline(always)]
    fn room(&mut self, more: usize) -> Result<*mut u8, OutOfMemory> {
        if self.capacity - self.len < more {
            self.grow(more)?;
        }
        // SAFETY: len <= capacity.
        Ok(unsafe { self.base.add(self.len) })
    }

    /// Appends one byte.
    #[inline(always)]
    pub fn byte(&mut self, byte: u8) -> Result<(), OutOfMemory> {
        let at = self.room(1)?;
        // SAFETY: there is room for one byte.
        unsafe { at.write(byte) };
        self.len += 1;
        Ok(())
    }

    /// Appends a byte and `N` more.
    #[inline(always)]
    pub fn headed<const N: usize>(&mut self, head: u8, body: [u8; N]) -> Result<(), OutOfMemory> {
        let at = self.room(N + 1)?;
        // SAFETY: there is room for N + 1 bytes.
        unsafe {
            at.write(head);
            at.add(1).cast::<[u8; N]>().write_unaligned(body);
        }
        self.len += N + 1;
        Ok(())
    }

    /// Appends a byte, `N` more, and `text`.
    #[inline(always)]
    pub fn text<const N: usize>(
        &mut self,
        head: u8,
        length: [u8; N],
        text: &[u8],
    ) -> Result<(), OutOfMemory> {
        let at = self.room(text.len().saturating_add(N + 1))?;
        // SAFETY: there is room for all; Lua's string cannot overlap the buffer.
        unsafe {
            at.write(head);
            at.add(1).cast::<[u8; N]>().write_unaligned(length);
            ptr::copy_nonoverlapping(text.as_ptr(), at.add(N + 1), text.len());
        }
        self.len += N + 1 + text.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_works_while_another_is_suspended_leaves_its_bytes_alone() {
        let mut outer = Writer::open();
        outer.byte(1).unwrap();
        outer.suspend();
        let mut inner = Writer::open();
        for _ in 0..5000 {
            inner.byte(2).unwrap();
        }
        assert!(inner.bytes().iter().all(|&byte| byte == 2) && inner.bytes().len() == 5000);
        inner.close();
        outer.resume();
        outer.headed(3, [4, 5]).unwrap();
        assert_eq!(outer.bytes(), [1, 3, 4, 5]);
        outer.close();
    }

    #[test]
    fn a_large_text_leaves_with_the_buffer_and_the_next_writer_has_its_own() {
        let mut small = Writer::open();
        small.text(4, [1], b"ab").unwrap();
        assert!(small.give().is_none());
        let mut large = Writer::open();
        large.text(9, [], &[7; 100_000]).unwrap();
        let message = large.bytes().to_vec();
        let block = large.give().unwrap();
        let mut next = Writer::open();
        next.text(4, [1], b"ab").unwrap();
        // SAFETY: the block of the message is this test's now.
        unsafe {
            assert_eq!(slice::from_raw_parts(block, message.len()), message);
            libc::free(block.cast());
        }
        assert_eq!(next.bytes(), [4, 1, b'a', b'b']);
    }

    #[test]
    fn a_message_behind_another_or_in_a_large_buffer_does_not_take_it_along() {
        let mut outer = Writer::open();
        outer.byte(1).unwrap();
        outer.suspend();
        let mut inner = Writer::open();
        inner.text(9, [], &[7; 100_000]).unwrap();
        assert!(inner.give().is_none());
        inner.close();
        outer.resume();
        outer.close();
        let mut small = Writer::open();
        small.text(9, [], &[7; 20_000]).unwrap();
        assert!(small.give().is_none());
    }

    #[test]
    fn an_abandoned_writer_does_not_disturb_the_next() {
        let mut abandoned = Writer::open();
        abandoned.text(9, [], &[7; 100_000]).unwrap();
        let mut next = Writer::open();
        assert!(next.bytes().is_empty());
        next.text(4, [1], b"ab").unwrap();
        assert_eq!(next.bytes(), [4, 1, b'a', b'b']);
    }
}
