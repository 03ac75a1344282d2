//! The first memory of a VM: two blocks that its objects are cut from.
//!
//! A VM makes a few hundred objects before its script runs, and most of them stay until it closes. Cut one behind the other
//! they need no rounding to the allocator's sizes, stand close together, and go with the blocks. What the VM frees meanwhile is
//! kept by size for its next objects; when nothing fits, the allocator is asked as ever.

use std::ptr;

use super::core::reallocate;
use libc::c_void;

/// Bytes of a block: jemalloc's last size that shares pages with others. For more it takes a page on top.
const SIZE: usize = 14 * 1024;
/// Blocks at most: together hardly more than what a service with the Lua layer has, so that nothing of them lies idle.
const BLOCKS: usize = 2;
/// All sizes are multiples of this.
const UNIT: usize = 8;
/// Blocks of fewer units have a list for each size, the others one together.
const SMALL: usize = 33;

/// A block that was freed. Small ones have no room for `size`.
struct Free {
    next: *mut Free,
    size: usize,
}

pub(super) struct Region {
    /// Null before [`Region::open`], and when there was no memory.
    blocks: [*mut u8; BLOCKS],
    /// Blocks that may still be asked for.
    wanted: usize,
    /// Bytes that have never been given away: from here to `end`.
    fresh: *mut u8,
    end: *mut u8,
    small: [*mut Free; SMALL],
    large: *mut Free,
    /// The VM is being closed: what comes back is not needed again.
    closing: bool,
}

const fn round(size: usize) -> usize {
    (size + UNIT - 1) & !(UNIT - 1)
}

impl Region {
    pub const fn new() -> Region {
        Region {
            blocks: [ptr::null_mut(); BLOCKS],
            wanted: 0,
            fresh: ptr::null_mut(),
            end: ptr::null_mut(),
            small: [ptr::null_mut(); SMALL],
            large: ptr::null_mut(),
            closing: false,
        }
    }

    /// Until then the region has nothing to give.
    pub fn open(&mut self) {
        self.wanted = BLOCKS;
    }

    /// Goes on with a new block, if there may be one.
    #[cold]
    fn extend(&mut self) -> bool {
        let Some(next) = self.wanted.checked_sub(1) else {
            return false;
        };
        // SAFETY: a new block; what is left of the one before is free, within it and in no list.
        unsafe {
            let block: *mut u8 = reallocate(ptr::null_mut(), SIZE).cast();
            if block.is_null() {
                return false;
            }
            self.put(self.fresh.cast(), self.end.addr() - self.fresh.addr());
            self.blocks[next] = block;
            self.wanted = next;
            self.fresh = block;
            self.end = block.add(SIZE);
        }
        true
    }

    /// From now on nothing is taken any more.
    pub fn close(&mut self) {
        self.closing = true;
    }

    #[inline]
    pub fn owns(&self, block: *mut c_void) -> bool {
        let within = |start: &*mut u8| block.addr().wrapping_sub(start.addr()) < SIZE;
        // No block is that near to null.
        self.blocks.iter().any(within)
    }

    /// A block of `size` bytes, aligned to 8; null when there is none.
    #[inline]
    pub fn take(&mut self, size: usize) -> *mut c_void {
        let size = round(size);
        let units = size / UNIT;
        if units < SMALL {
            let first = self.small[units];
            if !first.is_null() {
                // SAFETY: blocks in the lists are free ones of this region, each in one list.
                self.small[units] = unsafe { (*first).next };
                return first.cast();
            }
        } else if !self.large.is_null() {
            let found = self.take_large(size);
            if !found.is_null() {
                return found;
            }
        }
        if size <= self.end.addr() - self.fresh.addr() || (size <= SIZE && self.extend()) {
            let block = self.fresh;
            // SAFETY: `fresh` + `size` is within the block.
            self.fresh = unsafe { block.add(size) };
            return block.cast();
        }
        if units < SMALL && !self.large.is_null() {
            return self.take_large(size);
        }
        ptr::null_mut()
    }

