//! `append`, `concat`: messages that come in parts.
//!
//! A message in the making is a table: the size that the peer has announced, then the parts as strings. Nothing is
//! allocated for a size before the bytes are there, and parts beyond it are not kept, so a peer takes no more memory than
//! it has announced and sent.

use libc::{c_int, c_void};
use mlua_sys::{LUA_OK, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer};
use skynet_support::{State, lua_function};

use crate::block::{Block, OutOfMemory};
use crate::{arguments, protect};

/// The key, by its address, under which the table has the number of bytes that have come; more than the announced size
/// when there were too many.
static ARRIVED: u8 = 0;

/// A block that is to become a string.
struct Part {
    base: *mut c_void,
    size: usize,
}

/// `append(message, nil, size)` begins, `append(message, block, size)` adds a part and frees the block. Nothing is kept of
/// a part without bytes.
pub fn append(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TTABLE);
    let next = state.raw_len(1) as lua_Integer + 1;
    if state.is_nil(2) {
        state.push_copy(3);
        state.raw_set_i(1, next);
        return 0;
    }
    let base = state.to_userdata(2);
    if base.is_null() {
        state.error(c"Need lightuserdata");
    }
    let Ok(size) = usize::try_from(state.check_integer(3)) else {
        state.argument_error(3, c"negative size");
    };
    // SAFETY: who calls gives the block away; each way out frees it once.
    let free = || unsafe { libc::free(base) };
    // An empty part counts nothing towards the size, so any number of them would fit.
    if size == 0 || !fits(state, size) {
        free();
        return 0;
    }
    let part = Part { base, size };
    let status = protect::call(state, lua_function!(unsafe text), &raw const part);
    free();
    if status != LUA_OK {
        state.raise();
    }
    state.raw_set_i(1, next);
    0
}

/// Pushes a [`Part`] as a string.
fn text(state: State<'_>) -> c_int {
    // SAFETY: `append` passes the part, whose block has that size, and keeps both.
    let bytes = unsafe {
        let Part { base, size } = &*state.to_userdata(1).cast::<Part>();
        arguments::bytes(*base, *size)
    };
    state.push_bytes(bytes);
    1
}

/// Whether `size` more bytes are within what was announced for the message at index 1; counts them. Nothing is for a table
/// that does not begin with a size.
fn fits(state: State<'_>, size: usize) -> bool {
    let kind = state.raw_get_i(1, 1);
    let announced = state.to_integer(-1);
    state.raw_get_p(1, &ARRIVED);
    let before = state.to_integer(-1);
    state.pop(2);
    if kind != LUA_TNUMBER {
        return false;
    }
    let arrived = before.saturating_add(size as lua_Integer);
    state.push_integer(arrived);
    state.raw_set_p(1, &ARRIVED);
    arrived <= announced
}

/// `concat(message)`: the parts as one block, which is the caller's, and its size. Nothing unless they have exactly the
/// announced size.
pub fn concat(state: State<'_>) -> c_int {
    if !state.is_table(1) || state.raw_get_i(1, 1) != LUA_TNUMBER {
        return 0;
    }
    let announced = state.to_integer(-1);
    state.raw_get_p(1, &ARRIVED);
    let arrived = state.to_integer(-1);
    state.pop(2);
    let mut size = 0;
    let mut count = 0;
    for n in 2.. {
        let kind = state.raw_get_i(1, n);
        if kind == LUA_TSTRING {
            size += state.raw_len(-1);
            count += 1;
        }
        state.pop(1);
        if kind != LUA_TSTRING {
            break;
        }
    }
    if usize::try_from(announced) != Ok(size) || arrived > announced {
        return 0;
    }
    let Ok(block) = joined(state, size, count) else {
        state.error(c"not enough memory");
    };
    let (block, size) = block.into_raw();
    state.push_light(block);
    state.push_integer(size as lua_Integer);
    2
}

/// The `count` strings of the table at index 1 behind its first element, which have `size` bytes. Raises nothing.
fn joined(state: State<'_>, size: usize, count: lua_Integer) -> Result<Block, OutOfMemory> {
    let mut block = Block::with_capacity(size)?;
    for n in 2..2 + count {
        state.raw_get_i(1, n);
        // SAFETY: the block has room for the strings that have been counted; nothing has run since that could change the table.
        unsafe { block.append(state.to_bytes(-1).unwrap_or_default()) };
        state.pop(1);
    }
    Ok(block)
}
