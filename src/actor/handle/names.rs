//! Local names: `.name` of a service in this node.
//!
//! Who looks a name up waits for nobody, so that a thread which the system does not run keeps up no other: what is looked at is never changed,
//! but replaced, under the lock of its part, and freed by [`reclaim`]. There are [`PARTS`] parts, so a node with many names copies few
//! of them for a new one, and a thread that stops with a lock keeps up who gives or loses a name of that part. Who takes two locks takes that of
//! the handle first.

use crate::alloc::{memory, reclaim};
use crate::base::{fallible, log};
use parking_lot::Mutex;
use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, LazyLock};

const PARTS: usize = 64;

/// The text of a name. All copies have the same, so the pointer that C gets stays good until the name is forgotten.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Text(Arc<CString>);

impl Borrow<CStr> for Text {
    fn borrow(&self) -> &CStr {
        &self.0
    }
}

/// A part of what is known.
struct Part<M> {
    /// Null: empty.
    known: AtomicPtr<M>,
    changes: Mutex<()>,
}

impl<M: Clone + Default> Part<M> {
    fn new() -> Part<M> {
        Part {
            known: AtomicPtr::default(),
            changes: Mutex::new(()),
        }
    }

    /// What `look` says of it; `None` if nothing was ever known.
    fn read<R>(&self, look: impl FnOnce(&M) -> R) -> Option<R> {
        let _guard = reclaim::enter();
        // SAFETY: it is freed through `reclaim` after it was replaced, and the guard keeps it.
        unsafe { self.known.load(Ordering::Acquire).as_ref() }.map(look)
    }

    /// Changes a copy, which takes its place.
    fn change<R>(&self, change: impl FnOnce(&mut M) -> R) -> R {
        let _changes = self.changes.lock();
        let before = self.known.load(Ordering::Relaxed);
        // SAFETY: it is only replaced under the lock, which is held.
        let mut known = unsafe { before.as_ref() }.cloned().unwrap_or_default();
        let result = change(&mut known);
        let known = Box::into_raw(Box::new(known));
        self.known.store(known, Ordering::Release);
        if !before.is_null() {
            // SAFETY: readers find the new one from now on.
            unsafe { reclaim::defer(before.cast(), free::<M>) };
        }
        result
    }
}

/// # Safety
/// `known` was in a part of this type, is in none any more, and no reader has it (contract of [`reclaim::defer`]).
unsafe fn free<M>(known: *mut ()) {
    // SAFETY: contract of this function.
    memory::uncharged(|| drop(unsafe { Box::from_raw(known.cast::<M>()) }));
}

struct Names {
    /// A part has a few names, which are found by fewer steps than a hash takes.
    handles: [Part<BTreeMap<Text, u32>>; PARTS],
    /// Handles that have a name.
    named: [Part<BTreeMap<u32, Vec<Text>>>; PARTS],
}

static NAMES: LazyLock<Names> = LazyLock::new(|| Names {
    handles: std::array::from_fn(|_| Part::new()),
    named: std::array::from_fn(|_| Part::new()),
});

impl Names {
    /// The part that a name is in.
    fn handles(&self, name: &CStr) -> &Part<BTreeMap<Text, u32>> {
        let name = name.to_bytes();
        // Names of one kind differ at their ends.
        let end = &name[name.len().saturating_sub(8)..];
        let hash = end.iter().fold(name.len(), |hash, &byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        &self.handles[hash % PARTS]
    }

    /// The part that a handle is in.
    fn named(&self, handle: u32) -> &Part<BTreeMap<u32, Vec<Text>>> {
        &self.named[handle as usize % PARTS]
    }
}

/// Handle of the local service called `name` (without the dot); 0 if there is none.
pub fn find_name(name: &CStr) -> u32 {
    let handle = NAMES.handles(name).read(|known| known.get(name).copied());
    handle.flatten().unwrap_or(0)
}

/// Calls `handle` by `name`. The stored text, or `None` if the name is taken, or there is no memory for it ("skynet_handle.h", `skynet_handle_namehandle`).
pub fn name_handle(handle: u32, name: &CStr) -> Option<*const libc::c_char> {
    if find_name(name) != 0 {
        return None;
    }
    let Some(copy) = memory::uncharged(|| fallible::copy(name.to_bytes())) else {
        let len = name.count_bytes();
        log::error_fmt(
            handle,
            format_args!("error: not enough memory for a name of {len} bytes"),
        );
        return None;
    };
    // What all services know of each other is none of them's.
    memory::uncharged(|| {
        let text = Text(Arc::new(copy));
        let pointer = text.0.as_ptr();
        NAMES.named(handle).change(|named| {
            let is_free = NAMES.handles(name).change(|known| {
                let is_free = !known.contains_key(name);
                if is_free {
                    known.insert(text.clone(), handle);
                }
                is_free
            });
            if is_free {
                if name == c"logger" {
                    log::set_reader(handle);
                }
                named.entry(handle).or_default().push(text);
            }
            is_free.then_some(pointer)
        })
    })
}

/// Takes all names of a handle away.
pub(super) fn forget(handle: u32) {
    let part = NAMES.named(handle);
    // Most services have no name.
    if part.read(|named| named.contains_key(&handle)) != Some(true) {
        return;
    }
    memory::uncharged(|| {
        part.change(|named| {
            for name in named.remove(&handle).unwrap_or_default() {
                NAMES
                    .handles(&name.0)
                    .change(|known| known.remove(name.0.as_c_str()));
            }
            if log::reader() == handle {
                log::set_reader(0);
            }
        });
    });
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
        let has_names = |handle| {
            let part = NAMES.named(handle);
            part.read(|named| named.contains_key(&handle))
        };
        assert!((first..first + 3).all(|handle| has_names(handle) != Some(true)));
    }

    #[test]
    fn who_looks_a_name_up_waits_for_no_thread_that_changes_names() {
        let handle = 0x7100;
        name_handle(handle, &name("stop", 0)).unwrap();
        let _stopped: Vec<_> = NAMES
            .handles
            .iter()
            .map(|part| part.changes.lock())
            .collect();
        assert_eq!(find_name(&name("stop", 0)), handle);
        assert_eq!(find_name(&name("stop", 1)), 0);
        assert!(name_handle(handle, &name("stop", 0)).is_none(), "taken");
        forget(handle + 1); // it has no name
    }
}
