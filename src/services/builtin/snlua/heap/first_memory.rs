//! The first memory of a VM: blocks of many sizes.
//!
//! A VM makes a few hundred objects before its script runs, of some thirty sizes, and most of them stay until it closes. Cut one
//! behind the other they stand close together in two blocks of the process's allocator; with a page for each size, most of the
//! pages would lie idle. Nothing goes back before the heap is dropped.

use std::ptr;

use libc::c_void;

use super::super::core::reallocate;
use super::classes::{Class, LARGEST, UNIT};
use super::page::{self, Cell, Page};

/// Bytes of a block: jemalloc's last size that shares pages with others. For more it takes a page on top.
pub const SIZE: usize = 14 * 1024;
/// Blocks at most: together hardly more than what a service with the Lua layer has, so that nothing of them lies idle.
pub const BLOCKS: usize = 2;
/// What large blocks leave of the last block. Where they do not fit they lose little by being on their own, but cells would have to
/// begin a page, most of which would lie idle.
const FOR_CELLS: usize = SIZE / 10;
/// Spare parts that are looked at for a large block.
const TRIES: usize = 8;

/// A part of more than [`LARGEST`] bytes that is free.
#[repr(C)]
struct Spare {
    next: *mut Spare,
    size: usize,
}

/// The two blocks, and what is cut from them, or from a page of cells of many sizes when they are full.
///
/// Invariant: the bytes from `fresh` to `fresh + left` and the spare parts are free, and in no list of cells.
pub struct FirstMemory {
    blocks: [*mut u8; BLOCKS],
    fresh: *mut u8,
    left: usize,
    spare: *mut Spare,
}

const fn round(size: usize) -> usize {
    (size + UNIT - 1) & !(UNIT - 1)
}

impl FirstMemory {
    pub const fn new() -> FirstMemory {
        FirstMemory {
            blocks: [ptr::null_mut(); BLOCKS],
            fresh: ptr::null_mut(),
            left: 0,
            spare: ptr::null_mut(),
        }
    }

    /// Whether it stands in one of the two blocks.
    #[inline]
    pub fn owns(&self, block: *mut c_void) -> bool {
        let within = |start: &*mut u8| block.addr().wrapping_sub(start.addr()) < SIZE;
        // Nothing is that near to null.
        self.blocks.iter().any(within)
    }

    /// The two; null is one that there is not yet.
    pub fn blocks(&self) -> [*mut u8; BLOCKS] {
        self.blocks
    }

    /// Whether what [`FirstMemory::bump`] gives next stands in one of them.
    pub fn is_in_block(&self) -> bool {
        self.owns(self.fresh.cast())
    }

    fn may_open_block(&self) -> bool {
        self.blocks.iter().any(|block| block.is_null())
    }

    /// Goes on in a new block, if there may be one more. What was left has been given to [`FirstMemory::split_rest`].
    pub fn open_block(&mut self) -> bool {
        let Some(place) = self.blocks.iter_mut().find(|place| place.is_null()) else {
            return false;
        };
        #[cfg(test)]
        if page::is_refused() {
            return false;
        }
        // SAFETY: a new block.
        let block: *mut u8 = unsafe { reallocate(ptr::null_mut(), SIZE) }.cast();
        if block.is_null() {
            return false;
        }
        *place = block;
        self.fresh = block;
        self.left = SIZE;
        true
    }

    /// Goes on in a page.
    ///
    /// # Safety
    /// It is the heap's, nothing in it is used, and what was left has been given to [`FirstMemory::split_rest`].
    pub unsafe fn open_page(&mut self, page: *mut Page) {
        // SAFETY: contract of this function.
        unsafe {
            (*page).capacity = 0;
            self.fresh = Page::room(page);
        }
        self.left = page::ROOM;
    }

    /// The next bytes, if there are so many; the number is a multiple of 8.
    #[inline]
    pub fn bump(&mut self, size: usize) -> Option<*mut c_void> {
        if size > self.left {
            return None;
        }
        let block = self.fresh;
        // SAFETY: within the page.
        self.fresh = unsafe { block.add(size) };
        self.left -= size;
        Some(block.cast())
    }

    /// Whether so many bytes can be cut.
    #[inline]
    pub fn has(&self, size: usize) -> bool {
        size <= self.left
    }

    /// Whether the next bytes are aligned to 16.
    pub fn is_aligned(&self) -> bool {
        self.fresh.addr().is_multiple_of(16)
    }

    /// Goes on in a spare part, if there is one. What was left has been given to [`FirstMemory::split_rest`].
    pub fn reuse(&mut self) -> bool {
        let block = self.spare;
        if block.is_null() {
            return false;
        }
        // SAFETY: spare parts are free.
        unsafe {
            self.spare = (*block).next;
            self.left = (*block).size;
            self.fresh = block.cast();
        }
        true
    }

    /// Cuts what is left, which is too little for a cell that is wanted, into smaller ones.
    pub fn split_rest(&mut self, mut put: impl FnMut(*mut Cell, Class)) {
        debug_assert!(self.left <= LARGEST);
        while self.left >= UNIT {
            let class = Class::within(self.left.min(LARGEST));
            if let Some(cell) = self.bump(class.cell()) {
                put(cell.cast(), class);
            }
        }
    }

    /// A block of more than [`LARGEST`] bytes, aligned to 8, if there is room for it.
    pub fn alloc(&mut self, size: usize) -> Option<*mut c_void> {
        let size = round(size);
        let mut place = &raw mut self.spare;
        for _ in 0..TRIES {
            // SAFETY: `place` is the head of the list or a field of a spare block.
            unsafe {
                let block = *place;
                if block.is_null() {
                    break;
                }
                let over = (*block).size.checked_sub(size);
                if over == Some(0) {
                    *place = (*block).next;
                    return Some(block.cast());
                }
                if let Some(over) = over.filter(|&over| over > LARGEST) {
                    (*block).size = over;
                    return Some(block.cast::<u8>().add(over).cast());
                }
                place = &raw mut (*block).next;
            }
        }
        let may = self.may_open_block() || self.left > FOR_CELLS;
        if may && self.is_in_block() {
            self.bump(size)
        } else {
            None
        }
    }

    /// Takes such a block back.
    ///
    /// # Safety
    /// It stands in one of the two blocks, has `size` bytes, more than [`LARGEST`], and it is not used any more.
    pub unsafe fn dealloc(&mut self, block: *mut c_void, size: usize) {
        let spare: *mut Spare = block.cast();
        // SAFETY: contract of this function; there is room for the fields.
        unsafe {
            (*spare).size = round(size);
            (*spare).next = self.spare;
        }
        self.spare = spare;
    }

    /// Makes such a block larger where it is; false if what is behind it is not free.
    pub fn extend(&mut self, block: *mut c_void, old: usize, new: usize) -> bool {
        let (had, wanted) = (round(old), round(new));
        if had >= wanted || block.addr() + had != self.fresh.addr() {
            return had == wanted;
        }
        // What is left may stand in the other block, right behind this one.
        let is_in = |start: &*mut u8, what: usize| what.wrapping_sub(start.addr()) < SIZE;
        let mut blocks = self.blocks.iter();
        blocks.any(|start| is_in(start, block.addr()) && is_in(start, self.fresh.addr()))
            && self.bump(wanted - had).is_some()
    }
}

impl Drop for FirstMemory {
    fn drop(&mut self) {
        for block in self.blocks {
            // SAFETY: the VM is closed, so nothing in the block is used. Null is allowed.
            unsafe { reallocate(block.cast(), 0) };
        }
    }
}
