//! Handles (which service has which number) and local names.
//!
//! Look-up takes no lock: the table is an array that readers reach through one pointer; a slot holds the context whose
//! handle belongs there. A slot is found by the low bits of the handle; handles are given out so that no two live ones
//! share a slot, and the table doubles when none is free. Writers hold the mutex; tables and contexts that were
//! replaced are freed by [`crate::alloc::reclaim`], so a look-up needs a guard.
//!
//! What a service is, is not known here: [`Table`] is for anything that remembers its handle.

mod names;

pub use names::{find_name, name_handle};

use crate::alloc::reclaim::{self, Guard};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Low 24 bits: the number inside the node ("skynet_handle.h", `HANDLE_MASK`).
pub(super) const MASK: u32 = 0x00ff_ffff;
/// The harbor id is above them ("skynet_handle.h", `HANDLE_REMOTE_SHIFT`).
pub const REMOTE_SHIFT: u32 = 24;

/// As the C core's, so that numbers come out the same after a failed launch.
const FIRST_SIZE: usize = 4;

/// What a handle stands for.
pub(super) trait Entry {
    /// Its handle.
    fn handle(&self) -> u32;
    /// Called once, before it is shared.
    fn set_handle(&self, handle: u32);
}

struct Slots<T> {
    slots: Box<[AtomicPtr<T>]>,
}

impl<T> Slots<T> {
    fn new(size: usize) -> *mut Slots<T> {
        assert_ne!(size, 0);
        let slots = (0..size).map(|_| AtomicPtr::default()).collect();
        Box::into_raw(Box::new(Slots { slots }))
    }

    #[inline]
    fn slot(&self, handle: u32) -> &AtomicPtr<T> {
        let index = handle as usize & (self.slots.len() - 1);
        // SAFETY: there is at least one slot (`Slots::new`), so the index is no larger than that of the last.
        unsafe { self.slots.get_unchecked(index) }
    }
}

/// See the module's documentation.
pub(super) struct Table<T> {
    slots: AtomicPtr<Slots<T>>,
    /// The harbor id of the node, in its place in a handle.
    harbor: AtomicU32,
    /// The next number to try.
    next: OwnLine<Mutex<u32>>,
}

/// On a cache line of its own: threads that look up do not wait for those that launch.
#[repr(align(64))]
struct OwnLine<T>(T);

/// Frees the slots of a table that has grown.
///
/// # Safety
/// `slots` was made by `Slots::new` for this `T`, is in no table any more, and no reader has it (contract of [`reclaim::defer`]).
unsafe fn free_slots<T>(slots: *mut ()) {
    // SAFETY: contract of this function.
    drop(unsafe { Box::from_raw(slots.cast::<Slots<T>>()) });
}

impl<T: Entry> Default for Table<T> {
    fn default() -> Table<T> {
        Table::new()
    }
}

impl<T: Entry> Table<T> {
    /// A table without entries.
    pub const fn new() -> Table<T> {
        Table {
            slots: AtomicPtr::new(std::ptr::null_mut()),
            harbor: AtomicU32::new(0),
            next: OwnLine(Mutex::new(1)),
        }
    }

    /// Sets the harbor id (only its low 8 bits count) and makes the table. Once, before any service.
    pub fn init(&self, harbor: i32) {
        let _next = self.next.0.lock();
        self.harbor
            .store((harbor as u32 & 0xff) << REMOTE_SHIFT, Ordering::Relaxed);
        if self.slots.load(Ordering::Relaxed).is_null() {
            self.slots.store(Slots::new(FIRST_SIZE), Ordering::Release);
        }
    }

