//! What older executables export beside the headers: `sigign`, and `skynet_strdup` of "skynet_malloc.h" up to v1.8.0.

use crate::signals;
use libc::{c_char, c_int};

/// Ignores SIGPIPE. Returns 0.
#[unsafe(no_mangle)]
pub extern "C" fn sigign() -> c_int {
    signals::ignore_pipe();
    0
}

/// A copy of a string, to be freed with free.
///
/// # Safety
/// `text` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_strdup(text: *const c_char) -> *mut c_char {
    // SAFETY: by contract a C string.
    unsafe { libc::strdup(text) }
}
