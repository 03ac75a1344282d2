//! The arrays and objects that are open, outermost first: what a recursive function would have on the C stack.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use skynet_support::State;
use skynet_support::buffer::{Buffer, Limit, Place};

/// Bytes of the ones that need no memory of Lua's.
pub const SMALL: usize = 1024;

const LIMIT: Limit = Limit {
    bytes: i32::MAX as usize,
    before: "Found too many nested data structures (more than ",
    behind: " bytes of them)",
};

/// A stack of values in memory that an error of Lua's may abandon.
pub struct Containers<'a, T: Copy> {
    bytes: Buffer<'a>,
    count: u32,
    what: PhantomData<T>,
}

impl<'a, T: Copy> Containers<'a, T> {
    /// As [`Buffer::new`].
    pub fn new(
        state: State<'a>,
        place: &'a mut Place<SMALL>,
        cache: std::ffi::c_int,
    ) -> Containers<'a, T> {
        Containers {
            bytes: Buffer::new(state, place, &LIMIT, cache),
            count: 0,
            what: PhantomData,
        }
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.count
    }

    /// As [`Buffer::room`].
    #[inline(always)]
    pub fn push(&mut self, value: T) {
        // SAFETY: there is room for a value, aligned or not.
        unsafe {
            let room = self.bytes.room(size_of::<T>());
            room.cast::<T>().write_unaligned(value);
            self.bytes.advance(size_of::<T>());
        }
        self.count += 1;
    }

    /// The last one that was pushed, which is gone then.
    ///
    /// # Panics
    /// When there is none.
    #[inline(always)]
    pub fn pop(&mut self) -> T {
        let rest = self.bytes.len() - size_of::<T>();
        let mut value = MaybeUninit::<T>::uninit();
        let bytes = &self.bytes.bytes()[rest..];
        // SAFETY: `push` wrote a value here, all of whose bytes are copied.
        let value = unsafe {
            value
                .as_mut_ptr()
                .cast::<u8>()
                .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            value.assume_init()
        };
        self.bytes.truncate(rest);
        self.count -= 1;
        value
    }

    /// As [`Buffer::close`].
    pub fn close(self) {
        self.bytes.close()
    }
}
