//! "skynet_module.h".

use super::text;
pub use crate::actor::module::Module;
use crate::actor::service::Context;
use crate::diag::crash::contain;
use crate::services::loader;
use libc::{c_char, c_int, c_void};

/// The module of that name, opened at its first use; NULL if there is none.
///
/// # Safety
/// `name` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_module_query(name: *const c_char) -> *mut Module {
    contain("skynet_module_query", std::ptr::null_mut(), || {
        // SAFETY: contract of this function.
        unsafe { text(name) }
            .and_then(loader::query)
            .map_or(std::ptr::null_mut(), |module| {
                std::ptr::from_ref(module).cast_mut()
            })
    })
}

/// A new instance; all ones when the module has no `NAME_create`.
///
/// # Safety
/// `m` comes from skynet_module_query.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_module_instance_create(m: *mut Module) -> *mut c_void {
    contain(
        "skynet_module_instance_create",
        std::ptr::null_mut(),
        || {
            // SAFETY: contract of this function.
            unsafe { m.as_ref() }.map_or(std::ptr::null_mut(), Module::create)
        },
    )
}

/// Starts an instance; 0 is success.
///
/// # Safety
/// `m` comes from skynet_module_query, `inst` from it, `ctx` is alive, `parm` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_module_instance_init(
    m: *mut Module,
    inst: *mut c_void,
    ctx: *mut Context,
    parm: *const c_char,
) -> c_int {
    contain("skynet_module_instance_init", 1, || {
        // SAFETY: contract of this function.
        unsafe { m.as_ref().map_or(1, |m| m.init(inst, ctx.cast(), parm)) }
    })
}

/// Ends an instance.
///
/// # Safety
/// As skynet_module_instance_init; once for each instance.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_module_instance_release(m: *mut Module, inst: *mut c_void) {
    contain("skynet_module_instance_release", (), || {
        // SAFETY: contract of this function.
        unsafe {
            if let Some(m) = m.as_ref() {
                m.release(inst);
            }
        }
    })
}

/// Signals an instance, on the calling thread.
///
/// # Safety
/// As skynet_module_instance_init.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_module_instance_signal(
    m: *mut Module,
    inst: *mut c_void,
    signal: c_int,
) {
    contain("skynet_module_instance_signal", (), || {
        // SAFETY: contract of this function.
        unsafe {
            if let Some(m) = m.as_ref() {
                m.signal(inst, signal);
            }
        }
    })
}

/// Sets where modules are looked for: patterns with `?`, separated by `;`.
///
/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_module_init(path: *const c_char) {
    contain("skynet_module_init", (), || {
        // SAFETY: contract of this function.
        loader::init(unsafe { text(path) }.unwrap_or(c""));
    })
}
