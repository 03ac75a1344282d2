//! References to services.

use super::Context;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;

/// A reference to a service: as long as there is one, its instance is not released.
#[repr(transparent)]
pub struct ServiceRef(NonNull<Context>);

// SAFETY: any thread may drop a reference, and what can be done with one is done with a `&Context`.
unsafe impl Send for ServiceRef {}

impl Deref for ServiceRef {
    type Target = Context;

    fn deref(&self) -> &Context {
        // SAFETY: there is a reference.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for ServiceRef {
    fn drop(&mut self) {
        self.drop_one();
    }
}

impl ServiceRef {
    /// As C has it.
    pub fn into_raw(self) -> *mut Context {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// # Safety
    /// The caller owns a reference to `context`, which is the answer's from now on.
    pub unsafe fn from_raw(context: NonNull<Context>) -> ServiceRef {
        ServiceRef(context)
    }

    /// Drops it. True if it was the last.
    pub fn release(self) -> bool {
        ManuallyDrop::new(self).drop_one()
    }

    fn drop_one(&mut self) -> bool {
        let last = self.refs.fetch_sub(1, Ordering::AcqRel) == 1;
        if last {
            // SAFETY: there is none any more.
            unsafe { super::context::release(self.0.as_ptr()) };
        }
        last
    }

    /// Calls the module's signal function on the calling thread.
    pub fn signal(&self, signal: i32) {
        // SAFETY: not released, because of the reference.
        unsafe { self.instance.signal(signal) };
    }
}

impl Context {
    /// One more reference, unless the last is gone: such a context must not come back.
    pub fn reference(&self) -> Option<ServiceRef> {
        let more = |refs| (refs != 0).then_some(refs + 1);
        self.refs
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, more)
            .ok()
            .map(|_| ServiceRef(NonNull::from(self)))
    }
}
