//! A service's turn on a thread: what begins it, and what ends it.

use std::any::Any;
use std::ffi::c_int;
use std::hint::cold_path;
use std::ptr;

use super::core::{Core, try_current};
use super::outlet::{NOBODY, Outlet};
use super::place::{Near, Place, place};
use crate::error::panic_message;
use crate::message::Asker;

type Panic = Box<dyn Any + Send>;

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
///
/// It remembers nothing but the place, which names the service also at the end: each register that waits for that is one that every message saves.
#[must_use = "a turn has to be ended"]
pub(crate) struct MessageTurn(*const Place);

impl MessageTurn {
    /// Begins it on the thread on which the service has been before, for a message that is not for the runtime; and what [`Ctx`](crate::Ctx) has
    /// for it. `None` otherwise.
    ///
    /// # Safety
    ///
    /// The core dispatches this service on this thread, and the turn is ended before the service is released.
    #[inline(always)]
    pub(crate) unsafe fn begin(core: &Core, kind: c_int) -> Option<(MessageTurn, Near)> {
        let near = Near::here(core, kind)?;
        let place = near.place()?;
        // SAFETY: this thread's own.
        unsafe { &*place }.set(ptr::from_ref(core).cast());
        Some((MessageTurn(place), near))
    }

    /// Ends it. The result is the answer to C: this is the last thing that the callback does, so it saves nothing for what comes behind.
    #[inline(always)]
    pub(crate) fn end(self, answer: c_int) -> c_int {
        // SAFETY: this thread's own place (a turn is not `Send`). What was put there meanwhile is gone again: it names the service that `begin`
        // put there, or nobody.
        let place = unsafe { &*self.0 };
        // SAFETY: as above; the service is there, as its turn is not over.
        if unsafe { &*place.get() }.pending.get().is_some() {
            cold_path();
            return self.end_with_tasks(answer);
        }
        place.set(&raw const NOBODY.0);
        answer
    }

    /// The same where tasks may be ready, which are polled first.
    #[inline(never)]
    fn end_with_tasks(self, answer: c_int) -> c_int {
        try_current(|core| {
            if core.has_work() {
                core.run_caught();
            }
        });
        // SAFETY: this thread's own.
        unsafe { &*self.0 }.set(&raw const NOBODY.0);
        answer
    }

    /// Ends it after a panic in the handler: who has asked gets an error.
    #[cold]
    #[inline(never)]
    pub(crate) fn end_with_panic(self, panic: Panic, asker: &Asker, answer: c_int) -> c_int {
        let text = panic_message(panic);
        try_current(|core| core.report_panic("the handler of messages", &text));
        asker.fail();
        self.end(answer)
    }
}
