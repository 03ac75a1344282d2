//! "skynet_handle.h".

use super::text;
use crate::actor::handle;
use crate::actor::service::{self, Context, ServiceRef};
use crate::diag::crash::contain;
use libc::{c_char, c_int};

/// Gives a context a handle.
///
/// # Safety
/// The context is alive until its handle is retired.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_handle_register(ctx: *mut Context) -> u32 {
    contain("skynet_handle_register", 0, || {
        if ctx.is_null() {
            return 0;
        }
        // SAFETY: contract of this function.
        unsafe { service::register(ctx) }
    })
}

/// Takes a handle and its names away: 1, or 0 when it is unknown.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_handle_retire(handle: u32) -> c_int {
    contain("skynet_handle_retire", 0, || {
        c_int::from(service::retire(handle))
    })
}

/// The context with one more reference, NULL when the handle is unknown.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_handle_grab(handle: u32) -> *mut Context {
    contain("skynet_handle_grab", std::ptr::null_mut(), || {
        service::grab(handle).map_or(std::ptr::null_mut(), ServiceRef::into_raw)
    })
}

/// Retires every handle.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_handle_retireall() {
    contain("skynet_handle_retireall", (), || {
        service::abort_all();
    })
}

/// The handle of a local name (without the dot), 0 if there is none.
///
/// # Safety
/// `name` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_handle_findname(name: *const c_char) -> u32 {
    contain("skynet_handle_findname", 0, || {
        // SAFETY: contract of this function.
        unsafe { text(name) }.map_or(0, handle::find_name)
    })
}

/// Names a handle: the stored name, NULL when it is taken.
///
/// # Safety
/// `name` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_handle_namehandle(
    handle: u32,
    name: *const c_char,
) -> *const c_char {
    contain("skynet_handle_namehandle", std::ptr::null(), || {
        // SAFETY: contract of this function.
        unsafe { text(name) }
            .and_then(|name| handle::name_handle(handle, name))
            .unwrap_or(std::ptr::null())
    })
}

/// Sets the harbor id of all handles. The number of threads does not matter to this core.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_handle_init(harbor: c_int, _thread: c_int) {
    contain("skynet_handle_init", (), || {
        service::init_handles(harbor);
    })
}

/// Nothing to do: threads register themselves at their first look-up.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_handle_register_thread() {}
