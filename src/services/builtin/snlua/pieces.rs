//! The collection of a VM that does nothing, in pieces: between two of them its worker does something else.

use libc::c_void;

use super::Snlua;
use super::core::{Piece, monotonic_nanos};

/// Nanoseconds after which a piece ends. One step of Lua's collector is not divided: it comes on top.
const BUDGET: u64 = 2_000_000;

/// A number that changes when the VM's collector does something.
///
/// # Safety
/// `instance` comes from [`super::create`], and the calling thread runs its service.
pub unsafe fn collector(instance: *mut c_void) -> usize {
    // SAFETY: contract of this function.
    unsafe { skynet_lua::lua_gcnext((*instance.cast::<Snlua>()).state.cast()) }
}

/// Collects garbage for a few milliseconds.
///
/// # Safety
/// As [`collector`], and the thread is in no callback of the service.
pub unsafe fn collect(instance: *mut c_void, phase: &mut i32) -> Piece {
    let this = instance.cast::<Snlua>();
    let begin = monotonic_nanos();
    // SAFETY: contract of this function: nothing runs in the VM. Finalizers run in its main coroutine, so that is what signal 0
    // finds meanwhile. Nothing is raised.
    unsafe {
        let state = (*this).state;
        let before = (*this).interrupt.running();
        (*this).interrupt.switch(state);
        let result = loop {
            match skynet_lua::lua_gcpiece(state.cast(), phase) {
                0 => break Piece::Refused,
                2 => break Piece::Done,
                _ if monotonic_nanos() - begin >= BUDGET => break Piece::More,
                _ => {}
            }
        };
        (*this).interrupt.switch(before);
        result
    }
}
