//! A buffer for encoders that turn Lua values into bytes.
//!
//! On the way through a table anything may raise: a metamethod, a finalizer, the encoder itself. Errors of Lua are longjmps,
//! so the buffer owns nothing that a destructor would have to free: small results stay in a place of the caller's frame, and
//! a larger one is a userdata on Lua's stack. Several buffers may be in use at once, by encoders that call each other.
//!
//! A userdata is kept for the next use in an upvalue of the encoding function. It is taken out of there while it is in use:
//! no other code finds it, and after an error the collector frees it.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use libc::c_int;
use mlua_sys::lua_newuserdatauv;

use crate::State;

/// Where the bytes are until they are more than `N`.
pub struct Place<const N: usize>(MaybeUninit<[u8; N]>);

impl<const N: usize> Place<N> {
    /// A place of no bytes.
    #[inline(always)]
    pub const fn new() -> Self {
        Place(MaybeUninit::uninit())
    }
}

impl<const N: usize> Default for Place<N> {
    fn default() -> Self {
        Place::new()
    }
}

/// A larger userdata is not kept.
const KEEP: usize = 256 * 1024;

/// What a buffer refuses to exceed, and how it says so.
pub struct Limit {
    /// Bytes.
    pub bytes: usize,
    /// What the error says before and behind the number.
    pub before: &'static str,
    /// See `before`.
    pub behind: &'static str,
}

/// Appends bytes. Plain data: it may be abandoned at any time.
pub struct Buffer<'a> {
    state: State<'a>,
    base: *mut u8,
    len: usize,
    capacity: usize,
    /// The bytes have left their place for a userdata.
    grown: bool,
    /// Index on Lua's stack of the userdata that the bytes are in when the place is too small.
    slot: c_int,
    /// Pseudo-index of the upvalue for a userdata that is not in use.
    cache: c_int,
    limit: &'static Limit,
    place: PhantomData<&'a mut u8>,
}

impl<'a> Buffer<'a> {
    /// An empty buffer. Pushes one value, which has to stay where it is. `cache` is the pseudo-index of an upvalue that
    /// only buffers use, nil at first. All methods that grow the buffer want room for two more values.
    #[inline(always)]
    pub fn new<const N: usize>(
        state: State<'a>,
        place: &'a mut Place<N>,
        limit: &'static Limit,
        cache: c_int,
    ) -> Buffer<'a> {
        state.push_nil();
        Buffer {
            state,
            base: place.0.as_mut_ptr().cast(),
            len: 0,
            capacity: N,
            grown: false,
            slot: state.top(),
            cache,
            limit,
            place: PhantomData,
        }
    }

    /// Bytes so far.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes. Nothing that raises or runs Lua code changes them, but they move when the buffer grows.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: all up to `len` has been written.
        unsafe { slice::from_raw_parts(self.base, self.len) }
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let needed = self.len.saturating_add(more);
        if needed > self.limit.bytes {
            self.state.error_with(format_args!(
                "{}{}{}",
                self.limit.before, self.limit.bytes, self.limit.behind
            ));
        }
        let (base, capacity) = match self.take_kept(needed) {
            Some(kept) => kept,
            None => {
                let capacity = needed.max(self.capacity * 2).min(self.limit.bytes);
                // SAFETY: the running state, with room for a value.
                let base = unsafe { lua_newuserdatauv(self.state.raw(), capacity, 0) };
                (base.cast(), capacity)
            }
        };
        // SAFETY: so many bytes are here, and there; the one is not the other.
        unsafe { ptr::copy_nonoverlapping(self.base, base, self.len) };
        self.state.replace(self.slot);
        self.base = base;
        self.capacity = capacity;
        self.grown = true;
    }

    /// Pushes the userdata of an earlier use if it has `needed` bytes.
    fn take_kept(&self, needed: usize) -> Option<(*mut u8, usize)> {
        let state = self.state;
        let capacity = state.raw_len(self.cache);
        if capacity < needed {
            return None;
        }
        state.push_copy(self.cache);
        state.push_nil();
        state.replace(self.cache);
        let base = state.to_userdata(-1);
        (!base.is_null()).then_some((base.cast(), capacity))
    }

    /// Ends the use of the buffer; a userdata that it has had is there for the next one.
    #[inline(always)]
    pub fn close(self) {
        if self.grown && self.capacity <= KEEP {
            self.state.copy(self.slot, self.cache);
        }
    }

    /// Where at least `more` bytes may be written; [`Buffer::advance`] then counts them. Raises an error when there is no
    /// memory, or the limit is exceeded.
    #[inline(always)]
    pub fn room(&mut self, more: usize) -> *mut u8 {
        if self.capacity - self.len < more {
            self.grow(more);
        }
        // SAFETY: len <= capacity.
        unsafe { self.base.add(self.len) }
    }

    /// All that may be written before the buffer has to grow, `more` bytes at least, as [`Buffer::room`].
    #[inline(always)]
    pub fn spare(&mut self, more: usize) -> &mut [MaybeUninit<u8>] {
        let room = self.room(more).cast();
        // SAFETY: the buffer owns all up to its capacity.
        unsafe { slice::from_raw_parts_mut(room, self.capacity - self.len) }
    }

    /// Counts `more` bytes that were written at [`Buffer::room`].
    ///
    /// # Safety
    /// They were.
    #[inline(always)]
    pub unsafe fn advance(&mut self, more: usize) {
        self.len += more;
    }

    /// Appends `N` bytes, as [`Buffer::room`].
    #[inline(always)]
    pub fn put<const N: usize>(&mut self, bytes: [u8; N]) {
        // SAFETY: there is room for N bytes.
        unsafe {
            self.room(N).cast::<[u8; N]>().write_unaligned(bytes);
            self.advance(N);
        }
    }

    /// Appends so many zeroes, as [`Buffer::room`].
    #[inline(always)]
    pub fn put_zeroes(&mut self, count: usize) {
        // SAFETY: there is room for all of them.
        unsafe {
            self.room(count).write_bytes(0, count);
            self.advance(count);
        }
    }

    /// Appends `bytes`, as [`Buffer::room`].
    #[inline(always)]
    pub fn extend(&mut self, bytes: &[u8]) {
        // SAFETY: there is room for all of them, and they are none of the buffer's own, which is borrowed.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.room(bytes.len()), bytes.len());
            self.advance(bytes.len());
        }
    }

    /// Overwrites what was written at `at`.
    ///
    /// # Panics
    /// Unless all of it was.
    #[inline(always)]
    pub fn patch<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        assert!(at.checked_add(N).is_some_and(|end| end <= self.len));
        // SAFETY: within what was written.
        unsafe { self.base.add(at).cast::<[u8; N]>().write_unaligned(bytes) }
    }

    /// The bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: all up to `len` has been written.
        unsafe { slice::from_raw_parts_mut(self.base, self.len) }
    }

    /// Takes out `count` bytes at `at`.
    ///
    /// # Panics
    /// Unless they are there.
    #[inline(always)]
    pub fn remove(&mut self, at: usize, count: usize) {
        if count > 0 {
            self.bytes_mut().copy_within(at + count.., at);
            self.len -= count;
        }
    }

    /// Drops what follows the first `len` bytes.
    #[inline(always)]
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }
}
