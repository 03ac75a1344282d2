//! Functions that v1.8.0 or earlier had and the newest headers do not declare. Not scanned for the headers.

use super::text;
use crate::actor::module::Module;
use crate::actor::service::{self, Context};
use crate::diag::crash::contain;
use crate::services::loader;
use libc::c_char;
use std::ptr;

/// `skynet_context_new` of v1.8.0 and before: the context instead of the handle; the headers of that generation rename it.
/// Like there the pointer carries no reference of its own, and NULL says that the service failed or has ended already.
///
/// # Safety
/// As `skynet_context_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_new_ptr(
    name: *const c_char,
    parm: *const c_char,
) -> *mut Context {
    contain("skynet_context_new_ptr", ptr::null_mut(), || {
        // SAFETY: contract of this function.
        let (name, parm) = unsafe { (text(name), text(parm)) };
        let service = name.and_then(|name| service::launch(name, parm));
        match service {
            Some(service) if !service.is_retired() => ptr::from_ref(&*service).cast_mut(),
            _ => ptr::null_mut(),
        }
    })
}

/// `skynet_strdup` of "skynet_malloc.h" up to v1.8.0: a copy of a string, to be freed with free.
///
/// # Safety
/// `text` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_strdup(text: *const c_char) -> *mut c_char {
    // SAFETY: contract of this function: a C string.
    unsafe { libc::strdup(text) }
}

/// Adds a module that the program provides itself (v1.0.0 to v1.5.0).
///
/// # Safety
/// `module` is readable; its name is a C string and its functions live for ever.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_module_insert(module: *mut Module) {
    contain("skynet_module_insert", (), || {
        if !module.is_null() {
            // SAFETY: contract of this function; the struct is copied.
            unsafe { loader::insert(std::ptr::read(module)) };
        }
    })
}
