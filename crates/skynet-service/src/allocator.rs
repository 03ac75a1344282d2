//! An allocator for libraries of services that are to run on the C core too.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr;

/// Rust's allocator over `malloc` and `free` alone.
///
/// Rust's default allocator uses `posix_memalign` for types of more than 16 bytes alignment; channels of the standard library and of tokio
/// are such. The C core cannot free their blocks, and crashes: v1.0.0 and v1.1.0 bring a `malloc` of their own but no `posix_memalign`;
/// that of v1.8.0 and of master answers with a place that their `free` does not know. v1.2.0 to v1.7.0 and skynet in Rust need nothing. A
/// library that is to run on any of them says so once:
///
/// ```
/// #[global_allocator]
/// static ALLOCATOR: skynet_service::Malloc = skynet_service::Malloc;
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Malloc;

/// What `malloc` aligns to, for blocks of at least that size.
const NATURAL: usize = 16;

fn is_natural(layout: Layout) -> bool {
    layout.align() <= NATURAL && layout.align() <= layout.size()
}

// SAFETY: blocks come from malloc and go to free; those of other alignments have the address of their block before them.
unsafe impl GlobalAlloc for Malloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_natural(layout) {
            // SAFETY: any size.
            return unsafe { libc::malloc(layout.size()) }.cast();
        }
        let before = layout.align().max(size_of::<*mut u8>());
        let Some(size) = layout.size().checked_add(2 * before) else {
            return ptr::null_mut();
        };
        // SAFETY: any size.
        let block: *mut u8 = unsafe { libc::malloc(size) }.cast();
        if block.is_null() {
            return block;
        }
        // SAFETY: the block has room for twice `before` and the size: one for the address of the block, one for the alignment.
        unsafe {
            let least = block.add(size_of::<*mut u8>());
            let aligned = least.add(least.align_offset(before));
            aligned.cast::<*mut u8>().sub(1).write(block);
            aligned
        }
    }

    unsafe fn dealloc(&self, data: *mut u8, layout: Layout) {
        let block = if is_natural(layout) {
            data
        } else {
            // SAFETY: `alloc` has put it there.
            unsafe { data.cast::<*mut u8>().sub(1).read() }
        };
        // SAFETY: a block of malloc.
        unsafe { libc::free(block.cast()) };
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_natural(layout) {
            // SAFETY: any size.
            return unsafe { libc::calloc(1, layout.size()) }.cast();
        }
        // SAFETY: the caller's; the block has the size.
        unsafe {
            let data = self.alloc(layout);
            if !data.is_null() {
                data.write_bytes(0, layout.size());
            }
            data
        }
    }

    unsafe fn realloc(&self, data: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's: a size that fits a layout.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        if is_natural(layout) && is_natural(new) {
            // SAFETY: a block of malloc.
            return unsafe { libc::realloc(data.cast(), size) }.cast();
        }
        // SAFETY: blocks of both layouts.
        unsafe {
            let moved = self.alloc(new);
            if !moved.is_null() {
                ptr::copy_nonoverlapping(data, moved, layout.size().min(size));
                self.dealloc(data, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout};

    use super::Malloc;

    #[test]
    fn blocks_of_all_alignments_keep_their_bytes() {
        for align in [1, 2, 8, 16, 32, 128, 4096] {
            for size in [1usize, 8, 15, 16, 17, 100, 5000] {
                let layout = Layout::from_size_align(size, align).unwrap();
                let larger = Layout::from_size_align(size * 2, align).unwrap();
                // SAFETY: blocks of these layouts, of at least one byte.
                unsafe {
                    let data = Malloc.alloc_zeroed(layout);
                    assert_eq!(data.addr() % align, 0);
                    assert_eq!(data.add(size - 1).read(), 0);
                    data.write_bytes(7, size);
                    let data = Malloc.realloc(data, layout, size * 2);
                    assert_eq!(data.addr() % align, 0);
                    assert_eq!(data.add(size - 1).read(), 7);
                    Malloc.dealloc(data, larger);
                }
            }
        }
    }
}
