//! The service of `skynet_harbor` as a `.so` that any core with the same C interface loads: the functions have the names that
//! it looks up.

use libc::{c_char, c_int, c_void};
use skynet_sys::Context;

/// See [`skynet_harbor::create`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn harbor_create() -> *mut c_void {
    // SAFETY: as the caller promises.
    unsafe { skynet_harbor::create() }
}

/// See [`skynet_harbor::init`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn harbor_init(
    instance: *mut c_void,
    context: *mut Context,
    parm: *const c_char,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { skynet_harbor::init(instance, context, parm) }
}

/// See [`skynet_harbor::release`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn harbor_release(instance: *mut c_void) {
    // SAFETY: as the caller promises.
    unsafe { skynet_harbor::release(instance) }
}
