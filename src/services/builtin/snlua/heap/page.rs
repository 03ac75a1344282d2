//! A page: cells of one size, or of many, behind a header that is found by the address of any cell.

use std::mem::offset_of;
use std::ptr;

use libc::c_void;

use super::classes::Class;

/// Alignment of a page, and the bytes from one to the next that stands behind it.
pub const SIZE: usize = 4096;
/// glibc keeps two words in front of each block: with room left for those of the next page, pages stand side by side. To
/// jemalloc it is a block of 4,096 bytes either way.
const TAKEN: usize = SIZE - 2 * size_of::<usize>();
/// Bytes for cells.
pub const ROOM: usize = TAKEN - size_of::<Page>();

#[cfg(test)]
thread_local! {
    /// Pages and first blocks that tests let a heap have.
    pub static LIMIT: std::cell::Cell<usize> = const { std::cell::Cell::new(usize::MAX) };
}

#[cfg(test)]
pub fn is_refused() -> bool {
    LIMIT.replace(LIMIT.get().saturating_sub(1)) == 0
}

/// A free cell.
#[repr(C)]
pub struct Cell {
    pub next: *mut Cell,
}

/// The header. Cells begin right behind it, at a multiple of 16.
#[repr(C)]
pub struct Page {
    /// Cells that came back; those that the heap has taken over are in its own list.
    pub free: *mut Cell,
    /// How many there are in `free`.
    pub count: u16,
    /// Cells in all; 0: a page of cells of many sizes, which has no list of its own.
    pub capacity: u16,
    pub class: Class,
    /// Neighbours among the pages of the class with `count` > 0; `next` also among the empty ones.
    pub next: *mut Page,
    pub previous: *mut Page,
    /// Neighbours among all pages of the heap.
    pub older: *mut Page,
    pub newer: *mut Page,
}

const _: () = assert!(size_of::<Page>() == 48 && offset_of!(Page, free) == 0);

impl Page {
    /// A page from the process's allocator; null when there is no memory. Nothing of it is set.
    pub fn acquire() -> *mut Page {
        #[cfg(test)]
        if is_refused() {
            return ptr::null_mut();
        }
        let mut block: *mut c_void = ptr::null_mut();
        // SAFETY: the alignment is a power of two and a multiple of a pointer's size.
        let error = unsafe { libc::posix_memalign(&mut block, SIZE, TAKEN) };
        if error == 0 {
            block.cast()
        } else {
            ptr::null_mut()
        }
    }

    /// # Safety
    /// The page comes from [`Page::acquire`], and nothing in it is used any more.
    pub unsafe fn release(page: *mut Page) {
        // SAFETY: contract of this function.
        unsafe { libc::free(page.cast()) }
    }

    /// The page of a cell.
    #[inline]
    pub fn of(cell: *mut c_void) -> *mut Page {
        cell.map_addr(|address| address & !(SIZE - 1)).cast()
    }

    /// Where the first cell begins.
    ///
    /// # Safety
    /// `page` is one.
    pub unsafe fn room(page: *mut Page) -> *mut u8 {
        // SAFETY: the header is within the page.
        unsafe { page.add(1).cast() }
    }

    /// Puts all cells of a class into the page's list.
    ///
    /// # Safety
    /// Nothing in the page is used.
    pub unsafe fn divide(page: *mut Page, class: Class) {
        let (cell, capacity) = (class.cell(), class.capacity());
        // SAFETY: `capacity` cells fit into the room.
        unsafe {
            let first = Page::room(page);
            let mut next = ptr::null_mut();
            for index in (0..usize::from(capacity)).rev() {
                let free: *mut Cell = first.add(index * cell).cast();
                (*free).next = next;
                next = free;
            }
            (*page).free = next;
            (*page).count = capacity;
            (*page).capacity = capacity;
            (*page).class = class;
        }
    }
}
