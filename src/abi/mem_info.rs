//! "mem_info.h": counters of memory, for C code that keeps its own. The core does not use them.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes and number of blocks, allocated and freed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemInfo {
    /// Bytes allocated.
    pub alloc: usize,
    /// Blocks allocated.
    pub alloc_count: usize,
    /// Bytes freed.
    pub free: usize,
    /// Blocks freed.
    pub free_count: usize,
}

/// One direction of [`AtomicMemInfo`], on a cache line of its own.
#[repr(C, align(64))]
#[derive(Debug, Default)]
pub struct Half {
    bytes: AtomicUsize,
    count: AtomicUsize,
}

/// The same as [`MemInfo`], for several threads.
#[repr(C)]
#[derive(Debug, Default)]
pub struct AtomicMemInfo {
    alloc: Half,
    free: Half,
}

const _: () = assert!(size_of::<MemInfo>() == 32 && size_of::<AtomicMemInfo>() == 128);

impl Half {
    fn add(&self, size: usize) {
        self.bytes.fetch_add(size, Relaxed);
        self.count.fetch_add(1, Relaxed);
    }
}

/// Sets all to 0.
///
/// # Safety
/// `info` is valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn meminfo_init(info: *mut MemInfo) {
    // SAFETY: contract of this function.
    unsafe { info.write(MemInfo::default()) };
}

/// Sets all to 0.
///
/// # Safety
/// `info` is valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atomic_meminfo_init(info: *mut AtomicMemInfo) {
    // SAFETY: contract of this function.
    unsafe { info.write(AtomicMemInfo::default()) };
}

/// Counts a block of size bytes as allocated.
///
/// # Safety
/// `info` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn meminfo_alloc(info: *mut MemInfo, size: usize) {
    // SAFETY: contract of this function.
    let info = unsafe { &mut *info };
    info.alloc = info.alloc.wrapping_add(size);
    info.alloc_count = info.alloc_count.wrapping_add(1);
}

/// Counts a block of size bytes as allocated.
///
/// # Safety
/// `info` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atomic_meminfo_alloc(info: *mut AtomicMemInfo, size: usize) {
    // SAFETY: contract of this function.
    unsafe { &*info }.alloc.add(size);
}

/// Counts a block of size bytes as freed.
///
/// # Safety
/// `info` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn meminfo_free(info: *mut MemInfo, size: usize) {
    // SAFETY: contract of this function.
    let info = unsafe { &mut *info };
    info.free = info.free.wrapping_add(size);
    info.free_count = info.free_count.wrapping_add(1);
}

/// Counts a block of size bytes as freed.
///
/// # Safety
/// `info` is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atomic_meminfo_free(info: *mut AtomicMemInfo, size: usize) {
    // SAFETY: contract of this function.
    unsafe { &*info }.free.add(size);
}

/// Adds src to dest.
///
/// # Safety
/// Both are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn meminfo_merge(dest: *mut MemInfo, src: *const MemInfo) {
    // SAFETY: contract of this function; read first, since they may be the same.
    let (src, dest) = unsafe { (*src, &mut *dest) };
    dest.alloc = dest.alloc.wrapping_add(src.alloc);
    dest.alloc_count = dest.alloc_count.wrapping_add(src.alloc_count);
    dest.free = dest.free.wrapping_add(src.free);
    dest.free_count = dest.free_count.wrapping_add(src.free_count);
}

/// Adds what src shows now to dest.
///
/// # Safety
/// Both are valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn atomic_meminfo_merge(dest: *mut MemInfo, src: *const AtomicMemInfo) {
    // SAFETY: contract of this function.
    let src = unsafe { &*src };
    // What was freed is read first: the other way round, the difference could come out negative.
    let free_count = src.free.count.load(Relaxed);
    let free = src.free.bytes.load(std::sync::atomic::Ordering::Acquire);
    let now = MemInfo {
        free,
        free_count,
        alloc: src.alloc.bytes.load(Relaxed),
        alloc_count: src.alloc.count.load(Relaxed),
    };
    // SAFETY: contract of this function.
    unsafe { meminfo_merge(dest, &now) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up_and_merge() {
        // SAFETY: all are local values.
        unsafe {
            let mut shared = AtomicMemInfo::default();
            atomic_meminfo_init(&mut shared);
            atomic_meminfo_alloc(&mut shared, 10);
            atomic_meminfo_alloc(&mut shared, 20);
            atomic_meminfo_free(&mut shared, 10);
            let mut own = MemInfo::default();
            meminfo_alloc(&mut own, 5);
            meminfo_free(&mut own, 5);
            atomic_meminfo_merge(&mut own, &shared);
            let expected = MemInfo {
                alloc: 35,
                alloc_count: 3,
                free: 15,
                free_count: 2,
            };
            assert_eq!(own, expected);
        }
    }
}
