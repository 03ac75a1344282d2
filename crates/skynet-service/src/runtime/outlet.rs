//! What a message leaves a service with, in one place for what sends: the head of [`Core`](super::core::Core), or that of nobody.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::ptr;

use crate::sys;

/// See the module.
#[repr(C)]
pub(crate) struct Outlet {
    pub(crate) send: sys::Send,
    /// The context. It may be used as long as messages are dispatched; a release has the handle only.
    pub(crate) context: Cell<*mut sys::Context>,
    /// The source of what is sent without the context.
    pub(crate) own: Cell<u32>,
    /// The types of messages that are not given to the handler as they come, as bits.
    pub(super) rare: Cell<u32>,
}

/// Where no service has its turn, what is sent goes here: who sends need not look first whether one has.
pub(super) static NOBODY: Nobody = Nobody(Outlet {
    send: refuse,
    context: Cell::new(ptr::null_mut()),
    own: Cell::new(0),
    rare: Cell::new(0),
});

pub(super) struct Nobody(pub(super) Outlet);

// SAFETY: it is only read.
unsafe impl Sync for Nobody {}

/// What [`NOBODY`] answers.
pub(crate) const NOT_RUNNING: c_int = c_int::MIN;

/// # Safety
///
/// As for `skynet_send`, but that the context may be null.
unsafe extern "C" fn refuse(
    _: *mut sys::Context,
    _: u32,
    _: u32,
    kind: c_int,
    _: c_int,
    data: *mut c_void,
    _: usize,
) -> c_int {
    if kind & sys::DONT_COPY != 0 {
        // SAFETY: contract of this function: a block of `malloc` that was handed over, or null.
        unsafe { libc::free(data) };
    }
    NOT_RUNNING
}
