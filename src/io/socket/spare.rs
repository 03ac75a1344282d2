//! One thing of a kind, for whoever needs it next: threads take turns with it, and one that stops with it costs the others a new one.

use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

/// See the module's documentation.
pub struct Spare<T>(AtomicPtr<T>);

impl<T> Default for Spare<T> {
    fn default() -> Spare<T> {
        Spare(AtomicPtr::new(null_mut()))
    }
}

impl<T: Default + Send> Spare<T> {
    /// What was put back, or a new one.
    pub fn take(&self) -> Box<T> {
        let spare = self.0.swap(null_mut(), Ordering::Acquire);
        if spare.is_null() {
            return Box::default();
        }
        // SAFETY: it came from a box in `put_back`, and the exchange took it.
        unsafe { Box::from_raw(spare) }
    }

    /// For the next one.
    pub fn put_back(&self, spare: Box<T>) {
        let before = self.0.swap(Box::into_raw(spare), Ordering::AcqRel);
        if !before.is_null() {
            // SAFETY: as in `take`.
            drop(unsafe { Box::from_raw(before) });
        }
    }
}

impl<T> Drop for Spare<T> {
    fn drop(&mut self) {
        let spare = *self.0.get_mut();
        if !spare.is_null() {
            // SAFETY: as in `take`.
            drop(unsafe { Box::from_raw(spare) });
        }
    }
}