    /// The first large block with that much room; what is over stays free.
    fn take_large(&mut self, size: usize) -> *mut c_void {
        let mut place = &raw mut self.large;
        // SAFETY: as in `take`; `place` is the head of the list or a field of a free block.
        unsafe {
            while !(*place).is_null() {
                let block = *place;
                let had = (*block).size;
                if had >= size {
                    *place = (*block).next;
                    self.put(block.cast::<u8>().add(size).cast(), had - size);
                    return block.cast();
                }
                place = &raw mut (*block).next;
            }
        }
        ptr::null_mut()
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It is one of this region's, of `size` bytes, and is not used any more.
    #[inline]
    pub unsafe fn give(&mut self, block: *mut c_void, size: usize) {
        if !self.closing {
            // SAFETY: as the caller promises.
            unsafe { self.put(block, round(size)) }
        }
    }

    unsafe fn put(&mut self, block: *mut c_void, size: usize) {
        let units = size / UNIT;
        if units == 0 {
            return;
        }
        let free: *mut Free = block.cast();
        // SAFETY: a free block has room for a pointer, a large one for a size too.
        unsafe {
            if units < SMALL {
                (*free).next = self.small[units];
                self.small[units] = free;
            } else {
                (*free).next = self.large;
                (*free).size = size;
                self.large = free;
            }
        }
    }

    /// Changes the size of a block, which may move, also out of the region. Null when there is no memory: it stays then.
    ///
    /// # Safety
    /// It is one of this region's, of `old` bytes; both sizes are above 0.
    pub unsafe fn resize(&mut self, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
        let (had, wanted) = (round(old), round(new));
        // SAFETY: as the caller promises; `moved` is a block of its own.
        unsafe {
            if wanted <= had {
                self.give(block.byte_add(wanted), had - wanted);
                return block;
            }
            let more = wanted - had;
            let is_last = block.byte_add(had) == self.fresh.cast();
            if is_last && more <= self.end.addr() - self.fresh.addr() {
                self.fresh = self.fresh.add(more);
                return block;
            }
            let mut moved = self.take(wanted);
            if moved.is_null() {
                moved = reallocate(ptr::null_mut(), new);
            }
            if !moved.is_null() {
                ptr::copy_nonoverlapping(block.cast::<u8>(), moved.cast::<u8>(), old);
                self.give(block, old);
            }
            moved
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        for block in self.blocks {
            // SAFETY: the VM is closed, so nothing in the block is used. Null is allowed.
            unsafe { reallocate(block.cast(), 0) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> Region {
        let mut region = Region::new();
        region.open();
        region
    }

    #[test]
    fn before_it_is_open_there_is_nothing_to_take() {
        let mut region = Region::new();
        assert!(region.take(8).is_null());
    }

    #[test]
    fn blocks_do_not_overlap_and_end_with_the_region() {
        let mut region = open();
        let mut taken = Vec::new();
        loop {
            let block = region.take(40);
            if block.is_null() {
                break;
            }
            assert!(region.owns(block));
            taken.push(block.addr());
        }
        taken.sort_unstable();
        assert!(taken.windows(2).all(|pair| pair[1] - pair[0] >= 40));
        assert_eq!(taken.len(), BLOCKS * (SIZE / 40));
    }

    #[test]
    fn what_comes_back_is_given_away_again() {
        let mut region = open();
        for size in [8, 24, 256, 264, 1000] {
            let block = region.take(size);
            // SAFETY: a block of this region, not used afterwards.
            unsafe { region.give(block, size) };
            assert_eq!(region.take(size), block, "{size}");
        }
    }

    #[test]
    fn a_large_block_is_cut_and_none_is_lost_with_a_new_one() {
        let mut region = open();
        let whole = [region.take(SIZE - 1024), region.take(SIZE)];
        assert!(whole.iter().all(|&block| region.owns(block)));
        // The rest of the first block.
        let parts: Vec<_> = (0..4).map(|_| region.take(256)).collect();
        assert!(parts.iter().all(|&part| region.owns(part)));
        assert!(region.take(8).is_null());
        // SAFETY: blocks of this region, not used afterwards.
        unsafe {
            region.give(whole[1], SIZE);
            region.give(parts[0], 256);
        }
        let mut again = 0;
        while !region.take(1024).is_null() {
            again += 1024;
        }
        assert_eq!(again, SIZE);
    }

    #[test]
    fn a_block_keeps_its_bytes_when_it_grows_and_shrinks() {
        let mut region = open();
        // SAFETY: blocks of this region with their sizes.
        unsafe {
            let block = region.take(16);
            block.cast::<u64>().write(7);
            assert_eq!(region.resize(block, 16, 48), block, "it is the last one");
            let _behind = region.take(8);
            let moved = region.resize(block, 48, 96);
            assert_ne!(moved, block);
            assert_eq!(moved.cast::<u64>().read(), 7);
            assert_eq!(region.resize(moved, 96, 24), moved);
            let outside = region.resize(moved, 24, 2 * SIZE);
            assert!(!region.owns(outside));
            assert_eq!(outside.cast::<u64>().read(), 7);
            reallocate(outside, 0);
        }
    }
}
