//! What a message leaves a service with, in one place for what sends: the head of [`Core`], or that of nobody. Who sends asks nothing: where
//! something else is to be done, another function stands there.

use std::cell::{Cell, OnceCell};
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::AtomicU32;

use super::core::{Core, Flags, Pending, not_running, try_current};
use crate::sys;

/// See the module.
#[repr(C)]
pub(crate) struct Outlet {
    /// `skynet_send` of the core, [`send_ending`] or [`refuse`].
    pub(crate) send: Cell<Send>,
    /// The service's context; null of nobody, and before its init.
    pub(crate) context: Cell<*mut sys::Context>,
    /// The service; 0 before its init. Other threads look at it, too.
    pub(super) handle: AtomicU32,
    /// The types of messages that are not given to the handler as they come, as bits.
    pub(super) rare: Cell<u8>,
    /// (Here, where there is room for them.)
    pub(super) flags: Flags,
    /// What waits for something. Most services that never do have none of it; nobody has none.
    pub(super) pending: OnceCell<Box<Pending>>,
}

/// [`sys::Send`], or what may panic in its place.
pub(crate) type Send = unsafe extern "C-unwind" fn(
    *mut sys::Context,
    u32,
    u32,
    c_int,
    c_int,
    *mut c_void,
    usize,
) -> c_int;

/// `skynet_send` of the core.
pub(super) fn send_of(api: &sys::Api) -> Send {
    // SAFETY: the two differ in that callers of the one are ready for a panic, which the other has not.
    unsafe { std::mem::transmute::<sys::Send, Send>(api.send) }
}

/// Where no service has its turn, what is sent goes here: who sends need not look first whether one has.
pub(super) static NOBODY: Nobody = Nobody(Outlet {
    send: Cell::new(refuse),
    context: Cell::new(ptr::null_mut()),
    handle: AtomicU32::new(0),
    rare: Cell::new(0),
    flags: Flags::new(),
    pending: OnceCell::new(),
});

pub(super) struct Nobody(pub(super) Outlet);

// SAFETY: it is only read.
unsafe impl Sync for Nobody {}

/// What a service that ends answers where a session is to be made up.
pub(crate) const ENDING: c_int = c_int::MIN;

/// Panics: the send of [`NOBODY`].
///
/// # Safety
///
/// As for `skynet_send`, but that the context may be null.
unsafe extern "C-unwind" fn refuse(
    _: *mut sys::Context,
    _: u32,
    _: u32,
    kind: c_int,
    _: c_int,
    data: *mut c_void,
    _: usize,
) -> c_int {
    // SAFETY: contract of this function.
    unsafe { free(kind, data) };
    not_running()
}

/// Frees what was handed over.
///
/// # Safety
///
/// With the tag `DONT_COPY` the data is a block of `malloc` that nobody else uses, or null.
unsafe fn free(kind: c_int, data: *mut c_void) {
    if kind & sys::DONT_COPY != 0 {
        // SAFETY: contract of this function.
        unsafe { libc::free(data) };
    }
}

/// Sends at the release of the service whose turn it is, when the context may not be used any more: in the name of the handle.
///
/// # Safety
///
/// As for `skynet_send`, but that the context may be any.
pub(super) unsafe extern "C-unwind" fn send_ending(
    _: *mut sys::Context,
    source: u32,
    destination: u32,
    kind: c_int,
    session: c_int,
    data: *mut c_void,
    size: usize,
) -> c_int {
    if kind & sys::ALLOC_SESSION != 0 {
        // SAFETY: contract of this function.
        unsafe { free(kind, data) };
        return ENDING;
    }
    // An outlet is that of the service whose turn it is.
    let (context, own) = try_current(Core::sends_as).unwrap_or((ptr::null_mut(), 0));
    let source = if source == 0 { own } else { source };
    // SAFETY: with a source the context may be null; the rest is the caller's.
    unsafe { (sys::api().send)(context, source, destination, kind, session, data, size) }
}
