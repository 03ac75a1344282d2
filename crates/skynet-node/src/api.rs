//! The functions of the core that this program contains, for services in Rust.

use std::ffi::{CStr, c_char, c_int, c_void};

use skynet_service::sys::{self, Api, Callback, Context};

// As `skynet.h` has them, with the types of the crate that calls them.
unsafe extern "C" {
    fn skynet_send(
        context: *mut Context,
        source: u32,
        destination: u32,
        kind: c_int,
        session: c_int,
        data: *mut c_void,
        size: usize,
    ) -> c_int;
    fn skynet_sendname(
        context: *mut Context,
        source: u32,
        name: *const c_char,
        kind: c_int,
        session: c_int,
        data: *mut c_void,
        size: usize,
    ) -> c_int;
    fn skynet_command(
        context: *mut Context,
        name: *const c_char,
        parameter: *const c_char,
    ) -> *const c_char;
    fn skynet_callback(context: *mut Context, ud: *mut c_void, callback: Callback);
    fn skynet_now() -> u64;
    fn skynet_context_handle(context: *mut Context) -> u32;
    fn skynet_error(context: *mut Context, format: *const c_char, ...);
}

/// Services in Rust use the core in this program from now on. They look for it themselves where the program exports its functions, which it
/// need not do.
pub(crate) fn install() {
    // SAFETY: the functions of the core, as `skynet.h` describes them. Whoever was first has found the same.
    unsafe {
        sys::install(Api {
            send: skynet_send,
            send_name: skynet_sendname,
            command: skynet_command,
            callback: skynet_callback,
            now: skynet_now,
            context_handle: Some(skynet_context_handle),
            sockets: crate::sockets::all(),
            error,
        });
    }
}

/// Writes a line of the log.
///
/// # Safety
/// `context` is null or a live service ("skynet.h").
unsafe fn error(context: *mut Context, text: &CStr) {
    // SAFETY: contract of this function; the format asks for one C string.
    unsafe { skynet_error(context, c"%s".as_ptr(), text.as_ptr()) };
}
