//! Which service is on turn on a thread.

use super::own::Own;
use super::{Context, ThreadClass};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering, compiler_fence};

thread_local! {
    /// The service whose message this thread dispatches, or null. Atomic for the handler of a signal, which may look at any
    /// time, and for other threads, which may look whose it is.
    static ON_TURN: AtomicPtr<Context> = const { AtomicPtr::new(std::ptr::null_mut()) };
    /// What stands for a handle outside of a dispatch.
    static OUTSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Whether a thread of the process has a class: there is a node, or there will be one soon.
static PREPARED: AtomicBool = AtomicBool::new(false);

/// Handle of the service whose message this thread dispatches; else `-class as u32`, and 0 on threads that are not the
/// node's. Before a node is prepared every thread counts as the main one.
#[inline]
pub fn current_handle() -> u32 {
    match on_turn() {
        0 if OUTSIDE.get() == 0 && !PREPARED.load(Ordering::Relaxed) => {
            (-(ThreadClass::Main as i32)) as u32
        }
        0 => OUTSIDE.get(),
        handle => handle,
    }
}

/// Handle of the service whose message this thread dispatches; 0 if it does not.
#[inline]
pub fn on_turn() -> u32 {
    let context = ON_TURN.with(|on_turn| on_turn.load(Ordering::Relaxed));
    // SAFETY: a service on turn on this thread is alive.
    unsafe { context.as_ref() }.map_or(0, Context::handle)
}

/// Where this thread notes which service is on turn. Async-signal-safe.
#[cfg(feature = "lua")]
pub(super) fn on_turn_here() -> *const AtomicPtr<Context> {
    ON_TURN.with(std::ptr::from_ref)
}

/// Class of the calling thread as a number; 0, a worker's, on threads that are not the node's. Async-signal-safe.
#[cfg(feature = "lua")]
pub(super) fn class_here() -> u32 {
    OUTSIDE.get().wrapping_neg()
}

/// Names the class of the calling thread ("skynet_server.h", `skynet_initthread`).
pub fn init_thread(class: ThreadClass) {
    init_thread_class(class as i32);
}

/// [`init_thread`] with the number that C gives.
pub fn init_thread_class(class: i32) {
    PREPARED.store(true, Ordering::Relaxed);
    OUTSIDE.set(class.wrapping_neg() as u32);
    #[cfg(feature = "lua")]
    super::thread_signal::list_thread();
}

/// Runs `f` with the service on turn, inside of another's turn or of none.
pub(super) fn nested<R>(own: &mut Own<'_>, f: impl FnOnce(&mut Own<'_>) -> R) -> R {
    let before = ON_TURN.with(|on_turn| on_turn.load(Ordering::Relaxed));
    begin(own);
    let result = f(own);
    end(before);
    result
}

/// Runs `f` with the service on turn, inside of no other's turn: nothing needs to be kept for its end.
#[inline(always)]
pub(super) fn turn_of<T>(own: &mut Own<'_>, f: impl FnOnce(&mut Own<'_>) -> T) -> T {
    begin(own);
    let result = f(own);
    end(std::ptr::null_mut());
    result
}

#[inline(always)]
fn begin(own: &Own<'_>) {
    let context = std::ptr::from_ref(own.context()).cast_mut();
    ON_TURN.with(|on_turn| on_turn.store(context, Ordering::Relaxed));
    compiler_fence(Ordering::SeqCst);
}

#[inline(always)]
fn end(before: *mut Context) {
    // A handler that finds the service finds it on turn.
    compiler_fence(Ordering::SeqCst);
    ON_TURN.with(|on_turn| on_turn.store(before, Ordering::Relaxed));
    compiler_fence(Ordering::SeqCst);
}
