//! Lua's allocator: counts, limits, warns.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, fence};

use libc::{c_int, c_void};
use mlua_sys::{LUA_TUSERDATA, lua_State, lua_close, lua_setallocf};

use super::Snlua;
use super::allocations::{self, Sampler};
use super::core::reallocate;
use super::heap::{Cells, Heap};

pub(super) type Allocator =
    unsafe extern "C" fn(*mut c_void, *mut c_void, usize, usize) -> *mut c_void;

/// First size in bytes at which the log warns of a VM's memory; it doubles with each warning.
const FIRST_WARNING: usize = 32 * 1024 * 1024;

/// The memory of a VM.
pub(super) struct Memory {
    warn_at: usize,
    /// `usize::MAX`: none.
    limit: usize,
    /// Another one, while a text of a debugger's runs; `usize::MAX`: none.
    bound: Cell<usize>,
    /// The next block is refused once, and Lua collects garbage before it asks again.
    refuses: Cell<bool>,
    heap: Heap,
    /// The VM is to take samples of its allocations, and has not begun to.
    wished: AtomicBool,
    /// While it does.
    pub(super) sampler: Option<Box<Sampler>>,
}

impl Memory {
    pub(super) fn new() -> Memory {
        let heap = Heap::new();
        heap.cells.unwatched.store(FIRST_WARNING, Relaxed);
        Memory {
            warn_at: FIRST_WARNING,
            limit: usize::MAX,
            bound: Cell::new(usize::MAX),
            refuses: Cell::new(false),
            heap,
            wished: AtomicBool::new(false),
            sampler: None,
        }
    }

    pub(super) fn used(&self) -> usize {
        self.heap.cells.used.load(Relaxed)
    }

    fn set_used(&mut self, bytes: usize) {
        self.heap.cells.used.store(bytes, Relaxed);
    }

    /// 0: no limit.
    pub(super) fn set_limit(&mut self, bytes: usize) {
        self.limit = if bytes == 0 { usize::MAX } else { bytes };
        self.watch();
    }

    /// The VM may grow by so many bytes, as long as nothing else is said; `None`: as far as its limit.
    pub(super) fn set_room(&self, bytes: Option<usize>) {
        let bound = bytes.map_or(usize::MAX, |bytes| self.used().saturating_add(bytes));
        self.bound.set(bound);
        self.watch();
    }

    /// Lua collects all garbage at its next block, and calls no finalizer: also where its collector is stopped.
    pub(super) fn refuse_once(&self) {
        self.refuses.set(true);
        self.watch();
    }

    /// Up to which size Lua need not ask the allocator.
    fn watch(&self) {
        let unwatched = &self.heap.cells.unwatched;
        let size = self.limit.min(self.bound.get()).min(self.warn_at);
        unwatched.store(if self.refuses.get() { 0 } else { size }, Relaxed);
        // Either this sees the wish, or what `wish` stores comes later.
        fence(SeqCst);
        if self.wished.load(Relaxed) {
            unwatched.store(0, Relaxed);
        }
    }

    /// Any thread: Lua is to ask the allocator for its next block, which takes samples from then on.
    ///
    /// # Safety
    /// `this` is that of an instance that is not released meanwhile.
    pub(super) unsafe fn wish(this: *const Memory) {
        // SAFETY: contract of this function. Of what another thread uses, this has references to atomics only.
        unsafe {
            (*this).wished.store(true, Relaxed);
            fence(SeqCst);
            (*this).heap.cells.unwatched.store(0, Relaxed);
        }
    }

    /// Whether to warn, once the VM has so many bytes.
    fn warns(&mut self, used: usize) -> bool {
        let warns = used > self.warn_at;
        if warns {
            self.warn_at = self.warn_at.saturating_mul(2);
            self.watch();
        }
        warns
    }
}

pub(super) fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

unsafe extern "C" {
    safe fn skynet_rs_has_asan() -> c_int;
    fn lua_setcells(state: *mut lua_State, cells: *mut Cells);
}

