//! "skynet_env.h".

use crate::base::env;
use crate::diag::crash::contain;
use libc::c_char;
use std::ffi::CStr;
use std::ptr;

/// The value of a key of the environment, or NULL. The pointer stays valid for ever.
///
/// # Safety
/// `key` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_getenv(key: *const c_char) -> *const c_char {
    contain("skynet_getenv", std::ptr::null(), || {
        if key.is_null() {
            return ptr::null();
        }
        // SAFETY: not null, so by contract a C string.
        env::get(unsafe { CStr::from_ptr(key) }).map_or(ptr::null(), CStr::as_ptr)
    })
}

/// Sets a key of the environment. A key that has a value keeps it, and an error is logged.
///
/// # Safety
/// Both are NULL (nothing happens then) or C strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_setenv(key: *const c_char, value: *const c_char) {
    contain("skynet_setenv", (), || {
        if key.is_null() || value.is_null() {
            return;
        }
        // SAFETY: not null, so by contract C strings.
        let (key, value) = unsafe { (CStr::from_ptr(key), CStr::from_ptr(value)) };
        let current = crate::actor::service::current_handle();
        // Other threads than workers answer a negative class, which is no service's handle.
        let source = if current >= 0xffff_ff00 { 0 } else { current };
        let _ = env::set(source, key, value);
    })
}

/// Prepares the environment. It may be called never, once or many times.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_env_init() {}
