//! Large messages in the making: `assembly`, `finish`.
//!
//! Their parts go behind each other into one block, as they are read from a packet. It grows with what has come, so a peer takes
//! no more than a little above what it has sent, and nothing beyond what it has announced is kept.

use std::ffi::CStr;
use std::ptr;

use libc::c_int;
use mlua_sys::lua_Integer;
use skynet_support::{State, lua_function};

use crate::block::OutOfMemory;
use crate::userdata;

const KIND: &CStr = c"skynet.cluster.assembly";

/// Room of a block at first, unless less was announced.
const FIRST_ROOM: usize = 256 * 1024;

/// A block of the C allocator that has `len` bytes of a message, and room for `room`. Freed by the finaliser.
pub struct Assembly {
    base: *mut u8,
    room: usize,
    len: usize,
    announced: usize,
}

impl Assembly {
    /// Adds a part. False: it is more than was announced, and not kept.
    pub fn add(&mut self, part: &[u8]) -> Result<bool, OutOfMemory> {
        if part.len() > self.announced - self.len {
            return Ok(false);
        }
        let needed = self.len + part.len();
        if needed > self.room {
            let room = needed.max((self.room * 2).max(FIRST_ROOM).min(self.announced));
            // SAFETY: null or a block of the C allocator that nothing else has; the room is above zero.
            let base: *mut u8 = unsafe { libc::realloc(self.base.cast(), room.max(1)) }.cast();
            if base.is_null() {
                return Err(OutOfMemory);
            }
            (self.base, self.room) = (base, room);
        }
        if !part.is_empty() {
            // SAFETY: there is room for the part behind what is there.
            unsafe {
                ptr::copy_nonoverlapping(part.as_ptr(), self.base.add(self.len), part.len());
            }
        }
        self.len = needed;
        Ok(true)
    }

    /// Gives the block away, if all has come.
    fn take(&mut self) -> Option<(*mut u8, usize)> {
        (self.len == self.announced && !self.base.is_null()).then(|| {
            let taken = (self.base, self.len);
            *self = Assembly::new(0);
            taken
        })
    }

    const fn new(announced: usize) -> Assembly {
        Assembly {
            base: ptr::null_mut(),
            room: 0,
            len: 0,
            announced,
        }
    }
}

/// `assembly(size)`: a message of which so many bytes were announced.
pub fn assembly(state: State<'_>) -> c_int {
    let Ok(announced) = u32::try_from(state.check_integer(1)) else {
        state.argument_error(1, c"size out of range");
    };
    if state.new_metatable(KIND) {
        state.push_function(lua_function!(unsafe collect));
        state.set_field(-2, c"__gc");
    }
    state.pop(1);
    userdata::push(state, KIND, Assembly::new(announced as usize));
    1
}

/// `__gc`. The userdata may be seen again, so it is emptied.
fn collect(state: State<'_>) -> c_int {
    if let Some(assembly) = at(state, 1) {
        // SAFETY: null, or a block that is the assembly's.
        unsafe { libc::free(assembly.base.cast()) };
        *assembly = Assembly::new(0);
    }
    0
}

/// The message in the userdata at `index`; none for anything else.
fn at(state: State<'_>, index: c_int) -> Option<&mut Assembly> {
    // SAFETY: userdata of this kind are made by `assembly`; nothing here runs Lua code while the reference is used.
    unsafe { state.test_userdata::<Assembly>(index, KIND).as_mut() }
}

/// `finish(assembly)`: the block, which is the caller's, and its size. Nothing unless all that was announced has come.
pub fn finish(state: State<'_>) -> c_int {
    state.check_userdata::<Assembly>(1, KIND);
    let Some((base, len)) = at(state, 1).and_then(Assembly::take) else {
        return 0;
    };
    state.push_light(base);
    state.push_integer(len as lua_Integer);
    2
}

/// The message of that session in the table at `index`; none if there is none, or no table. It lives as long as it is in there.
pub fn find(state: State<'_>, index: c_int, session: u32) -> Option<&mut Assembly> {
    if !state.is_table(index) {
        return None;
    }
    state.raw_get_i(index, session.into());
    let found = at(state, -1);
    state.pop(1);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_become_one_block_of_what_was_announced() {
        let mut assembly = Assembly::new(1_000_000);
        let part = [7; 0x8000];
        let mut left = 1_000_000;
        while left > 0 {
            let size = left.min(part.len());
            assert!(assembly.take().is_none());
            assert!(assembly.add(&part[..size]).unwrap());
            assert!(assembly.room <= FIRST_ROOM.max(2 * assembly.len));
            left -= size;
        }
        assert!(
            !assembly.add(&part[..1]).unwrap(),
            "more than was announced"
        );
        let (base, len) = assembly.take().expect("all has come");
        // SAFETY: a block with so many bytes, which nothing else has.
        unsafe {
            assert!(
                std::slice::from_raw_parts(base, len)
                    .iter()
                    .all(|byte| *byte == 7)
            );
            libc::free(base.cast());
        }
        assert_eq!(len, 1_000_000);
        assert!(assembly.take().is_none());
    }
}
