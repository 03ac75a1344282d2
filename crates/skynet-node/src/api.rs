//! The functions of the core that this program contains, for services in Rust.

use std::ffi::{CStr, c_char, c_int, c_void};

use skynet_service::sys::{self, Api, Callback, Context};

/// Services in Rust use the core in this program from now on. They look for it themselves where the program exports its functions, which it
/// need not do.
pub(crate) fn install() {
    // SAFETY: the functions of the core, as `skynet.h` describes them. Whoever was first has found the same.
    unsafe {
        sys::install(Api {
            send,
            send_name,
            command,
            callback,
            now,
            sockets: crate::sockets::all(),
            error,
        });
    }
}

unsafe extern "C" fn send(
    context: *mut Context,
    source: u32,
    destination: u32,
    kind: c_int,
    session: c_int,
    data: *mut c_void,
    size: usize,
) -> c_int {
    let context = context.cast();
    // SAFETY: the caller's, as for all of these.
    unsafe { skynet_sys::skynet_send(context, source, destination, kind, session, data, size) }
}

unsafe extern "C" fn send_name(
    context: *mut Context,
    source: u32,
    name: *const c_char,
    kind: c_int,
    session: c_int,
    data: *mut c_void,
    size: usize,
) -> c_int {
    let context = context.cast();
    // SAFETY: as above.
    unsafe { skynet_sys::skynet_sendname(context, source, name, kind, session, data, size) }
}

unsafe extern "C" fn command(
    context: *mut Context,
    name: *const c_char,
    parameter: *const c_char,
) -> *const c_char {
    // SAFETY: as above.
    unsafe { skynet_sys::skynet_command(context.cast(), name, parameter) }
}

unsafe extern "C" fn callback(context: *mut Context, ud: *mut c_void, callback: Callback) {
    // SAFETY: both structures are the core's opaque one, so the functions have one type.
    let callback = unsafe { std::mem::transmute::<Callback, skynet_sys::Callback>(callback) };
    // SAFETY: as above.
    unsafe { skynet_sys::skynet_callback(context.cast(), ud, Some(callback)) };
}

unsafe extern "C" fn now() -> u64 {
    // SAFETY: nothing is asked for.
    unsafe { skynet_sys::skynet_now() }
}

unsafe fn error(context: *mut Context, text: &CStr) {
    // SAFETY: the caller's context, a format, and what it asks for.
    unsafe { skynet_sys::skynet_error(context.cast(), c"%s".as_ptr(), text.as_ptr()) };
}
