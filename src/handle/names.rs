//! Local names: `.name` of a service in this node.

use parking_lot::RwLock;
use std::collections::HashMap;
use std::ffi::{CStr, CString};
use std::sync::LazyLock;

/// Names own their text on the heap, so the pointers that C gets stay good until the name is forgotten.
static NAMES: LazyLock<RwLock<HashMap<CString, u32>>> = LazyLock::new(Default::default);

/// Handle of the local service called `name` (without the dot); 0 if there is none.
pub fn find_name(name: &CStr) -> u32 {
    NAMES.read().get(name).copied().unwrap_or(0)
}

/// Calls `handle` by `name`. The stored text, or `None` if the name is taken ("skynet_handle.h", `skynet_handle_namehandle`).
pub fn name_handle(handle: u32, name: &CStr) -> Option<*const libc::c_char> {
    let mut names = NAMES.write();
    if names.contains_key(name) {
        return None;
    }
    let name = name.to_owned();
    let text = name.as_ptr();
    names.insert(name, handle);
    Some(text)
}

/// Takes all names of a handle away.
pub(super) fn forget(handle: u32) {
    // Most services have no name; do not keep readers out for those.
    if NAMES.read().values().any(|&h| h == handle) {
        NAMES.write().retain(|_, h| *h != handle);
    }
}
