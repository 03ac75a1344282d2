//! `buffer`, `push`, `pop`, `readline`, `readall`, `clear`: what a service keeps of a socket's bytes until it reads them.
//!
//! A buffer is a userdata that frees its blocks by itself. The table that callers pass along with it, in which the
//! functions may keep what they like, stays empty.

use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_char, c_int, c_void};
use mlua_sys::{
    LUA_TTABLE, lua_Integer, lua_State, lua_isnil, lua_istable, lua_newuserdatauv, lua_pushboolean,
    lua_pushcfunction, lua_pushinteger, lua_pushlstring, lua_pushnil, lua_rawlen, lua_setfield,
    lua_setmetatable, lua_touserdata, luaL_Buffer, luaL_argerror, luaL_buffinitsize,
    luaL_checkinteger, luaL_checklstring, luaL_checktype, luaL_error, luaL_newmetatable,
    luaL_pushresultsize,
};

use super::received::Received;
use crate::block::Block;

/// What is in the userdata.
struct Buffer {
    /// The address of [`MARK`], by which a buffer is told from other userdata without a look-up in the registry.
    mark: *const u8,
    received: Received,
}

static MARK: u8 = 0;

/// `buffer()`: a new, empty buffer.
pub unsafe extern "C-unwind" fn buffer(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the userdata is complete before it gets the metatable whose `__gc` drops it.
    unsafe {
        let place: *mut Buffer = lua_newuserdatauv(state, size_of::<Buffer>(), 0).cast();
        place.write(Buffer {
            mark: &raw const MARK,
            received: Received::default(),
        });
        if luaL_newmetatable(state, c"skynet.socketdriver.buffer".as_ptr()) != 0 {
            lua_pushcfunction(state, collect);
            lua_setfield(state, -2, c"__gc".as_ptr());
        }
        lua_setmetatable(state, -2);
    }
    1
}

/// `__gc`: frees the blocks. The buffer is empty, not dead, afterwards: a finalizer may still see it.
unsafe extern "C-unwind" fn collect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if let Some(received) = find(state).as_mut() {
            *received = Received::default();
        }
    }
    0
}

/// The buffer at index 1, null for anything else.
unsafe fn find(state: *mut lua_State) -> *mut Received {
    // SAFETY: called with a valid state; the mark is read only from a block that has room for it: the length of a light
    // userdata is 0.
    unsafe {
        let buffer: *mut Buffer = lua_touserdata(state, 1).cast();
        if buffer.is_null() || lua_rawlen(state, 1) != size_of::<Buffer>() {
            return ptr::null_mut();
        }
        if (&raw const (*buffer).mark).read() != &raw const MARK {
            return ptr::null_mut();
        }
        &raw mut (*buffer).received
    }
}

/// The buffer at index 1, or an error.
unsafe fn expect<'a>(state: *mut lua_State) -> &'a mut Received {
    // SAFETY: called with a valid state. The buffer is an argument, so it outlives the call of the function; calls for
    // one buffer do not overlap, as nothing here runs Lua code while the reference is used.
    unsafe {
        let received = find(state);
        if received.is_null() {
            luaL_error(state, c"Need buffer object at param 1".as_ptr());
        }
        &mut *received
    }
}

/// `push(buffer, pool, message, size)`: appends a block and owns it from then on. The number of bytes in the buffer.
pub unsafe extern "C-unwind" fn push(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the block is the caller's by contract. It is taken over after the last check, and dropped
    // before the error is raised.
    unsafe {
        let received = find(state);
        if received.is_null() {
            return luaL_error(state, c"need buffer object at param 1".as_ptr());
        }
        let message: *mut c_void = lua_touserdata(state, 3);
        if message.is_null() {
            return luaL_error(state, c"need message block at param 3".as_ptr());
        }
        luaL_checktype(state, 2, LUA_TTABLE);
        let Ok(size) = usize::try_from(luaL_checkinteger(state, 4)) else {
            return luaL_argerror(state, 4, c"negative size".as_ptr());
        };
        let pushed = (*received).push(Block::from_raw(message, size));
        if pushed.is_err() {
            return luaL_error(state, c"not enough memory".as_ptr());
        }
        lua_pushinteger(state, (*received).size() as lua_Integer);
    }
    1
}

/// Pushes the first `count` bytes without the last `without`, and forgets them all.
unsafe fn take(state: *mut lua_State, received: &mut Received, count: usize, without: usize) {
    let wanted = count - without;
    // SAFETY: the buffer of the string has room for `wanted` bytes, and there are as many. Nothing has a destructor.
    unsafe {
        match received.piece(wanted) {
            Some(piece) => {
                lua_pushlstring(state, piece.as_ptr().cast(), wanted);
            }
            None => {
                let mut string = MaybeUninit::<luaL_Buffer>::uninit();
                let place: *mut c_char = luaL_buffinitsize(state, string.as_mut_ptr(), wanted);
                received.copy(wanted, place.cast());
                luaL_pushresultsize(string.as_mut_ptr(), wanted);
            }
        }
    }
    received.consume(count);
}

/// `pop(buffer, pool, size)`: that many bytes as a string, nil when there are fewer or for 0; and what is left.
pub unsafe extern "C-unwind" fn pop(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let received = expect(state);
        luaL_checktype(state, 2, LUA_TTABLE);
        let Ok(size) = usize::try_from(luaL_checkinteger(state, 3)) else {
            return luaL_argerror(state, 3, c"negative size".as_ptr());
        };
        if size == 0 || size > received.size() {
            lua_pushnil(state);
        } else {
            take(state, received, size, 0);
        }
        lua_pushinteger(state, received.size() as lua_Integer);
    }
    2
}

/// `readall(buffer, pool)`: everything as a string.
pub unsafe extern "C-unwind" fn readall(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let received = expect(state);
        luaL_checktype(state, 2, LUA_TTABLE);
        let size = received.size();
        take(state, received, size, 0);
    }
    1
}

/// `clear(buffer, pool)`: forgets everything; nil is a buffer too.
pub unsafe extern "C-unwind" fn clear(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if lua_isnil(state, 1) != 0 {
            return 0;
        }
        let received = expect(state);
        luaL_checktype(state, 2, LUA_TTABLE);
        received.consume(received.size());
    }
    0
}

/// `readline(buffer, pool|nil, separator)`: what is in front of the first separator, as a string, and forgets both. With
/// nil only looks: true if there is a separator. Nothing when there is none.
pub unsafe extern "C-unwind" fn readline(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the separator is an argument.
    unsafe {
        let received = expect(state);
        let mut len = 0;
        let text = luaL_checklstring(state, 3, &mut len);
        let separator = std::slice::from_raw_parts(text.cast::<u8>(), len);
        let Some(position) = received.find(separator) else {
            return 0;
        };
        if lua_istable(state, 2) != 0 {
            take(state, received, position + len, len);
        } else {
            lua_pushboolean(state, 1);
        }
    }
    1
}
