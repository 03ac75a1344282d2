//! Strings of Lua that a function writes.

use std::mem::MaybeUninit;
use std::{ptr, slice};

use mlua_sys::lua_newuserdatauv;

use crate::State;

/// Results up to this size are written in the frame: copying them costs less than memory of their own.
const SMALL: usize = 2048;

/// Pushes the string that `write` leaves in a block of `len` bytes; it returns how many of them count. Nothing is pushed,
/// and None returned, where it does.
/// Needs room for two values; raises for want of memory, while `write` is alive.
pub fn push_written(
    state: State<'_>,
    len: usize,
    write: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Option<()> {
    if len <= SMALL {
        let mut block = MaybeUninit::<[u8; SMALL]>::uninit();
        // SAFETY: the first `len` bytes are initialised here.
        let block = unsafe {
            let block: *mut u8 = block.as_mut_ptr().cast();
            ptr::write_bytes(block, 0, len);
            slice::from_raw_parts_mut(block, len)
        };
        let written = write(block)?;
        state.push_bytes(&block[..written]);
        return Some(());
    }
    // Not a luaL_Buffer: its result is an external string, whose bytes the collector does not count. In generational mode,
    // which services use, those that have become old are then hardly ever freed.
    // SAFETY: the userdata has `len` bytes, and stays on the stack until they are copied; the rest is rule 2 of `state`.
    let block = unsafe {
        let block: *mut u8 = lua_newuserdatauv(state.raw(), len, 0).cast();
        ptr::write_bytes(block, 0, len);
        slice::from_raw_parts_mut(block, len)
    };
    let Some(written) = write(block) else {
        state.pop(1);
        return None;
    };
    state.push_bytes(&block[..written]);
    state.remove(-2);
    Some(())
}
