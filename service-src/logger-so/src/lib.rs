//! The service of `skynet_logger` as a `.so` that any core with the same C interface loads: the functions have the names that
//! it looks up.

use libc::{c_char, c_int, c_void};
use skynet_sys::Context;

/// See [`skynet_logger::create`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn logger_create() -> *mut c_void {
    // SAFETY: as the caller promises.
    unsafe { skynet_logger::create() }
}

/// See [`skynet_logger::init`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn logger_init(
    instance: *mut c_void,
    context: *mut Context,
    parm: *const c_char,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { skynet_logger::init(instance, context, parm) }
}

/// See [`skynet_logger::release`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn logger_release(instance: *mut c_void) {
    // SAFETY: as the caller promises.
    unsafe { skynet_logger::release(instance) }
}
