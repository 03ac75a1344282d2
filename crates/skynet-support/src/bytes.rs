//! Strings of Lua as bytes: arguments, and results that a function writes.

use std::mem::MaybeUninit;
use std::{ptr, slice};

use mlua_sys::{
    lua_State, lua_copy, lua_newuserdatauv, lua_pushlstring, lua_settop, luaL_checklstring,
};

/// Results up to this size are written in the frame: copying them costs less than memory of their own.
const SMALL: usize = 2048;

/// Argument `index`, which has to be a string or a number.
///
/// # Safety
/// Called by a function that Lua called. The bytes live as long as the argument is on the stack.
pub unsafe fn argument<'a>(state: *mut lua_State, index: i32) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: as the caller promises.
    unsafe {
        let text = luaL_checklstring(state, index, &mut len);
        slice::from_raw_parts(text.cast(), len)
    }
}

/// Pushes `bytes`.
///
/// # Safety
/// The stack has room for a value.
pub unsafe fn push(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: as the caller promises.
    unsafe { lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len()) };
}

/// Pushes the string that `write` leaves in a block of `len` bytes; it returns how many of them count. Nothing is pushed,
/// and None returned, where it does.
///
/// # Safety
/// The stack has room for two values; neither the caller nor `write` own anything with a destructor.
pub unsafe fn push_written(
    state: *mut lua_State,
    len: usize,
    write: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Option<()> {
    if len <= SMALL {
        let mut block = MaybeUninit::<[u8; SMALL]>::uninit();
        // SAFETY: the first `len` bytes are initialised here; otherwise as the caller promises.
        unsafe {
            let block: *mut u8 = block.as_mut_ptr().cast();
            ptr::write_bytes(block, 0, len);
            let block = slice::from_raw_parts_mut(block, len);
            let written = write(block)?;
            push(state, &block[..written]);
        }
        return Some(());
    }
    // Not a luaL_Buffer: its result is an external string, whose bytes the collector does not count. In generational mode,
    // which services use, those that have become old are then hardly ever freed.
    // SAFETY: as the caller promises; the userdata has `len` bytes, and stays on the stack until they are copied.
    unsafe {
        let block: *mut u8 = lua_newuserdatauv(state, len, 0).cast();
        ptr::write_bytes(block, 0, len);
        let block = slice::from_raw_parts_mut(block, len);
        let Some(written) = write(block) else {
            lua_settop(state, -2);
            return None;
        };
        push(state, &block[..written]);
        lua_copy(state, -1, -2);
        lua_settop(state, -2);
    }
    Some(())
}
