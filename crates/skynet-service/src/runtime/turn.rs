//! A service's turn on a thread: what begins it, and what ends it.

use std::ffi::c_int;
use std::ptr;

use super::core::Core;
use super::outlet::Outlet;
use super::place::{Near, Place, place};

/// The turn of a service, until it is dropped.
pub(crate) struct Turn {
    /// That of this thread, which is looked up once.
    place: *const Place,
    before: *const Outlet,
}

impl Turn {
    /// # Safety
    ///
    /// The core dispatches this service on this thread, or nobody but this thread has it any more; `core` outlives the turn.
    #[inline]
    pub(crate) unsafe fn begin(core: *const Core) -> Turn {
        // SAFETY: the caller's.
        let near = unsafe { &*core }.near();
        let place = near.place().unwrap_or_else(place);
        // SAFETY: this thread's own.
        let before = unsafe { &*place }.replace(core.cast());
        Turn { place, before }
    }
}

impl Drop for Turn {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a turn begins and ends on one thread (it is not `Send`), which keeps its place.
        unsafe { &*self.place }.set(self.before);
    }
}

/// The turn for a message, which is no part of another one: workers dispatch where nothing else of this library runs. (Were it within another
/// one, that one would be over with it: the rest of it panics.)
pub(crate) struct MessageTurn<'a>(&'a Core);

impl<'a> MessageTurn<'a> {
    /// Begins it on the thread on which the service has been before; and what [`Ctx`](crate::Ctx) has for it. `None` on another one, at which
    /// the service has to [`Core::arrive`] first.
    ///
    /// # Safety
    ///
    /// The core dispatches this service on this thread.
    #[inline(always)]
    pub(crate) unsafe fn begin(core: &'a Core) -> Option<(MessageTurn<'a>, Near)> {
        let near = Near::here(&core.near)?;
        // SAFETY: this thread's own.
        unsafe { &*near.place()? }.set(ptr::from_ref(core).cast());
        Some((MessageTurn(core), near))
    }

    /// Ends it where tasks may be ready, which are polled first. The result is the answer to C: the last thing that `receive` does is this
    /// call, so that it saves nothing for what comes behind it.
    #[inline(never)]
    pub(crate) fn end_with_tasks(self, answer: c_int) -> c_int {
        if self.0.has_work() {
            self.0.run_caught();
        }
        answer
    }
}

impl Drop for MessageTurn<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Looked at again rather than remembered: the registers are for the handler.
        // SAFETY: `begin` has made it that of this thread.
        unsafe { self.0.near.get().forget() };
    }
}
