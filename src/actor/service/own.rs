//! What only the thread that runs a service may do with it.

use super::Context;
use libc::c_char;
use std::ffi::CString;
use std::ops::Deref;

/// A service, on the thread that is consumer of its mailbox: in a callback of its own, or while it is made and no worker
/// has it yet.
#[derive(Clone, Copy)]
pub struct Own<'a>(&'a Context);

impl Deref for Own<'_> {
    type Target = Context;

    fn deref(&self) -> &Context {
        self.0
    }
}

impl Context {
    /// The service as its own thread has it.
    ///
    /// # Safety
    /// The calling thread is the consumer of its mailbox whenever it uses the answer. C code that passes a context promises
    /// that ("skynet.h").
    pub unsafe fn own(&self) -> Own<'_> {
        Own(self)
    }
}

impl Own<'_> {
    /// Messages that wait.
    pub fn waiting(&self) -> usize {
        // SAFETY: this is the consumer's thread, and nothing of the mailbox's is in use here.
        unsafe { self.queue.mailbox.consumer() }.len()
    }

    /// An answer of any length, for C.
    pub fn answer_long(&self, text: String) -> *const c_char {
        // SAFETY: this thread alone uses it, and keeps no reference.
        let answer = unsafe { &mut *self.long_answer.get() };
        answer
            .insert(CString::new(text).unwrap_or_default())
            .as_ptr()
    }

    /// The text that `result` holds, for C.
    pub fn answer(&self, text: &[u8]) -> *const c_char {
        // SAFETY: as in `answer_long`.
        let buffer = unsafe { &mut *self.result.get() };
        // Longer texts have `answer_long`: the longest here is a 20 digit number.
        let len = text.len().min(buffer.len() - 1);
        buffer[..len].copy_from_slice(&text[..len]);
        buffer[len] = 0;
        buffer.as_ptr().cast()
    }
}
