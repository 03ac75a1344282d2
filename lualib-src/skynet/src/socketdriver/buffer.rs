//! `buffer`, `push`, `pop`, `readline`, `readall`, `clear`: what a service keeps of a socket's bytes until it reads them.
//!
//! A buffer is a userdata that frees its blocks by itself. The table that callers pass along with it, in which the
//! functions may keep what they like, stays empty.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use libc::{c_char, c_int, c_void};
use mlua_sys::{LUA_TTABLE, lua_Integer, luaL_Buffer, luaL_buffinitsize, luaL_pushresultsize};
use skynet_support::{State, lua_function};

use super::received::Received;
use crate::block::Block;
use crate::userdata::{self, Marked};

impl Marked for Received {
    const KIND: &'static CStr = c"skynet.socketdriver.buffer";

    fn mark() -> *const u8 {
        static MARK: u8 = 0;
        &raw const MARK
    }
}

/// `buffer()`: a new, empty buffer.
pub fn buffer(state: State<'_>) -> c_int {
    userdata::push_marked::<Received>(state, lua_function!(unsafe collect));
    1
}

/// `__gc`: frees the blocks. The buffer is empty, not dead, afterwards: a finalizer may still see it.
fn collect(state: State<'_>) -> c_int {
    if let Some(received) = find(state) {
        *received = Received::default();
    }
    0
}

/// The buffer at index 1; none for anything else.
fn find(state: State<'_>) -> Option<&mut Received> {
    // SAFETY: the buffer is an argument, so it outlives the call of the function; calls for one buffer do not overlap, as nothing here
    // runs Lua code while the reference is used.
    unsafe { userdata::marked::<Received>(state, 1).as_mut() }
}

/// The buffer at index 1, or an error.
fn expect(state: State<'_>) -> &mut Received {
    match find(state) {
        Some(received) => received,
        None => state.error(c"Need buffer object at param 1"),
    }
}

/// `push(buffer, pool, message, size)`: appends a block and owns it from then on. The number of bytes in the buffer.
pub fn push(state: State<'_>) -> c_int {
    let Some(received) = find(state) else {
        state.error(c"need buffer object at param 1");
    };
    let message: *mut c_void = state.to_userdata(3);
    if message.is_null() {
        state.error(c"need message block at param 3");
    }
    state.check_kind(2, LUA_TTABLE);
    let Ok(size) = usize::try_from(state.check_integer(4)) else {
        state.argument_error(4, c"negative size");
    };
    // SAFETY: who calls gives the block away. It is dropped before the error is raised.
    let pushed = unsafe { received.push(Block::from_raw(message, size)) };
    if pushed.is_err() {
        state.error(c"not enough memory");
    }
    state.push_integer(received.size() as lua_Integer);
    1
}

/// Pushes the first `count` bytes without the last `without`, and forgets them all.
fn take(state: State<'_>, received: &mut Received, count: usize, without: usize) {
    let wanted = count - without;
    match received.piece(wanted) {
        Some(piece) => state.push_bytes(&piece[..wanted]),
        None => {
            let mut string = MaybeUninit::<luaL_Buffer>::uninit();
            // SAFETY: the buffer of the string has room for `wanted` bytes, and there are as many.
            unsafe {
                let place: *mut c_char =
                    luaL_buffinitsize(state.raw(), string.as_mut_ptr(), wanted);
                received.copy(wanted, place.cast());
                luaL_pushresultsize(string.as_mut_ptr(), wanted);
            }
        }
    }
    received.consume(count);
}

/// `pop(buffer, pool, size)`: that many bytes as a string, nil when there are fewer or for 0; and what is left.
pub fn pop(state: State<'_>) -> c_int {
    let received = expect(state);
    state.check_kind(2, LUA_TTABLE);
    let Ok(size) = usize::try_from(state.check_integer(3)) else {
        state.argument_error(3, c"negative size");
    };
    if size == 0 || size > received.size() {
        state.push_nil();
    } else {
        take(state, received, size, 0);
    }
    state.push_integer(received.size() as lua_Integer);
    2
}

/// `readall(buffer, pool)`: everything as a string.
pub fn readall(state: State<'_>) -> c_int {
    let received = expect(state);
    state.check_kind(2, LUA_TTABLE);
    let size = received.size();
    take(state, received, size, 0);
    1
}

/// `clear(buffer, pool)`: forgets everything; nil is a buffer too.
pub fn clear(state: State<'_>) -> c_int {
    if state.is_nil(1) {
        return 0;
    }
    let received = expect(state);
    state.check_kind(2, LUA_TTABLE);
    received.consume(received.size());
    0
}

/// `readline(buffer, pool|nil, separator)`: what is in front of the first separator, as a string, and forgets both. With
/// nil only looks: true if there is a separator. Nothing when there is none.
pub fn readline(state: State<'_>) -> c_int {
    let received = expect(state);
    let separator = state.check_bytes(3);
    let Some(position) = received.find(separator) else {
        return 0;
    };
    if state.is_table(2) {
        take(state, received, position + separator.len(), separator.len());
    } else {
        state.push_boolean(true);
    }
    1
}
