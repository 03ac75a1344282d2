//! jemalloc's control interface, if the process has a jemalloc.

use libc::{c_char, c_int, c_void};
use std::ffi::CStr;
use std::ptr;
use std::sync::LazyLock;

unsafe extern "C" {
    safe fn skynet_rs_has_jemalloc() -> c_int;
    fn skynet_rs_mallctl(
        name: *const c_char,
        old: *mut c_void,
        old_len: *mut usize,
        new: *mut c_void,
        new_len: usize,
    ) -> c_int;
    fn skynet_rs_malloc_stats(opts: *const c_char);
}

/// Whether the process has a jemalloc under its plain names.
pub fn present() -> bool {
    skynet_rs_has_jemalloc() != 0
}

/// Reads a value. None when there is no jemalloc, no such value, or it has another size.
pub fn read<T: Copy>(name: &CStr) -> Option<T> {
    let mut value = std::mem::MaybeUninit::<T>::zeroed();
    let mut size = size_of::<T>();
    // SAFETY: jemalloc writes `size` bytes, or refuses when the value has another size.
    unsafe {
        let error = skynet_rs_mallctl(
            name.as_ptr(),
            value.as_mut_ptr().cast(),
            &mut size,
            ptr::null_mut(),
            0,
        );
        (error == 0).then(|| value.assume_init())
    }
}

/// Reads a value of the type of `old` and sets another, if one is given. Answers jemalloc's error code.
pub fn exchange<T: Copy>(name: &CStr, old: &mut T, new: Option<T>) -> i32 {
    let mut size = size_of::<T>();
    let mut new = new;
    let (value, value_size) = match &mut new {
        Some(value) => (ptr::from_mut(value).cast(), size),
        None => (ptr::null_mut(), 0),
    };
    // SAFETY: sizes are those of the types.
    unsafe {
        skynet_rs_mallctl(
            name.as_ptr(),
            ptr::from_mut(old).cast(),
            &mut size,
            value,
            value_size,
        )
    }
}

/// Runs a command, such as `prof.dump`. Answers jemalloc's error code.
pub fn command(name: &CStr) -> i32 {
    // SAFETY: no value in either direction.
    unsafe {
        skynet_rs_mallctl(
            name.as_ptr(),
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            0,
        )
    }
}

/// Prints jemalloc's statistics to stderr.
pub fn print_stats(opts: Option<&CStr>) {
    // SAFETY: null or a C string.
    unsafe { skynet_rs_malloc_stats(opts.map_or(ptr::null(), CStr::as_ptr)) };
}

/// Bytes in use by the whole process, fresh.
pub fn allocated() -> usize {
    refresh();
    read(c"stats.allocated").unwrap_or(0)
}

/// Blocks in use by the whole process, fresh.
pub fn blocks() -> usize {
    refresh();
    // 4096 is MALLCTL_ARENAS_ALL.
    let count = |name| read::<u64>(name).unwrap_or(0);
    let made =
        count(c"stats.arenas.4096.small.nmalloc") + count(c"stats.arenas.4096.large.nmalloc");
    let freed =
        count(c"stats.arenas.4096.small.ndalloc") + count(c"stats.arenas.4096.large.ndalloc");
    made.saturating_sub(freed) as usize
}

/// Pages that hold nothing and are still the process's, fresh.
pub(in crate::alloc) fn dirty_pages() -> usize {
    refresh();
    // 4096 is MALLCTL_ARENAS_ALL.
    let count = |name| read::<usize>(name).unwrap_or(0);
    count(c"stats.arenas.4096.pdirty") + count(c"stats.arenas.4096.pmuzzy")
}

fn refresh() {
    let mut old = 0u64;
    exchange(c"epoch", &mut old, Some(1));
}

/// The size of jemalloc's pages: a build for aarch64 takes 64 KiB, so that it runs on every kernel.
fn page() -> usize {
    static PAGE: LazyLock<usize> = LazyLock::new(|| read(c"arenas.page").unwrap_or(4096));
    *PAGE
}

/// Bytes that jemalloc 5.3 reserves for a block of `size` bytes: quantum 16, four classes for each doubling, whole pages
/// above eight of them (32 KiB, where a page has 4).
#[inline]
pub(in crate::alloc) fn size_class(size: usize) -> usize {
    if size <= 8 {
        return 8;
    }
    if size <= 128 {
        return (size + 15) & !15;
    }
    if size > 32 << 10 && size > 8 * page() {
        return size.next_multiple_of(page());
    }
    let doubling = usize::BITS - (size - 1).leading_zeros();
    let step = 1usize << (doubling - 3);
    (size + step - 1) & !(step - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_jemallocs() {
        if !present() {
            return;
        }
        for size in (1..5000).chain([
            8192,
            8193,
            14336,
            14337,
            40_000,
            400_000,
            600_000,
            1 << 20,
            (1 << 20) + 1,
        ]) {
            // SAFETY: a fresh block, freed at once.
            let real = unsafe {
                let block = libc::malloc(size);
                let real = libc::malloc_usable_size(block);
                libc::free(block);
                real
            };
            assert_eq!(size_class(size), real, "{size}");
        }
    }
}