    /// Gives `entry` a handle and makes it known. 0 when all 2^24 - 1 numbers are taken.
    ///
    /// # Safety
    /// `entry` is alive until it is retired, and freed only through [`crate::alloc::reclaim`].
    pub unsafe fn register(&self, entry: *mut T) -> u32 {
        let mut next = self.next.0.lock();
        let mut table = self.slots.load(Ordering::Relaxed);
        if table.is_null() {
            table = Slots::new(FIRST_SIZE);
            self.slots.store(table, Ordering::Release);
        }
        loop {
            // SAFETY: the table is only replaced under the mutex, which is held.
            let slots = unsafe { &*table };
            let size = slots.slots.len();
            let mut index = *next;
            for _ in 0..size {
                if index > MASK {
                    index = 1; // 0 is no handle
                }
                let slot = slots.slot(index);
                if slot.load(Ordering::Relaxed).is_null() {
                    let handle = index | self.harbor.load(Ordering::Relaxed);
                    // SAFETY: the entry is not shared yet.
                    unsafe { (*entry).set_handle(handle) };
                    slot.store(entry, Ordering::Release);
                    *next = index + 1;
                    return handle;
                }
                index += 1;
            }
            if size * 2 > MASK as usize + 1 {
                return 0;
            }
            let bigger = Slots::new(size * 2);
            for slot in &slots.slots {
                let entry = slot.load(Ordering::Relaxed);
                if !entry.is_null() {
                    // SAFETY: an entry in the table is alive; no other thread knows `bigger`.
                    unsafe {
                        (*bigger)
                            .slot((*entry).handle())
                            .store(entry, Ordering::Relaxed)
                    };
                }
            }
            self.slots.store(bigger, Ordering::Release);
            // SAFETY: readers find the new table from now on.
            unsafe { reclaim::defer(table.cast(), free_slots::<T>) };
            table = bigger;
        }
    }

    /// The live entry with this handle, for as long as the guard is neither dropped nor renewed.
    #[inline]
    pub fn find<'a>(&self, _guard: &'a Guard, handle: u32) -> Option<&'a T> {
        let table = self.slots.load(Ordering::Acquire);
        if table.is_null() {
            return None;
        }
        // SAFETY: tables and entries are freed through `reclaim` after they were unlinked, and the guard keeps their memory.
        unsafe {
            let entry = (*table).slot(handle).load(Ordering::Acquire);
            let entry = entry.as_ref()?;
            (entry.handle() == handle).then_some(entry)
        }
    }

    /// [`Table::find`] for the handler of a crash, which cannot enter: takes no lock and writes nothing.
    ///
    /// # Safety
    /// The calling thread is inside of a guard for as long as it uses the answer.
    pub unsafe fn find_unguarded<'a>(&self, handle: u32) -> Option<&'a T> {
        // SAFETY: tables and entries are freed only after every guard that is held now (contract of this function).
        unsafe {
            let table = self.slots.load(Ordering::Acquire).as_ref()?;
            let entry = table.slot(handle).load(Ordering::Acquire).as_ref()?;
            (entry.handle() == handle).then_some(entry)
        }
    }

    /// Takes the handle and its names away. The entry, if it was there, with the table's reference, which the caller drops.
    pub fn remove(&self, handle: u32) -> Option<*mut T> {
        let entry = {
            let _next = self.next.0.lock();
            // SAFETY: only replaced under the mutex, which is held.
            let table = unsafe { self.slots.load(Ordering::Relaxed).as_ref()? };
            let slot = table.slot(handle);
            let entry = slot.load(Ordering::Relaxed);
            // SAFETY: a entry in the table is alive.
            if entry.is_null() || unsafe { (*entry).handle() } != handle {
                return None;
            }
            slot.store(std::ptr::null_mut(), Ordering::Release);
            entry
        };
        names::forget(handle);
        Some(entry)
    }

    /// Handles of all live services, in the table's order.
    pub fn all(&self) -> Vec<u32> {
        let _next = self.next.0.lock();
        // SAFETY: only replaced under the mutex, which is held; entries in the table are alive.
        unsafe {
            let Some(table) = self.slots.load(Ordering::Relaxed).as_ref() else {
                return Vec::new();
            };
            table
                .slots
                .iter()
                .filter_map(|s| s.load(Ordering::Relaxed).as_ref())
                .map(T::handle)
                .collect()
        }
    }
}
