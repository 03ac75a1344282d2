//! The functions of the C interface on a node for tests.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::sync::Arc;

use super::Received;
use super::core::{Service, lock, node_of, running};
use crate::address::Handle;
use crate::kind::Kind;
use crate::payload::Payload;
use crate::sys::sockets::Sockets;
use crate::sys::{ALLOC_SESSION, Api, Callback, Context, DONT_COPY};

/// What the services of a test call.
pub(super) const FUNCTIONS: Api = Api {
    send,
    send_name,
    command,
    callback,
    now,
    context_handle: None,
    sockets: Sockets::NONE,
    error,
};

/// # Safety
///
/// `context` is null or a service that lives.
unsafe fn service<'a>(context: *mut Context) -> Option<&'a Service> {
    // SAFETY: the caller's.
    unsafe { context.cast::<Service>().as_ref() }
}

/// `skynet_send`.
///
/// # Safety
/// `context` is null or a live service of a node for tests; `data` is null, or has `size` bytes; with `DONT_COPY`
/// it is a block of the C allocator, and handed over.
unsafe extern "C" fn send(
    context: *mut Context,
    source: u32,
    destination: u32,
    kind: c_int,
    session: c_int,
    data: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: skynet.h's conditions.
    let service = unsafe { service(context) };
    let payload = if kind & DONT_COPY != 0 || data.is_null() {
        // SAFETY: a block of malloc that is handed over.
        unsafe { Payload::from_raw(data.cast(), size) }
    } else {
        // SAFETY: so many bytes of the caller's.
        Payload::copy_from(unsafe { std::slice::from_raw_parts(data.cast(), size) })
    };
    let session = match service {
        Some(service) if kind & ALLOC_SESSION != 0 => service.new_session(),
        _ => session,
    };
    if destination == 0 {
        return session;
    }
    let source = match service {
        Some(service) if source == 0 => service.handle,
        _ => source,
    };
    let node = service.map_or_else(
        || node_of(source),
        |service| Some(Arc::clone(&service.node)),
    );
    let message = Received {
        source: Handle::new(source),
        kind: Kind::from_number(kind as u8),
        session,
        payload,
    };
    match node {
        Some(node) if node.push(destination, message) => session,
        _ => -1,
    }
}

/// `skynet_sendname`.
///
/// # Safety
/// As [`send`]; `destination` is a C string.
unsafe extern "C" fn send_name(
    context: *mut Context,
    source: u32,
    destination: *const c_char,
    kind: c_int,
    session: c_int,
    data: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: skynet.h's conditions.
    let (service, name) = unsafe { (service(context), CStr::from_ptr(destination)) };
    let handle = service.and_then(|service| {
        let names = &service.node.lock().names;
        names.get(&*name.to_string_lossy()).copied()
    });
    match handle {
        // SAFETY: as for this function.
        Some(handle) => unsafe { send(context, source, handle, kind, session, data, size) },
        None => {
            if kind & DONT_COPY != 0 {
                // SAFETY: a block of malloc that is handed over.
                drop(unsafe { Payload::from_raw(data.cast(), size) });
            }
            -1
        }
    }
}

/// `skynet_command`.
///
/// # Safety
/// `context` is null or a live service of a node for tests; `name` is a C string, `parameter` is one or null.
unsafe extern "C" fn command(
    context: *mut Context,
    name: *const c_char,
    parameter: *const c_char,
) -> *const c_char {
    // SAFETY: skynet.h's conditions.
    let Some(service) = (unsafe { service(context) }) else {
        return ptr::null();
    };
    let text = |text: *const c_char| {
        if text.is_null() {
            return String::new();
        }
        // SAFETY: skynet.h's conditions.
        unsafe { CStr::from_ptr(text) }
            .to_string_lossy()
            .into_owned()
    };
    match service.command(&text(name), &text(parameter)) {
        None => ptr::null(),
        Some(answer) => {
            let mut buffer = lock(&service.answer);
            *buffer = CString::new(answer).unwrap_or_default();
            buffer.as_ptr()
        }
    }
}

/// `skynet_callback`.
///
/// # Safety
/// `context` is null or a live service of a node for tests, whose code runs on this thread; `callback` may be called with `ud` until another
/// one is set.
unsafe extern "C" fn callback(context: *mut Context, ud: *mut c_void, callback: Callback) {
    // SAFETY: skynet.h's conditions.
    if let Some(service) = unsafe { service(context) } {
        *lock(&service.callback) = Some((callback, ud));
    }
}

/// `skynet_now`.
///
/// # Safety
/// None needed; the signature is that of `skynet.h`.
unsafe extern "C" fn now() -> u64 {
    running().map_or(0, |node| node.lock().now)
}

/// `skynet_error`.
///
/// # Safety
/// `context` is null or a live service of a node for tests.
unsafe fn error(context: *mut Context, text: &CStr) {
    let text = text.to_string_lossy().into_owned();
    // SAFETY: null, or a service that lives.
    let node = match unsafe { service(context) } {
        Some(service) => Some(Arc::clone(&service.node)),
        None => running(),
    };
    match node {
        Some(node) => node.lock().log.push(text),
        None => eprintln!("{text}"),
    }
}
