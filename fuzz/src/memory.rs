//! Lua's allocator with a limit.

use std::cell::Cell;

use libc::c_void;

/// What a decoder may use on top of [`FACTOR`] times its input: the state itself, buffers of a first size.
const FREE: usize = 1 << 20;
/// Bytes for a byte of input. An empty table, from one or two bytes, takes about 100 with its place in another one, and
/// growing needs the old and the new place at once.
const FACTOR: usize = 512;

/// Counts the bytes of one Lua state. Used by one thread.
#[derive(Default)]
pub struct Memory {
    used: Cell<usize>,
    limit: Cell<Option<usize>>,
    exceeded: Cell<bool>,
}

impl Memory {
    /// The user data for [`Memory::allocate`].
    pub fn as_ud(&self) -> *mut c_void {
        (&raw const *self).cast_mut().cast()
    }

    /// From now on memory is in proportion to `input` bytes.
    pub fn limit(&self, input: usize) {
        let more = FREE + FACTOR * input;
        self.limit.set(Some(self.used.get() + more));
    }

    pub fn unlimit(&self) {
        self.limit.set(None);
    }

    /// Whether something was refused since the start.
    pub fn exceeded(&self) -> bool {
        self.exceeded.get()
    }

    /// `lua_Alloc` (Lua 5.5 manual §4.6).
    ///
    /// # Safety
    /// As Lua calls an allocator: `block` is null or what this function has returned and Lua has not given back since.
    pub unsafe extern "C" fn allocate(
        ud: *mut c_void,
        block: *mut c_void,
        old: usize,
        new: usize,
    ) -> *mut c_void {
        // SAFETY: the user data is a `Memory` that lives as long as the state.
        let memory = unsafe { &*ud.cast::<Memory>() };
        // With no block `old` is a kind of object, not a size.
        let old = if block.is_null() { 0 } else { old };
        let used = memory.used.get() - old + new;
        if new > old && memory.limit.get().is_some_and(|limit| used > limit) {
            memory.exceeded.set(true);
            return std::ptr::null_mut();
        }
        // SAFETY: Lua passes a block of this allocator, or null.
        let place = unsafe {
            if new == 0 {
                libc::free(block);
                std::ptr::null_mut()
            } else {
                libc::realloc(block, new)
            }
        };
        if new == 0 || !place.is_null() {
            memory.used.set(used);
        }
        place
    }
}
