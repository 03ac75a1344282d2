//! What others may know of a service: how people call it, what it has.

#[cfg(feature = "lua")]
use super::context::Context;
use super::context::{grab, release};
#[cfg(feature = "lua")]
use super::thread_signal::{self, Place, Request};
use crate::actor::handle;
use crate::alloc::memory::ServiceMem;
use crate::alloc::reclaim;
#[cfg(feature = "lua")]
use crate::services::builtin;

/// A service as people know it: `:0000000a (snlua agent 7)`, without the name when it is gone.
pub fn describe(handle: u32) -> String {
    let guard = reclaim::enter();
    match handle::find(&guard, handle) {
        Some(context) => {
            let (module, args) = context.title();
            let text = [module.to_bytes(), args].join(&b' ');
            format!(
                ":{handle:08x} ({})",
                String::from_utf8_lossy(&text).trim_end()
            )
        }
        None => format!(":{handle:08x}"),
    }
}

/// Calls `f` with the memory of every live service.
pub(super) fn each_memory(f: &mut dyn FnMut(u32, &ServiceMem)) {
    for handle in handle::all() {
        let guard = reclaim::enter();
        if let Some(context) = handle::find(&guard, handle) {
            f(handle, &context.memory);
        }
    }
}

/// Bytes that the VM of a live Lua service has; 0 for others.
pub(super) fn lua_bytes(handle: u32) -> usize {
    let context = grab(handle);
    if context.is_null() {
        return 0;
    }
    // SAFETY: the reference taken above, dropped once; until then the instance is not released.
    unsafe {
        let bytes = (*context).module.lua_bytes((*context).instance);
        release(context);
        bytes
    }
}

/// Whether messages reach the service: what one without a callback gets is freed unseen.
///
/// # Safety
/// `context` is alive and the caller runs the service.
#[cfg(feature = "lua")]
pub(crate) unsafe fn receives(context: *const Context) -> bool {
    // SAFETY: as the caller promises.
    unsafe { (*context).callback().is_some() }
}

#[cfg(feature = "lua")]
impl Context {
    /// Does what is wanted of the service, if it is a Lua service: stop, or log its stack.
    ///
    /// # Safety
    /// The calling thread runs the service, and is in the message at `place`. May be called in a signal handler.
    pub(super) unsafe fn interrupt(&self, request: Request, place: Place) {
        // SAFETY: an instance of that module; the rest is the contract of this function.
        unsafe { builtin::interrupt(self.module, self.instance, request, place) };
    }

    /// Asks a Lua service for its stack, which it logs when it runs Lua code, if it is still in the message that its worker
    /// counts as `message`. False if it has none, or is in another message.
    pub(super) fn ask_stack(&self, message: i32) -> bool {
        // SAFETY: an instance of that module, which is not released as long as the caller has a reference.
        let expected = unsafe { builtin::expect_stack(self.module, self.instance) };
        expected && thread_signal::ask(self, Request::Stack, Some(message))
    }

    /// What has become of that.
    pub(super) fn stack(&self) -> builtin::Stack {
        // SAFETY: as in `ask_stack`.
        unsafe { builtin::stack(self.module, self.instance) }
    }
}
