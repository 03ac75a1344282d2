//! `append`, `concat`: messages that come in parts.
//!
//! A message in the making is a table: the size that the peer has announced, then the parts as strings. Nothing is
//! allocated for a size before the bytes are there, and parts beyond it are not kept, so a peer takes no more memory than
//! it has announced and sent.

use std::ptr;

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_OK, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer, lua_State, lua_error, lua_isnil,
    lua_istable, lua_pop, lua_pushinteger, lua_pushlightuserdata, lua_pushlstring, lua_pushvalue,
    lua_rawgeti, lua_rawgetp, lua_rawlen, lua_rawseti, lua_rawsetp, lua_tointegerx, lua_tolstring,
    lua_touserdata, luaL_argerror, luaL_checkinteger, luaL_checktype, luaL_error,
};

use crate::protect;

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
pub unsafe extern "C-unwind" fn append(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the block is the caller's by contract.
    unsafe {
        luaL_checktype(state, 1, LUA_TTABLE);
        let next = lua_rawlen(state, 1) as lua_Integer + 1;
        if lua_isnil(state, 2) != 0 {
            lua_pushvalue(state, 3);
            lua_rawseti(state, 1, next);
            return 0;
        }
        let base = lua_touserdata(state, 2);
        if base.is_null() {
            return luaL_error(state, c"Need lightuserdata".as_ptr());
        }
        let Ok(size) = usize::try_from(luaL_checkinteger(state, 3)) else {
            return luaL_argerror(state, 3, c"negative size".as_ptr());
        };
        // An empty part counts nothing towards the size, so any number of them would fit.
        if size == 0 || !fits(state, size) {
            libc::free(base);
            return 0;
        }
        let mut part = Part { base, size };
        let status = protect::call(state, text, (&raw mut part).cast());
        libc::free(base);
        if status != LUA_OK {
            lua_error(state);
        }
        lua_rawseti(state, 1, next);
    }
    0
}

/// Pushes a [`Part`] as a string.
unsafe extern "C-unwind" fn text(state: *mut lua_State) -> c_int {
    // SAFETY: called by `append` with the part, which it keeps alive.
    unsafe {
        let part: *const Part = lua_touserdata(state, 1).cast();
        lua_pushlstring(state, (*part).base.cast(), (*part).size);
    }
    1
}

/// Whether `size` more bytes are within what was announced for the message at index 1; counts them. Nothing is for a table
/// that does not begin with a size.
unsafe fn fits(state: *mut lua_State, size: usize) -> bool {
    // SAFETY: called by Lua; the counter is a field that exists or is made here, before the block is touched.
    unsafe {
        let kind = lua_rawgeti(state, 1, 1);
        let announced = lua_tointegerx(state, -1, ptr::null_mut());
        lua_rawgetp(state, 1, (&raw const ARRIVED).cast());
        let before = lua_tointegerx(state, -1, ptr::null_mut());
        lua_pop(state, 2);
        if kind != LUA_TNUMBER {
            return false;
        }
        let arrived = before.saturating_add(size as lua_Integer);
        lua_pushinteger(state, arrived);
        lua_rawsetp(state, 1, (&raw const ARRIVED).cast());
        arrived <= announced
    }
}

/// `concat(message)`: the parts as one block, which is the caller's, and its size. Nothing unless they have exactly the
/// announced size.
pub unsafe extern "C-unwind" fn concat(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; between the two passes nothing runs that could change the table, and none of the calls of the
    // second raises.
    unsafe {
        if lua_istable(state, 1) == 0 || lua_rawgeti(state, 1, 1) != LUA_TNUMBER {
            return 0;
        }
        let announced = lua_tointegerx(state, -1, ptr::null_mut());
        lua_rawgetp(state, 1, (&raw const ARRIVED).cast());
        let arrived = lua_tointegerx(state, -1, ptr::null_mut());
        lua_pop(state, 2);
        let mut size = 0;
        let mut count = 0;
        for n in 2.. {
            let kind = lua_rawgeti(state, 1, n);
            if kind == LUA_TSTRING {
                size += lua_rawlen(state, -1);
                count += 1;
            }
            lua_pop(state, 1);
            if kind != LUA_TSTRING {
                break;
            }
        }
        if usize::try_from(announced) != Ok(size) || arrived > announced {
            return 0;
        }
        let block: *mut u8 = libc::malloc(size.max(1)).cast();
        if block.is_null() {
            return luaL_error(state, c"not enough memory".as_ptr());
        }
        let mut done = 0;
        for n in 2..2 + count {
            lua_rawgeti(state, 1, n);
            let mut len = 0;
            let part = lua_tolstring(state, -1, &mut len);
            block.add(done).copy_from_nonoverlapping(part.cast(), len);
            done += len;
            lua_pop(state, 1);
        }
        lua_pushlightuserdata(state, block.cast());
        lua_pushinteger(state, size as lua_Integer);
    }
    2
}
