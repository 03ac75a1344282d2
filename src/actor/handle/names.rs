//! Local names: `.name` of a service in this node.

use crate::base::{fallible, log};
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::sync::LazyLock;

#[derive(Default)]
struct Names {
    /// Names own their text on the heap, so the pointers that C gets stay good until the name is forgotten.
    handles: HashMap<CString, u32>,
    /// How many names a handle has; handles without one are not in here.
    counts: BTreeMap<u32, usize>,
}

static NAMES: LazyLock<RwLock<Names>> = LazyLock::new(Default::default);

/// Handle of the local service called `name` (without the dot); 0 if there is none.
pub fn find_name(name: &CStr) -> u32 {
    NAMES.read().handles.get(name).copied().unwrap_or(0)
}

/// Calls `handle` by `name`. The stored text, or `None` if the name is taken, or there is no memory for it ("skynet_handle.h", `skynet_handle_namehandle`).
pub fn name_handle(handle: u32, name: &CStr) -> Option<*const libc::c_char> {
    let len = name.count_bytes();
    let mut names = NAMES.write();
    if names.handles.contains_key(name) {
        return None;
    }
    let Some(name) = fallible::copy(name.to_bytes()) else {
        drop(names);
        log::error_fmt(
            handle,
            format_args!("error: not enough memory for a name of {len} bytes"),
        );
        return None;
    };
    if name.as_c_str() == c"logger" {
        log::set_reader(handle);
    }
    let text = name.as_ptr();
    names.handles.insert(name, handle);
    *names.counts.entry(handle).or_default() += 1;
    Some(text)
}

/// Takes all names of a handle away.
pub(super) fn forget(handle: u32) {
    // Most services have no name; do not keep readers out for those.
    if NAMES.read().counts.contains_key(&handle) {
        let mut names = NAMES.write();
        names.counts.remove(&handle);
        names.handles.retain(|_, h| *h != handle);
        if log::reader() == handle {
            log::set_reader(0);
        }
    }
}