/// AddressSanitizer knows the ends of blocks of the process's allocator only, so with it all are.
pub(super) fn has_cells() -> bool {
    skynet_rs_has_asan() == 0
}

/// The allocator of a new VM.
pub(super) fn allocator() -> Allocator {
    if has_cells() {
        allocate::<true>
    } else {
        allocate::<false>
    }
}

/// Lets a VM take small blocks from its heap and put them back without a call of its allocator.
///
/// # Safety
/// `state` is the VM of the instance, and [`allocator`] is its allocator.
pub(super) unsafe fn open(this: *mut Snlua, state: *mut lua_State) {
    if has_cells() {
        // SAFETY: contract of this function; the instance outlives the VM.
        unsafe { lua_setcells(state, &raw mut (*this).memory.heap.cells) };
    }
}

/// The VM is being closed: its small blocks go with the heap.
///
/// # Safety
/// `state` is the VM of the instance, and was made with [`allocator`].
pub(super) unsafe fn close(this: *mut Snlua, state: *mut lua_State) {
    // SAFETY: contract of this function.
    unsafe {
        allocations::drop_sampler(this);
        if has_cells() {
            lua_setallocf(state, allocate_at_the_end, this.cast());
        }
        lua_close(state);
    }
}

/// `lua_Alloc` of a VM, with cells of its heap for small blocks or without.
///
/// # Safety
/// `ud` is the instance, alive as long as the VM, and used by one thread at a time; the rest is as Lua calls it.
pub(super) unsafe extern "C" fn allocate<const CELLS: bool>(
    ud: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: contract of this function. For a new block, `old` is a type and no size (Lua 5.5 manual, lua_Alloc).
    unsafe {
        let this = ud.cast::<Snlua>();
        let memory = &raw mut (*this).memory;
        if new == 0 {
            if !block.is_null() {
                let used = (*memory).used().wrapping_sub(old);
                (*memory).set_used(used);
                if CELLS {
                    (*memory).heap.dealloc(block, old);
                } else {
                    reallocate(block, 0);
                }
            }
            return ptr::null_mut();
        }
        let had = if block.is_null() { 0 } else { old };
        let before = (*memory).used();
        let used = before.wrapping_sub(had).wrapping_add(new);
        if used > (*memory).heap.cells.unwatched.load(Relaxed) && !admits(this, used, new > had) {
            return ptr::null_mut();
        }
        let result = if !CELLS {
            reallocate(block, new)
        } else if !block.is_null() {
            (*memory).heap.resize(block, old, new)
        } else if old == LUA_TUSERDATA as usize {
            (*memory).heap.alloc_aligned(new)
        } else {
            (*memory).heap.alloc(new)
        };
        // Without memory Lua keeps the old block.
        if !result.is_null() {
            (*memory).set_used(used);
        }
        result
    }
}

/// `lua_Alloc` of a VM that is being closed.
///
/// # Safety
/// As [`allocate`].
unsafe extern "C" fn allocate_at_the_end(
    ud: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: contract of this function.
    unsafe {
        if new == 0 && Heap::goes_with_it(old) {
            return ptr::null_mut();
        }
        allocate::<true>(ud, block, old, new)
    }
}

/// Whether the VM may have so many bytes; they are more than before if it `grows`. Warns in the log. Begins to take samples.
///
/// # Safety
/// `this` is the instance whose VM is asking for memory: it is alive, and used by the calling thread alone.
#[cold]
#[inline(never)]
unsafe fn admits(this: *mut Snlua, used: usize, grows: bool) -> bool {
    // SAFETY: contract of this function.
    unsafe {
        if (*this).memory.wished.swap(false, SeqCst) {
            (*this).memory.watch();
            allocations::begin(this);
        }
        if grows && (*this).memory.refuses.replace(false) {
            (*this).memory.watch();
            return false;
        }
        if grows && used > (*this).memory.limit.min((*this).memory.bound.get()) {
            return false;
        }
        if (*this).memory.warns(used) {
            let service = (*this).service();
            service.log_fmt(format_args!("Memory warning {:.2} M", megabytes(used)));
        }
    }
    true
}
