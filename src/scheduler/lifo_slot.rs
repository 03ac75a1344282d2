//! The place for the service that became ready last: its worker fills it, its worker and the watcher empty it.

use super::Ready;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicPtr, Ordering};

/// See the module's documentation.
#[derive(Default)]
pub(super) struct LifoSlot(AtomicPtr<()>);

/// # Safety
/// `raw` is null, or was in a slot until the caller took it out.
#[inline(always)]
unsafe fn taken(raw: *mut ()) -> Option<Ready> {
    // SAFETY: what is in a slot came from `Ready::into_raw`, and by contract it is the caller's.
    NonNull::new(raw).map(|raw| unsafe { Ready::from_raw(raw) })
}

impl LifoSlot {
    /// Fills it; what was in it.
    #[inline]
    pub(super) fn replace(&self, ready: Ready) -> Option<Ready> {
        let raw = ready.into_raw().as_ptr();
        // SAFETY: the exchange took it out.
        unsafe { taken(self.0.swap(raw, Ordering::SeqCst)) }
    }

    /// Empties it.
    #[inline]
    pub(super) fn take(&self) -> Option<Ready> {
        if self.0.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // SAFETY: the exchange took it out.
        unsafe { taken(self.0.swap(null_mut(), Ordering::SeqCst)) }
    }

    /// As [`LifoSlot::replace`], without an atomic exchange.
    ///
    /// # Safety
    /// No other thread fills or empties it.
    #[inline]
    pub(super) unsafe fn replace_alone(&self, ready: Ready) -> Option<Ready> {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(ready.into_raw().as_ptr(), Ordering::Relaxed);
        // SAFETY: no other thread took it between the load and the store (contract of this function).
        unsafe { taken(before) }
    }

    /// As [`LifoSlot::take`], without an atomic exchange.
    ///
    /// # Safety
    /// As [`LifoSlot::replace_alone`].
    #[inline]
    pub(super) unsafe fn take_alone(&self) -> Option<Ready> {
        let before = self.0.load(Ordering::Relaxed);
        self.0.store(null_mut(), Ordering::Relaxed);
        // SAFETY: as in `replace_alone`.
        unsafe { taken(before) }
    }

    /// Whether nothing is in it.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::SeqCst).is_null()
    }
}
