//! The heap of a VM.
//!
//! A VM is one service's and runs on one thread at a time, and Lua tells the size of what it frees. So there is no lock, no atomic
//! access and no header before a block; `docs/internals/vm-heap.md` has the whole.
//!
//! Invariants:
//! * A block of [`LARGEST`] bytes or less is a cell of a page of this heap. A larger one stands in its [`FirstMemory`], or is
//!   a block of the process's allocator.
//! * A cell is used by the VM, or in exactly one list: `free` of its class in [`Cells`], or `free` of its page. Cells of the first
//!   memory are always in the former, of the class of the size that they were asked for with.
//! * `blocks` of [`Cells`] are those of [`FirstMemory`].
//! * A page whose `count` is above 0 is in `partial` of its class, or among the empty ones when all its cells are in its list.
//! * Every page is in `newest` and what is older.

mod cells;
mod classes;
mod first_memory;
mod page;
#[cfg(test)]
mod tests;

use std::ptr;

use libc::c_void;

pub use self::cells::Cells;
use self::classes::{COUNT, Class, LARGEST, UNIT};
use self::first_memory::FirstMemory;
use self::page::{Cell, Page};
use super::core::reallocate;

/// Bytes of cells of one class that are cut from pages of many sizes once the first memory is used up. A class that needs more
/// gets pages of its own.
const MIXED: u16 = 4096;
/// Empty pages that are kept: so many, and one for so many pages in use.
const KEPT: usize = 2;
const KEPT_OF: usize = 8;

pub(super) struct Heap {
    /// What Lua takes from and puts back to itself.
    pub cells: Cells,
    partial: [*mut Page; COUNT],
    /// Bytes that were cut from pages of many sizes, by class.
    mixed: [u16; COUNT],
    first: FirstMemory,
    /// Pages that are not empty, and those that are.
    used: usize,
    idle: usize,
    empty: *mut Page,
    newest: *mut Page,
    /// Most pages in use since the lists were last emptied into the pages.
    peak: usize,
}

impl Heap {
    pub const fn new() -> Heap {
        Heap {
            cells: Cells::new(),
            partial: [ptr::null_mut(); COUNT],
            mixed: [0; COUNT],
            first: FirstMemory::new(),
            used: 0,
            idle: 0,
            empty: ptr::null_mut(),
            newest: ptr::null_mut(),
            peak: 0,
        }
    }

    /// A block of `size` bytes, which are more than 0, aligned to 8; null when there is no memory.
    #[inline]
    pub fn alloc(&mut self, size: usize) -> *mut c_void {
        if size > LARGEST {
            return self.take_large(size);
        }
        let class = Class::of(size);
        let cell = self.cells.free[class.index()];
        if cell.is_null() {
            return self.refill(class);
        }
        // SAFETY: a free cell of this heap.
        self.cells.free[class.index()] = unsafe { (*cell).next };
        cell.cast()
    }

    /// The same, aligned to 16 as blocks of the process's allocator are: C code may rely on it for its userdata.
    #[cold]
    pub fn alloc_aligned(&mut self, size: usize) -> *mut c_void {
        if size > LARGEST {
            // SAFETY: a new block.
            return unsafe { reallocate(ptr::null_mut(), size) };
        }
        let class = Class::of(size);
        if self.is_head_aligned(class) {
            return self.alloc(size);
        }
        if self.mixed[class.index()] < MIXED && self.make_room(class.cell() + UNIT) {
            if !self.first.is_aligned()
                && let Some(gap) = self.first.bump(UNIT)
            {
                // SAFETY: a cell that was just cut.
                unsafe { self.dealloc(gap, UNIT) };
            }
            return self.alloc_mixed(class);
        }
        let class = class.aligned();
        if self.is_head_aligned(class) {
            return self.alloc(class.cell());
        }
        let page = self.partial(class);
        if page.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: the page has a free cell. All cells of this class are aligned in a page of their own.
        unsafe {
            let cell = (*page).free;
            (*page).free = (*cell).next;
            (*page).count -= 1;
            if (*page).count == 0 {
                self.unlink(page);
            }
            cell.cast()
        }
    }

