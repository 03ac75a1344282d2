//! Local names: `.name` of a service in this node.
//!
//! They lie in [`PARTS`] parts, each with a lock of its own: a thread that the system does not run, with one of those, keeps up who wants
//! a name of that part and nobody else. Who takes two takes that of the handle first.

use crate::base::{fallible, log};
use parking_lot::RwLock;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString};
use std::sync::LazyLock;

const PARTS: usize = 64;

/// Some of the names. They own their text on the heap, so the pointers that C gets stay good until the name is forgotten.
type Handles = RwLock<HashMap<CString, u32>>;
/// Some of the handles that have a name, with their names.
type Named = RwLock<BTreeMap<u32, Vec<CString>>>;

struct Names {
    handles: [Handles; PARTS],
    named: [Named; PARTS],
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    handles: std::array::from_fn(|_| Handles::default()),
    named: std::array::from_fn(|_| Named::default()),
});

impl Names {
    /// The part that a name is in.
    fn handles(&self, name: &CStr) -> &Handles {
        let name = name.to_bytes();
        // Names of one kind differ at their ends.
        let end = &name[name.len().saturating_sub(8)..];
        let hash = end.iter().fold(name.len(), |hash, &byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        &self.handles[hash % PARTS]
    }

    /// The part that a handle is in.
    fn named(&self, handle: u32) -> &Named {
        &self.named[handle as usize % PARTS]
    }
}

/// Handle of the local service called `name` (without the dot); 0 if there is none.
pub fn find_name(name: &CStr) -> u32 {
    let handles = NAMES.handles(name).read();
    handles.get(name).copied().unwrap_or(0)
}

/// Calls `handle` by `name`. The stored text, or `None` if the name is taken, or there is no memory for it ("skynet_handle.h", `skynet_handle_namehandle`).
pub fn name_handle(handle: u32, name: &CStr) -> Option<*const libc::c_char> {
    let len = name.count_bytes();
    let mut named = NAMES.named(handle).write();
    let mut handles = NAMES.handles(name).write();
    if handles.contains_key(name) {
        return None;
    }
    let copy = || fallible::copy(name.to_bytes());
    let (Some(key), Some(listed)) = (copy(), copy()) else {
        drop(handles);
        drop(named);
        log::error_fmt(
            handle,
            format_args!("error: not enough memory for a name of {len} bytes"),
        );
        return None;
    };
    if name == c"logger" {
        log::set_reader(handle);
    }
    let text = key.as_ptr();
    handles.insert(key, handle);
    named.entry(handle).or_default().push(listed);
    Some(text)
}

/// Takes all names of a handle away.
pub(super) fn forget(handle: u32) {
    let named = NAMES.named(handle);
    // Most services have no name; do not keep readers out for those.
    if !named.read().contains_key(&handle) {
        return;
    }
    let mut named = named.write();
    for name in named.remove(&handle).unwrap_or_default() {
        NAMES.handles(&name).write().remove(&name);
    }
    if log::reader() == handle {
        log::set_reader(0);
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn name(kind: &str, index: u32) -> CString {
        CString::new(format!("{kind}-{index}")).unwrap()
    }

    #[test]
    fn a_name_is_found_until_its_handle_is_forgotten_and_free_then() {
        let first = 0x7000;
        for index in 0..200 {
            let text = name_handle(first + index % 3, &name("part", index)).unwrap();
            // SAFETY: the name is not forgotten yet.
            assert_eq!(unsafe { CStr::from_ptr(text) }, &*name("part", index));
        }
        assert!(name_handle(first + 9, &name("part", 7)).is_none(), "taken");
        forget(first);
        forget(first + 9);
        for index in 0..200 {
            let expected = if index % 3 == 0 { 0 } else { first + index % 3 };
            assert_eq!(find_name(&name("part", index)), expected, "{index}");
        }
        assert!(name_handle(first + 9, &name("part", 3)).is_some(), "free");
        for handle in [first + 1, first + 2, first + 9] {
            forget(handle);
        }
        assert!((0..200).all(|index| find_name(&name("part", index)) == 0));
        assert!((0..3).all(|index| {
            !NAMES
                .named(first + index)
                .read()
                .contains_key(&(first + index))
        }));
    }

    #[test]
    fn who_stops_with_one_name_keeps_up_few_others() {
        let _stopped = NAMES.handles(&name("agent", 0)).write();
        let free =
            (0..1000).filter(|&index| NAMES.handles(&name("agent", index)).try_read().is_some());
        assert!(free.count() > 900);
    }
}
