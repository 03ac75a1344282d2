//! `skynet_error` of "skynet.h", the one variadic function: its declaration is in `include/inline/skynet.decl.h`.

use crate::actor::service::{self, Context};
use crate::base::log;
use crate::diag::crash::contain;
use libc::{c_char, c_int};

// C sees a context as an opaque struct.
#[allow(improper_ctypes)]
unsafe extern "C" {
    fn skynet_rs_error_format(context: *mut Context, format: *const c_char, ...);
}

/// Logs a printf-like line, see [`crate::base::log::error`]. A jump, because variadic arguments must stay where they are.
///
/// # Safety
/// `context` is null or a live service, and the arguments are those that the format asks for.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C" fn skynet_error() {
    #[cfg(target_arch = "x86_64")]
    core::arch::naked_asm!("jmp {}", sym skynet_rs_error_format);
    #[cfg(target_arch = "aarch64")]
    core::arch::naked_asm!("b {}", sym skynet_rs_error_format);
}

/// Receives the formatted line of `skynet_error`.
///
/// # Safety
/// As [`service::post_line`]; `context` is null or a live service.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_rs_error_post(
    context: *mut Context,
    text: *mut c_char,
    len: usize,
) {
    contain("skynet_rs_error_post", (), || {
        // SAFETY: contract of this function: null or live.
        let source = unsafe { context.as_ref() }.map_or(0, Context::handle);
        // SAFETY: the shim hands a block of its own over.
        unsafe { service::post_line(source, text.cast(), len) };
    })
}

/// Whether a service would read a line.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_rs_error_wanted() -> c_int {
    contain("skynet_rs_error_wanted", 0, || c_int::from(log::wanted()))
}
