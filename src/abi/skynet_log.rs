//! "skynet_log.h".

use crate::actor::service::Context;
use crate::actor::service::record;
use crate::diag::crash::contain;
use libc::{FILE, c_int, c_void};

/// # Safety
/// `ctx` is null or a live service.
unsafe fn source(ctx: *mut Context) -> u32 {
    // SAFETY: contract of this function.
    unsafe { ctx.as_ref() }.map_or(0, Context::handle)
}

/// Opens the message log of the service handle in the folder `logpath` of the environment. ctx is the service that asks.
/// NULL when that fails or there is no `logpath`.
///
/// # Safety
/// `ctx` is NULL or a live service.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_log_open(ctx: *mut Context, handle: u32) -> *mut FILE {
    contain("skynet_log_open", std::ptr::null_mut(), || {
        // SAFETY: contract of this function.
        record::open(unsafe { source(ctx) }, handle)
    })
}

/// Ends and closes a message log.
///
/// # Safety
/// `ctx` is NULL or a live service; `f` came from skynet_log_open and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_log_close(ctx: *mut Context, f: *mut FILE, handle: u32) {
    contain("skynet_log_close", (), || {
        if !f.is_null() {
            // SAFETY: contract of this function.
            unsafe { record::close(source(ctx), f, handle) };
        }
    })
}

/// Writes one message to a message log.
///
/// # Safety
/// `f` is open; `buffer` has `sz` bytes, and is what messages of this type are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_log_output(
    f: *mut FILE,
    source: u32,
    r#type: c_int,
    session: c_int,
    buffer: *mut c_void,
    sz: usize,
) {
    contain("skynet_log_output", (), || {
        if !f.is_null() {
            // SAFETY: contract of this function.
            unsafe { record::output(f, source, r#type, session, buffer.cast(), sz) };
        }
    })
}
