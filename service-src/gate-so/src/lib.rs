//! The service of `skynet_gate` as a `.so` that any core with the same C interface loads: the functions have the names that
//! it looks up.

use libc::{c_char, c_int, c_void};
use skynet_sys::Context;

/// See [`skynet_gate::create`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gate_create() -> *mut c_void {
    // SAFETY: as the caller promises.
    unsafe { skynet_gate::create() }
}

/// See [`skynet_gate::init`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gate_init(
    instance: *mut c_void,
    context: *mut Context,
    parm: *const c_char,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { skynet_gate::init(instance, context, parm) }
}

/// See [`skynet_gate::release`].
///
/// # Safety
/// As there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn gate_release(instance: *mut c_void) {
    // SAFETY: as the caller promises.
    unsafe { skynet_gate::release(instance) }
}
