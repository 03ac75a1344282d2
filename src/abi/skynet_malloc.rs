//! "skynet_malloc.h": its other names are those of the process's allocator.

use crate::alloc::memory;
use libc::c_void;

/// Allocator of Lua states: with nsize 0 it frees, else it reallocates. osize is not used.
///
/// # Safety
/// `ptr` is NULL or a block of malloc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_lalloc(
    ptr: *mut c_void,
    osize: usize,
    nsize: usize,
) -> *mut c_void {
    let _ = osize;
    // SAFETY: contract of this function.
    unsafe { memory::reallocate(ptr, nsize) }
}
