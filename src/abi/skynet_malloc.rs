//! "skynet_malloc.h": its other names are those of the process's allocator.

use libc::c_void;
use std::ptr;

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
    // SAFETY: by contract.
    unsafe {
        let _ = osize;
        if nsize == 0 {
            libc::free(ptr);
            ptr::null_mut()
        } else if ptr.is_null() {
            // What realloc does with NULL, without its checks: most blocks of a state are never resized.
            libc::malloc(nsize)
        } else {
            libc::realloc(ptr, nsize)
        }
    }
}
