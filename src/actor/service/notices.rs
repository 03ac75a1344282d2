//! Hooks of upper layers: each registers a function, which is called from then on.

use crate::base::message::SocketMessage;
use libc::c_void;
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, fence};

static SOCKET_MESSAGE_TAKEN: OnceLock<fn(&SocketMessage)> = OnceLock::new();
static RETIRED: OnceLock<fn(u32)> = OnceLock::new();
static START_FAILED: OnceLock<fn(u32)> = OnceLock::new();
static ENDED_WITHOUT_CALLBACK: OnceLock<fn(u32)> = OnceLock::new();

/// Told when a PTYPE_SOCKET message is about to be handled, or dropped.
pub fn on_socket_message_taken(tell: fn(&SocketMessage)) {
    let _ = SOCKET_MESSAGE_TAKEN.set(tell);
}

/// Told of every service that has been retired, after its handle has gone. Of one that was retired before this call, or
/// at the same time, [`super::Context::is_retired`] says so afterwards.
pub fn on_retired(tell: fn(handle: u32)) {
    let _ = RETIRED.set(tell);
    // Either the thread that retires a service sees the function, or the caller sees that the service is retired.
    fence(Ordering::SeqCst);
}

/// Told when a service says that it cannot start to a launcher that is not there.
pub fn on_start_failed(tell: fn(handle: u32)) {
    let _ = START_FAILED.set(tell);
}

/// Told when the script of a service has ended, and no message will ever reach it.
pub fn on_ended_without_callback(tell: fn(handle: u32)) {
    let _ = ENDED_WITHOUT_CALLBACK.set(tell);
}

/// A PTYPE_SOCKET message is about to be handled, or dropped: its bytes are no longer ahead of the service.
///
/// # Safety
/// `data` is that of a message of this type, with `size` bytes.
pub(super) unsafe fn socket_message_taken(data: *const c_void, size: usize) {
    if data.is_null() || size < size_of::<SocketMessage>() {
        return;
    }
    if let Some(tell) = SOCKET_MESSAGE_TAKEN.get() {
        // SAFETY: contract of this function; a program's own messages need not be aligned.
        tell(&unsafe { data.cast::<SocketMessage>().read_unaligned() });
    }
}

/// After the service was marked as retired.
pub(super) fn retired(handle: u32) {
    fence(Ordering::SeqCst);
    #[cfg(feature = "lua")]
    super::sampling::owner_retired(handle);
    if let Some(tell) = RETIRED.get() {
        tell(handle);
    }
}

pub(super) fn start_failed(handle: u32) {
    if let Some(tell) = START_FAILED.get() {
        tell(handle);
    }
}

/// The script of the service has ended, and no message will ever reach it.
#[cfg(feature = "lua")]
pub fn ended_without_callback(handle: u32) {
    if let Some(tell) = ENDED_WITHOUT_CALLBACK.get() {
        tell(handle);
    }
}
