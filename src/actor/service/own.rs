//! What only the thread that runs a service may do with it.

use super::Context;
use super::context::Callback;
use crate::actor::mailbox::Consumer;
use crate::base::digits::Digits;
use crate::scheduler::Ready;
use libc::{c_char, c_void};
use std::ffi::CString;
use std::ops::Deref;

/// A service with the role of its mailbox's consumer: on the thread that runs it, or that makes it while no worker has it yet.
/// There is one at a time, which moves; what a service's own thread alone may touch is reached by way of it.
pub struct Own<'a> {
    context: &'a Context,
    pub(super) consumer: Consumer<'a, Answers>,
}

/// What `skynet_command` answers with.
#[derive(Default)]
pub(super) struct Answers {
    /// Overwritten by the next command.
    short: [u8; 32],
    /// An answer that is longer, until the next such one.
    long: Option<CString>,
}

impl Deref for Own<'_> {
    type Target = Context;

    #[inline(always)]
    fn deref(&self) -> &Context {
        self.context
    }
}

impl Context {
    /// The service as its own thread has it, for that thread where the value is not at hand.
    ///
    /// # Safety
    /// The role is the caller's: it has a token for it, and gives that up for this; or the calling thread is inside of the
    /// service's callback, or of the launch, which lend it the role until the caller returns; or no worker runs, so that none takes
    /// the token. C code that passes a context promises that ("skynet.h").
    #[inline(always)]
    pub unsafe fn own(&self) -> Own<'_> {
        Own {
            context: self,
            // SAFETY: contract of this function.
            consumer: unsafe { self.queue.mailbox.assume_consumer() },
        }
    }

    /// Any thread: as its own thread, if it is idle.
    pub(super) fn try_own(&self) -> Option<Own<'_>> {
        let consumer = self.queue.mailbox.try_acquire()?;
        Some(Own {
            context: self,
            consumer,
        })
    }
}

impl<'a> Own<'a> {
    /// The service, also after the role is given up.
    #[inline(always)]
    pub(super) fn context(&self) -> &'a Context {
        self.context
    }

    /// The role as run queues hold it.
    #[inline(always)]
    pub(super) fn into_ready(self) -> Ready {
        self.context.queue.ready(self.consumer)
    }

    /// Gives the role up if no message waits. If one does, the caller still has it.
    #[inline(always)]
    pub(super) fn try_release(self) -> Option<Own<'a>> {
        let context = self.context;
        let consumer = self.consumer.try_release()?;
        Some(Own { context, consumer })
    }

    /// Messages that wait.
    pub fn waiting(&mut self) -> usize {
        self.consumer.len()
    }

    /// Sets the function that gets the service's messages; `None` lets them be freed unseen.
    ///
    /// # Safety
    /// The function may be called with `ud` for as long as it is set.
    pub unsafe fn set_callback(&mut self, callback: Option<Callback>, ud: *mut c_void) {
        // SAFETY: contract of this function.
        unsafe { self.context.store_callback(callback, ud) };
    }

    /// Whether messages reach the service: what one without a callback gets is freed unseen.
    #[cfg(feature = "lua")]
    pub fn receives(&self) -> bool {
        self.context.callback().is_some()
    }

    /// An answer of any length, for C.
    pub fn answer_long(&mut self, text: String) -> *const c_char {
        let answer = &mut self.consumer.owned().long;
        answer
            .insert(CString::new(text).unwrap_or_default())
            .as_ptr()
    }

    /// [`Own::answer`] of a number.
    pub(crate) fn answer_number(&mut self, number: &Digits) -> *const c_char {
        let buffer = &mut self.consumer.owned().short;
        buffer[..=Digits::MOST].copy_from_slice(number.padded());
        buffer.as_ptr().cast()
    }

    /// The text that the buffer for short answers holds, for C.
    pub fn answer(&mut self, text: &[u8]) -> *const c_char {
        let buffer = &mut self.consumer.owned().short;
        // Longer texts have `answer_long`: the longest here is a 20 digit number.
        let len = text.len().min(buffer.len() - 1);
        buffer[..len].copy_from_slice(&text[..len]);
        buffer[len] = 0;
        buffer.as_ptr().cast()
    }
}
