//! Captures: what the machine writes down during a match, and how values are made of it.
//!
//! The list has the captures in the order in which they began, each with its position, its end, and the capture that it is
//! in. The first entry stands for the whole match. Values are made after the match, in one pass, except for those that a
//! match-time function asks for.

mod reference;
mod runtime;
mod text;
mod values;

use std::{ptr, slice};

use libc::c_int;
use mlua_sys::lua_newuserdatauv;
use skynet_support::State;

use crate::api::Slots;
use crate::tree::{CaptureKind, Key};

pub use runtime::call_function;
pub use values::push_all;

/// The end of a capture that has none yet.
const NO_END: u32 = u32::MAX;

/// A capture.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Capture {
    /// Position in the subject.
    start: u32,
    /// Position where it ends. For a runtime value: the entry of the runtime value before it, or 0.
    end: u32,
    /// The entry it is in.
    parent: u32,
    /// What belongs to it; for a runtime value: which one it is, from 1.
    key: Key,
    /// What it produces.
    kind: CaptureKind,
}

/// The captures of a match that goes on. The entries are in memory of the caller, or, when they get many, of Lua.
pub struct List {
    entries: *mut Capture,
    room: u32,
    count: u32,
    /// The innermost entry without an end.
    open: u32,
    /// How many runtime values there are, on top of Lua's stack, and the entry of the last one.
    runtime_count: u32,
    last_runtime: u32,
}

/// How the list is at some point of the match, to come back to.
#[derive(Clone, Copy)]
pub struct Mark {
    count: u32,
    open: u32,
}

/// The capture that all others are in, before it has an end.
const WHOLE: Capture = Capture {
    start: 0,
    end: NO_END,
    parent: 0,
    key: 0,
    kind: CaptureKind::Group,
};

/// More entries than this (16 GiB) are an error.
const MAX_ENTRIES: usize = 1 << 30;

impl List {
    /// An empty list in `room` entries of memory, at least two.
    ///
    /// # Safety
    /// The memory outlives the list.
    pub unsafe fn new(entries: *mut Capture, room: usize, start: u32) -> List {
        let whole = Capture { start, ..WHOLE };
        // SAFETY: there is room.
        unsafe { entries.write(whole) };
        List {
            entries,
            room: room as u32,
            count: 1,
            open: 0,
            runtime_count: 0,
            last_runtime: 0,
        }
    }

    /// All of them.
    fn entries(&self) -> &[Capture] {
        // SAFETY: so many have been written, in memory that outlives the list or that Lua keeps for the match.
        unsafe { slice::from_raw_parts(self.entries, self.count as usize) }
    }

    /// One of them, to change it.
    #[inline(always)]
    fn entry_mut(&mut self, index: u32) -> Option<&mut Capture> {
        debug_assert!(index < self.count);
        // SAFETY: as in `entries`.
        let entries = unsafe { slice::from_raw_parts_mut(self.entries, self.count as usize) };
        entries.get_mut(index as usize)
    }

    /// The present state.
    #[inline(always)]
    pub fn mark(&self) -> Mark {
        Mark {
            count: self.count,
            open: self.open,
        }
    }

    /// Forgets all captures that began after `mark`. The runtime values are on top of Lua's stack.
    #[inline(always)]
    pub fn back_to(&mut self, state: State<'_>, mark: Mark) {
        self.count = mark.count;
        self.open = mark.open;
        if self.last_runtime >= self.count {
            state.pop(self.forget_runtime(self.count) as c_int);
        }
    }

    /// Takes the runtime values with entries from `first` on out of the account; returns how many.
    fn forget_runtime(&mut self, first: u32) -> u32 {
        let before = self.runtime_count;
        while self.last_runtime >= first && self.last_runtime != 0 {
            // SAFETY: the entries of a list are written in order and stay in place when it gets shorter.
            self.last_runtime = unsafe { (*self.entries.add(self.last_runtime as usize)).end };
            self.runtime_count -= 1;
        }
        before - self.runtime_count
    }

    /// Adds a capture that starts at `start`; the next ones are inside of it until it is closed. The slots are those of the match;
    /// raises for want of memory.
    #[inline(always)]
    pub fn open(
        &mut self,
        state: State<'_>,
        slots: Slots,
        kind: CaptureKind,
        key: Key,
        start: u32,
    ) {
        let entry = Capture {
            start,
            end: NO_END,
            parent: self.open,
            key,
            kind,
        };
        self.open = self.count;
        self.push(state, slots, entry);
    }

    /// Ends the innermost open capture.
    #[inline(always)]
    pub fn close(&mut self, end: u32) {
        if let Some(entry) = self.entry_mut(self.open) {
            entry.end = end;
            self.open = entry.parent;
        }
    }

    /// Adds a complete capture, as `open`.
    #[inline(always)]
    pub fn full(
        &mut self,
        state: State<'_>,
        slots: Slots,
        kind: CaptureKind,
        key: Key,
        (start, end): (u32, u32),
    ) {
        let entry = Capture {
            start,
            end,
            parent: self.open,
            key,
            kind,
        };
        self.push(state, slots, entry);
    }

    /// Adds an entry; there is always room for one.
    #[inline(always)]
    fn push(&mut self, state: State<'_>, slots: Slots, entry: Capture) {
        self.add(entry);
        if self.count == self.room {
            self.grow(state, slots, 1);
        }
    }

    /// Adds an entry where there is room: for one there is, as `push` makes it again, for more after `grow`.
    #[inline(always)]
    fn add(&mut self, entry: Capture) {
        debug_assert!(self.count < self.room);
        // SAFETY: there is room.
        unsafe { self.entries.add(self.count as usize).write(entry) };
        self.count += 1;
    }

    /// Makes room for `more` entries. Raises for want of memory.
    #[cold]
    fn grow(&mut self, state: State<'_>, slots: Slots, more: usize) {
        let needed = self.count as usize + more;
        if needed <= self.room as usize {
            return;
        }
        if needed > MAX_ENTRIES {
            state.error(c"too many captures");
        }
        state.reserve_for(1, c"too many captures");
        let room = needed + needed / 2;
        // SAFETY: Lua keeps the block as long as its slot has it; it has got there before the old one is gone.
        unsafe {
            let size = room * size_of::<Capture>();
            let block = lua_newuserdatauv(state.raw(), size, 0).cast::<Capture>();
            ptr::copy_nonoverlapping(self.entries, block, self.count as usize);
            state.replace(slots.captures());
            self.entries = block;
            self.room = room as u32;
        }
    }
}
