//! The write queue of one socket: two lists, high before low, and a block that has begun is never overtaken.

use super::buffer::Block;
use std::ptr::null_mut;

/// First size that raises a WARNING, in bytes; each further one needs twice as much.
pub const WARNING_SIZE: usize = 1024 * 1024;

/// A singly linked list of owned blocks.
struct List {
    head: *mut Block,
    tail: *mut Block,
}

impl List {
    const fn new() -> List {
        List {
            head: null_mut(),
            tail: null_mut(),
        }
    }

    fn push_back(&mut self, block: Box<Block>) {
        let raw = Box::into_raw(block);
        // SAFETY: `raw` was just given up by its box; the tail belongs to this list.
        unsafe {
            *(*raw).next_mut() = null_mut();
            if self.tail.is_null() {
                self.head = raw;
            } else {
                *(*self.tail).next_mut() = raw;
            }
        }
        self.tail = raw;
    }

    fn push_front(&mut self, mut block: Box<Block>) {
        *block.next_mut() = self.head;
        let raw = Box::into_raw(block);
        if self.tail.is_null() {
            self.tail = raw;
        }
        self.head = raw;
    }

    fn pop_front(&mut self) -> Option<Box<Block>> {
        if self.head.is_null() {
            return None;
        }
        // SAFETY: blocks of the list came from boxes, and this one leaves the list now.
        let block = unsafe { Box::from_raw(self.head) };
        self.head = block.next_ptr();
        if self.head.is_null() {
            self.tail = null_mut();
        }
        Some(block)
    }

    fn front(&self) -> Option<&Block> {
        // SAFETY: null or a block of this list, borrowed together with it.
        unsafe { self.head.as_ref() }
    }

    /// Takes a block into the last one, if that may be.
    fn join(&mut self, block: &Block) -> bool {
        // SAFETY: null or a block of this list, borrowed exclusively together with it.
        unsafe { self.tail.as_mut() }.is_some_and(|last| last.join(block))
    }

    fn front_mut(&mut self) -> Option<&mut Block> {
        // SAFETY: as in `front`, exclusively.
        unsafe { self.head.as_mut() }
    }

    fn iter(&self) -> impl Iterator<Item = &Block> {
        let mut at = self.front();
        std::iter::from_fn(move || {
            let now = at?;
            // SAFETY: the link is null or a block of the list, which is borrowed for the iterator's life.
            at = unsafe { now.next_ptr().as_ref() };
            Some(now)
        })
    }
}

/// What waits to be written to one socket.
pub struct WriteQueue {
    high: List,
    low: List,
    bytes: usize,
    /// The next WARNING is due at this size; 0 if none was raised since the queue was empty.
    warn_at: usize,
}

// SAFETY: the lists own their blocks, which are Send.
unsafe impl Send for WriteQueue {}

impl WriteQueue {
    /// An empty queue.
    pub const fn new() -> WriteQueue {
        WriteQueue {
            high: List::new(),
            low: List::new(),
            bytes: 0,
            warn_at: 0,
        }
    }

    /// Whether no block waits.
    pub fn is_empty(&self) -> bool {
        self.high.head.is_null() && self.low.head.is_null()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a block. A low one that has begun already must not be overtaken, so it counts as high.
    /// The answer is the size for a WARNING in KiB, rounded up, if one is due.
    pub fn push(&mut self, block: Box<Block>) -> Option<i32> {
        self.put(block, false)
    }

    /// [`WriteQueue::push`] of bytes of a stream: small ones may become part of the block before.
    pub fn push_bytes(&mut self, block: Box<Block>) -> Option<i32> {
        self.put(block, true)
    }

    fn put(&mut self, block: Box<Block>, may_join: bool) -> Option<i32> {
        self.bytes += block.rest().len();
        let list = if block.low && !block.begun() {
            &mut self.low
        } else {
            &mut self.high
        };
        if !(may_join && list.join(&block)) {
            list.push_back(block);
        }
        if self.bytes < WARNING_SIZE || self.bytes < self.warn_at {
            return None;
        }
        self.warn_at = if self.warn_at == 0 {
            WARNING_SIZE * 2
        } else {
            self.warn_at * 2
        };
        Some(i32::try_from(self.bytes.div_ceil(1024)).unwrap_or(i32::MAX))
    }

    /// The block that goes next.
    pub fn front(&self) -> Option<&Block> {
        self.high.front().or_else(|| self.low.front())
    }

    /// Takes the block that goes next, whether or not it is out (datagrams).
    pub fn pop(&mut self) -> Option<Box<Block>> {
        let block = self.high.pop_front().or_else(|| self.low.pop_front())?;
        self.bytes -= block.rest().len();
        Some(block)
    }

    /// Fills `iov` with what goes next, in order; answers how many entries were set.
    pub fn gather(&self, iov: &mut [libc::iovec]) -> usize {
        let mut n = 0;
        for block in self.high.iter().chain(self.low.iter()) {
            if n == iov.len() {
                break;
            }
            let rest = block.rest();
            if !rest.is_empty() {
                iov[n] = libc::iovec {
                    iov_base: rest.as_ptr().cast_mut().cast(),
                    iov_len: rest.len(),
                };
                n += 1;
            }
        }
        n
    }

    /// Notes that the first `n` bytes are out; blocks that are complete leave the queue.
    pub fn advance(&mut self, mut n: usize) {
        self.bytes -= n;
        loop {
            let from_low = self.high.head.is_null();
            let list = if from_low {
                &mut self.low
            } else {
                &mut self.high
            };
            let Some(first) = list.front_mut() else { break };
            let rest = first.rest().len();
            if rest > n {
                first.advance(n);
                if from_low && first.begun() {
                    // From now on nothing may come before its rest.
                    if let Some(begun) = self.low.pop_front() {
                        self.high.push_front(begun);
                    }
                }
                break;
            }
            n -= rest;
            drop(list.pop_front());
        }
    }

    /// Forgets the warnings; answers whether any had been raised.
    pub fn reset_warning(&mut self) -> bool {
        std::mem::take(&mut self.warn_at) != 0
    }
}

impl Drop for WriteQueue {
    fn drop(&mut self) {
        while let Some(block) = self.pop() {
            drop(block);
        }
    }
}
