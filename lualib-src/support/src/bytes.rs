//! Strings of Lua as bytes: arguments, and results that a function writes.

use std::mem::MaybeUninit;
use std::{ptr, slice};

use libc::c_char;
use mlua_sys::{
    lua_State, lua_pushlstring, luaL_Buffer, luaL_buffinitsize, luaL_checklstring,
    luaL_pushresultsize,
};

/// Results up to this size are written in the frame.
const SMALL: usize = 256;

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
        let mut block = [0; SMALL];
        let written = write(&mut block[..len])?;
        // SAFETY: as the caller promises.
        unsafe { push(state, &block[..written]) };
        return Some(());
    }
    let mut buffer = MaybeUninit::<luaL_Buffer>::uninit();
    // SAFETY: as the caller promises. The buffer is initialised by its first use, and stays in its place; it has `len` bytes.
    unsafe {
        let block: *mut c_char = luaL_buffinitsize(state, buffer.as_mut_ptr(), len);
        ptr::write_bytes(block, 0, len);
        let written = write(slice::from_raw_parts_mut(block.cast(), len))?;
        luaL_pushresultsize(buffer.as_mut_ptr(), written);
    }
    Some(())
}
