//! Handles (which service has which number) and local names.
//!
//! Look-up takes no lock: the table is an array that readers reach through one pointer; a slot holds the context whose
//! handle belongs there. A slot is found by the low bits of the handle; handles are given out so that no two live ones
//! share a slot, and the table doubles when none is free. Writers hold the mutex; tables and contexts that were
//! replaced are freed by [`crate::alloc::reclaim`], so whoever looks up holds a guard.

mod names;

pub use names::{find_name, logger, name_handle};

use crate::actor::service::Context;
use crate::alloc::reclaim::{self, Guard};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// Low 24 bits: the number inside the node ("skynet_handle.h", `HANDLE_MASK`).
pub const MASK: u32 = 0x00ff_ffff;
/// The harbor id is above them ("skynet_handle.h", `HANDLE_REMOTE_SHIFT`).
pub const REMOTE_SHIFT: u32 = 24;

/// As the C core's, so that numbers come out the same after a failed launch.
const FIRST_SIZE: usize = 4;

struct Table {
    slots: Box<[AtomicPtr<Context>]>,
}

impl Table {
    fn new(size: usize) -> *mut Table {
        let slots = (0..size).map(|_| AtomicPtr::default()).collect();
        Box::into_raw(Box::new(Table { slots }))
    }

    #[inline]
    fn slot(&self, handle: u32) -> &AtomicPtr<Context> {
        &self.slots[handle as usize & (self.slots.len() - 1)]
    }
}

static TABLE: AtomicPtr<Table> = AtomicPtr::new(std::ptr::null_mut());
static HARBOR: AtomicU32 = AtomicU32::new(0);
/// The next number to try.
static NEXT: Mutex<u32> = Mutex::new(1);

/// Sets the harbor id (only its low 8 bits count) and makes the table. Once, before any service.
pub fn init(harbor: i32) {
    let _next = NEXT.lock();
    HARBOR.store((harbor as u32 & 0xff) << REMOTE_SHIFT, Ordering::Relaxed);
    if TABLE.load(Ordering::Relaxed).is_null() {
        TABLE.store(Table::new(FIRST_SIZE), Ordering::Release);
    }
}

unsafe fn free_table(table: *mut ()) {
    // SAFETY: made by `Table::new`, unlinked, and no reader is left (contract of `reclaim::defer`).
    drop(unsafe { Box::from_raw(table.cast::<Table>()) });
}

/// Gives `context` a handle and makes it known. 0 when all 2^24 - 1 numbers are taken.
///
/// # Safety
/// `context` is alive until it is retired, and freed only through [`crate::alloc::reclaim`].
pub unsafe fn register(context: *mut Context) -> u32 {
    let mut next = NEXT.lock();
    let mut table = TABLE.load(Ordering::Relaxed);
    if table.is_null() {
        table = Table::new(FIRST_SIZE);
        TABLE.store(table, Ordering::Release);
    }
    loop {
        // SAFETY: only we replace the table, and we hold the mutex.
        let slots = unsafe { &*table };
        let size = slots.slots.len();
        let mut index = *next;
        for _ in 0..size {
            if index > MASK {
                index = 1; // 0 is nobody's
            }
            let slot = slots.slot(index);
            if slot.load(Ordering::Relaxed).is_null() {
                let handle = index | HARBOR.load(Ordering::Relaxed);
                // SAFETY: nobody else knows the context yet.
                unsafe { (*context).set_handle(handle) };
                slot.store(context, Ordering::Release);
                *next = index + 1;
                return handle;
            }
            index += 1;
        }
        if size * 2 > MASK as usize + 1 {
            return 0;
        }
        let bigger = Table::new(size * 2);
        for slot in &slots.slots {
            let context = slot.load(Ordering::Relaxed);
            if !context.is_null() {
                // SAFETY: a context in the table is alive; `bigger` is ours.
                unsafe {
                    (*bigger)
                        .slot((*context).handle())
                        .store(context, Ordering::Relaxed)
                };
            }
        }
        TABLE.store(bigger, Ordering::Release);
        // SAFETY: readers find the new table from now on.
        unsafe { reclaim::defer(table.cast(), free_table) };
        table = bigger;
    }
}

/// The live context with this handle, for as long as the guard is neither dropped nor renewed.
#[inline]
pub fn find(_guard: &Guard, handle: u32) -> Option<&Context> {
    let table = TABLE.load(Ordering::Acquire);
    if table.is_null() {
        return None;
    }
    // SAFETY: tables and contexts are freed through `reclaim` after they were unlinked, and the guard keeps us inside.
    unsafe {
        let context = (*table).slot(handle).load(Ordering::Acquire);
        let context = context.as_ref()?;
        (context.handle() == handle).then_some(context)
    }
}

/// [`find`] for the handler of a crash, which cannot enter: takes no lock and writes nothing.
///
/// # Safety
/// The calling thread is inside of a guard for as long as it uses the answer.
pub unsafe fn find_unguarded<'a>(handle: u32) -> Option<&'a Context> {
    // SAFETY: tables and contexts are freed only after every guard that is held now (contract of this function).
    unsafe {
        let table = TABLE.load(Ordering::Acquire).as_ref()?;
        let context = table.slot(handle).load(Ordering::Acquire).as_ref()?;
        (context.handle() == handle).then_some(context)
    }
}

/// Takes the handle and its names away. The context, if it was there, with the table's reference, which the caller drops.
pub fn remove(handle: u32) -> Option<*mut Context> {
    let context = {
        let _next = NEXT.lock();
        // SAFETY: only replaced under the mutex, which we hold.
        let table = unsafe { TABLE.load(Ordering::Relaxed).as_ref()? };
        let slot = table.slot(handle);
        let context = slot.load(Ordering::Relaxed);
        // SAFETY: a context in the table is alive.
        if context.is_null() || unsafe { (*context).handle() } != handle {
            return None;
        }
        slot.store(std::ptr::null_mut(), Ordering::Release);
        context
    };
    names::forget(handle);
    Some(context)
}

/// Handles of all live services, in the table's order.
pub fn all() -> Vec<u32> {
    let _next = NEXT.lock();
    // SAFETY: only replaced under the mutex, which we hold; contexts in the table are alive.
    unsafe {
        let Some(table) = TABLE.load(Ordering::Relaxed).as_ref() else {
            return Vec::new();
        };
        table
            .slots
            .iter()
            .filter_map(|s| s.load(Ordering::Relaxed).as_ref())
            .map(Context::handle)
            .collect()
    }
}
