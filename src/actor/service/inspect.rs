//! What others may know of a service: how people call it, what it has.

#[cfg(feature = "lua")]
use super::context::grab;
use super::registry;
use crate::alloc::memory::ServiceMem;
use crate::alloc::reclaim;

/// A service as people know it: `:0000000a (snlua agent 7)`, without the name when it is gone.
pub fn describe(handle: u32) -> String {
    let guard = reclaim::enter();
    match registry::find(&guard, handle) {
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
pub fn each_memory(f: &mut dyn FnMut(u32, &ServiceMem)) {
    for handle in registry::all() {
        let guard = reclaim::enter();
        if let Some(context) = registry::find(&guard, handle) {
            f(handle, &context.memory);
        }
    }
}

/// Bytes that the VM of a live Lua service has; 0 for others.
pub(super) fn lua_bytes(handle: u32) -> usize {
    #[cfg(feature = "lua")]
    let bytes = grab(handle).map_or(0, |service| service.vm_bytes());
    #[cfg(not(feature = "lua"))]
    let bytes = {
        let _ = handle;
        0
    };
    bytes
}
