//! Which service has which handle.

use super::Context;
use crate::actor::handle::{Entry, Table};
use crate::alloc::reclaim::Guard;

static SERVICES: Table<Context> = Table::new();

impl Entry for Context {
    #[inline]
    fn handle(&self) -> u32 {
        Context::handle(self)
    }

    fn set_handle(&self, handle: u32) {
        Context::set_handle(self, handle);
    }
}

/// Sets the harbor id of the node ("skynet_handle.h", `skynet_handle_init`). Once, before any service.
pub fn init_handles(harbor: i32) {
    SERVICES.init(harbor);
}

/// Gives `context` a handle and makes it known. 0 when none is free.
///
/// # Safety
/// `context` is alive until it is retired, and freed only through [`crate::alloc::reclaim`].
pub unsafe fn register(context: *mut Context) -> u32 {
    // SAFETY: contract of this function.
    unsafe { SERVICES.register(context) }
}

/// The live service with this handle, for as long as the guard is neither dropped nor renewed.
#[inline]
pub fn find(guard: &Guard, handle: u32) -> Option<&Context> {
    SERVICES.find(guard, handle)
}

/// [`find`] for the handler of a crash, which cannot enter: takes no lock and writes nothing.
///
/// # Safety
/// The calling thread is inside of a guard for as long as it uses the answer.
pub unsafe fn find_unguarded<'a>(handle: u32) -> Option<&'a Context> {
    // SAFETY: contract of this function.
    unsafe { SERVICES.find_unguarded(handle) }
}

/// Takes the handle and its names away. The context, if it was there, with the table's reference, which the caller drops.
pub(super) fn unregister(handle: u32) -> Option<*mut Context> {
    SERVICES.remove(handle)
}

/// Handles of all live services, in the table's order.
pub fn all() -> Vec<u32> {
    SERVICES.all()
}