    fn is_head_aligned(&self, class: Class) -> bool {
        let head = self.cells.free[class.index()];
        !head.is_null() && head.addr().is_multiple_of(16)
    }

    /// Whether a block of so many bytes needs not be given back before the heap is dropped.
    #[inline]
    pub fn goes_with_it(size: usize) -> bool {
        size <= LARGEST
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It is one of this heap's, of `size` bytes, and it is not used any more.
    #[inline]
    pub unsafe fn dealloc(&mut self, block: *mut c_void, size: usize) {
        // SAFETY: contract of this function; by the first invariant a small block has a page.
        unsafe {
            if size > LARGEST {
                self.give_large(block, size);
                return;
            }
            let page = Page::of(block);
            let cell: *mut Cell = block.cast();
            if self.first.owns(block) || (*page).capacity == 0 {
                let head = &mut self.cells.free[Class::of(size).index()];
                (*cell).next = *head;
                *head = cell;
                return;
            }
            (*cell).next = (*page).free;
            (*page).free = cell;
            let count = (*page).count + 1;
            (*page).count = count;
            if count == 1 {
                self.link(page);
            } else if count == (*page).capacity {
                self.retire(page);
            }
        }
    }

    /// Changes the size of a block, which may move. Null when there is no memory: it stays as it is then.
    ///
    /// # Safety
    /// It is one of this heap's, of `old` bytes; both sizes are above 0.
    pub unsafe fn resize(&mut self, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
        // SAFETY: contract of this function; `moved` is a block of its own.
        unsafe {
            if old > LARGEST && new > LARGEST {
                if !self.first.owns(block) {
                    return reallocate(block, new);
                }
                if self.first.extend(block, old, new) {
                    return block;
                }
            }
            if old <= LARGEST && new <= LARGEST && Class::of(old) == Class::of(new) {
                return block;
            }
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block.cast::<u8>(), moved.cast::<u8>(), old.min(new));
                self.dealloc(block, old);
            }
            moved
        }
    }

    /// A cell of a class whose list is empty.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, class: Class) -> *mut c_void {
        let index = class.index();
        if self.partial[index].is_null() && self.mixed[index] < MIXED {
            return self.alloc_mixed(class);
        }
        let page = self.partial(class);
        if page.is_null() {
            return ptr::null_mut();
        }
        // SAFETY: the page has a free cell.
        unsafe {
            self.unlink(page);
            let cell = (*page).free;
            self.cells.free[index] = (*cell).next;
            (*page).free = ptr::null_mut();
            (*page).count = 0;
            cell.cast()
        }
    }

    #[inline(never)]
    fn take_large(&mut self, size: usize) -> *mut c_void {
        let block = self.first.alloc(size);
        // SAFETY: a new block.
        block.unwrap_or_else(|| unsafe { reallocate(ptr::null_mut(), size) })
    }

    /// # Safety
    /// As [`Heap::dealloc`], with more than [`LARGEST`] bytes.
    #[inline(never)]
    unsafe fn give_large(&mut self, block: *mut c_void, size: usize) {
        // SAFETY: contract of this function.
        unsafe {
            if self.first.owns(block) {
                self.first.dealloc(block, size);
            } else {
                reallocate(block, 0);
            }
        }
    }

    /// Cuts a cell from memory of many sizes.
    fn alloc_mixed(&mut self, class: Class) -> *mut c_void {
        let cell = class.cell();
        if !self.make_room(cell) {
            return ptr::null_mut();
        }
        if !self.first.is_in_block() {
            let mixed = &mut self.mixed[class.index()];
            *mixed = mixed.saturating_add(cell as u16);
        }
        self.first.bump(cell).unwrap_or(ptr::null_mut())
    }

    /// Sees to it that so many bytes, `LARGEST + UNIT` at most, can be cut. False if there is no memory.
    fn make_room(&mut self, size: usize) -> bool {
        if self.first.has(size) {
            return true;
        }
        self.recycle_rest();
        if self.first.reuse() {
            return true;
        }
        if self.first.open_block() {
            self.cells.blocks = self.first.blocks();
            return true;
        }
        let page = self.fresh_page();
        if page.is_null() {
            return false;
        }
        // SAFETY: the page is new, or empty.
        unsafe { self.first.open_page(page) };
        true
    }

    fn recycle_rest(&mut self) {
        let free = &mut self.cells.free;
        self.first.split_rest(|cell, class| {
            // SAFETY: a cell that was just cut.
            unsafe { (*cell).next = free[class.index()] };
            free[class.index()] = cell;
        });
    }

    /// A page of the class with a free cell; null when there is no memory.
    fn partial(&mut self, class: Class) -> *mut Page {
        let first = self.partial[class.index()];
        if !first.is_null() {
            return first;
        }
        let page = self.fresh_page();
        if !page.is_null() {
            // SAFETY: the page is empty.
            unsafe {
                Page::divide(page, class);
                self.link(page);
            }
        }
        page
    }

    /// A page with nothing in it, counted as used.
    fn fresh_page(&mut self) -> *mut Page {
        let mut page = self.empty;
        // SAFETY: pages of this heap.
        unsafe {
            if page.is_null() {
                page = Page::acquire();
                if page.is_null() {
                    return page;
                }
                (*page).newer = ptr::null_mut();
                (*page).older = self.newest;
                if !self.newest.is_null() {
                    (*self.newest).newer = page;
                }
                self.newest = page;
            } else {
                self.empty = (*page).next;
                self.idle -= 1;
            }
        }
        self.used += 1;
        self.peak = self.peak.max(self.used);
        page
    }

    /// # Safety
    /// A page of this heap that has a class, and is in no list of its class.
    unsafe fn link(&mut self, page: *mut Page) {
        // SAFETY: contract of this function.
        unsafe {
            let first = &mut self.partial[(*page).class.index()];
            (*page).previous = ptr::null_mut();
            (*page).next = *first;
            if !first.is_null() {
                (**first).previous = page;
            }
            *first = page;
        }
    }

    /// # Safety
    /// The page is in the list of its class.
    unsafe fn unlink(&mut self, page: *mut Page) {
        // SAFETY: contract of this function.
        unsafe {
            let (next, previous) = ((*page).next, (*page).previous);
            if !next.is_null() {
                (*next).previous = previous;
            }
            if previous.is_null() {
                self.partial[(*page).class.index()] = next;
            } else {
                (*previous).next = next;
            }
        }
    }

    /// All cells of the page have come back.
    ///
    /// # Safety
    /// The page is in the list of its class.
    #[cold]
    #[inline(never)]
    unsafe fn retire(&mut self, page: *mut Page) {
        // SAFETY: contract of this function.
        unsafe {
            self.unlink(page);
            (*page).next = self.empty;
        }
        self.empty = page;
        self.idle += 1;
        self.used -= 1;
        if self.used < self.peak / 2 {
            self.peak = self.used;
            self.return_lists();
        }
        while self.idle > KEPT + self.used / KEPT_OF {
            self.release_one();
        }
    }

    /// Puts the cells of the lists back into their pages, which may be empty then.
    fn return_lists(&mut self) {
        for index in 0..COUNT {
            let mut cell = std::mem::replace(&mut self.cells.free[index], ptr::null_mut());
            while !cell.is_null() {
                // SAFETY: a free cell; those of pages of many sizes come back to this list, whose size is theirs.
                unsafe {
                    let next = (*cell).next;
                    self.dealloc(cell.cast(), Class::at(index).cell());
                    cell = next;
                }
            }
        }
    }

    /// Gives an empty page back to the process.
    fn release_one(&mut self) {
        let page = self.empty;
        // SAFETY: a page of this heap that is empty.
        unsafe {
            self.empty = (*page).next;
            self.idle -= 1;
            let (older, newer) = ((*page).older, (*page).newer);
            if !older.is_null() {
                (*older).newer = newer;
            }
            if newer.is_null() {
                self.newest = older;
            } else {
                (*newer).older = older;
            }
            Page::release(page);
        }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        let mut page = self.newest;
        while !page.is_null() {
            // SAFETY: the VM is closed, so nothing in the page is used.
            unsafe {
                let older = (*page).older;
                Page::release(page);
                page = older;
            }
        }
    }
}
