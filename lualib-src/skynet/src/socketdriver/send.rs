//! `send`, `lsend`, `udp_send`, and the forms that the bytes to send may have.

use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_char, c_int, c_void};
use mlua_sys::{
    LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TSTRING, LUA_TTABLE, LUA_TUSERDATA, lua_Integer, lua_State,
    lua_geti, lua_getmetatable, lua_isinteger, lua_pop, lua_pushboolean, lua_rawgeti, lua_rawlen,
    lua_tointegerx, lua_tolstring, lua_touserdata, lua_type, luaL_Buffer, luaL_addvalue,
    luaL_argerror, luaL_buffinit, luaL_checkinteger, luaL_checklstring, luaL_error,
    luaL_pushresult,
};
use skynet_sys::{
    SOCKET_BUFFER_MEMORY, SOCKET_BUFFER_OBJECT, SOCKET_BUFFER_RAWPOINTER, SendBuffer,
    skynet_socket_sendbuffer, skynet_socket_sendbuffer_lowpriority, skynet_socket_udp_sendbuffer,
};

use super::context;

/// `send(id, data [, size])`: true if the socket is open. `data` is a string, a table of strings, a light userdata of
/// `size` bytes that is given away (without a size: an object of the host's), or a full userdata.
pub unsafe extern "C-unwind" fn send(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let id = luaL_checkinteger(state, 1) as c_int;
        let mut buffer = check(state, id, 2);
        let failed = skynet_socket_sendbuffer(context(state), &mut buffer);
        lua_pushboolean(state, (failed == 0).into());
    }
    1
}

/// `lsend(id, data [, size])`: [`send`] for what may wait until all else is sent.
pub unsafe extern "C-unwind" fn lsend(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let id = luaL_checkinteger(state, 1) as c_int;
        let mut buffer = check(state, id, 2);
        let failed = skynet_socket_sendbuffer_lowpriority(context(state), &mut buffer);
        lua_pushboolean(state, (failed == 0).into());
    }
    1
}

/// `udp_send(id, address, data [, size])`: sends a datagram to an address that `unpack` gave. True if the socket is open;
/// false for an address that is none.
pub unsafe extern "C-unwind" fn udp_send(state: *mut lua_State) -> c_int {
    /// An address of no kind, which the core refuses: so the data is released there in this case too.
    static NOWHERE: [u8; 1] = [0];
    // SAFETY: called by Lua; the address is an argument, and as long as its kind says.
    unsafe {
        let id = luaL_checkinteger(state, 1) as c_int;
        let mut len = 0;
        let text = luaL_checklstring(state, 2, &mut len);
        let address: *const c_char = match (*text as u8, len) {
            (1, 7..) | (2, 19..) => text,
            _ => NOWHERE.as_ptr().cast(),
        };
        let mut buffer = check(state, id, 3);
        let failed = skynet_socket_udp_sendbuffer(context(state), address, &mut buffer);
        lua_pushboolean(state, (failed == 0).into());
    }
    1
}

/// The data at `index`, with a size behind it where the form has one.
unsafe fn check(state: *mut lua_State, id: c_int, index: c_int) -> SendBuffer {
    let filled = |kind, buffer, sz| SendBuffer {
        id,
        r#type: kind,
        buffer,
        sz,
    };
    // SAFETY: called by Lua; strings stay on the stack until they are sent.
    unsafe {
        match lua_type(state, index) {
            LUA_TUSERDATA => {
                let room = lua_rawlen(state, index);
                let size = if lua_isinteger(state, index + 1) != 0 {
                    usize::try_from(lua_tointegerx(state, index + 1, ptr::null_mut()))
                        .unwrap_or(usize::MAX)
                } else {
                    room
                };
                if size > room {
                    luaL_argerror(state, index + 1, c"size out of the userdata".as_ptr());
                }
                filled(SOCKET_BUFFER_RAWPOINTER, lua_touserdata(state, index), size)
            }
            LUA_TLIGHTUSERDATA => {
                let block = lua_touserdata(state, index);
                let size = if lua_isinteger(state, index + 1) != 0 {
                    lua_tointegerx(state, index + 1, ptr::null_mut())
                } else {
                    -1
                };
                match usize::try_from(size) {
                    Ok(size) => filled(SOCKET_BUFFER_MEMORY, block, size),
                    Err(_) => filled(SOCKET_BUFFER_OBJECT, block, usize::MAX),
                }
            }
            LUA_TTABLE => {
                let (block, size) = join(state, index);
                match block.is_null() {
                    false => filled(SOCKET_BUFFER_MEMORY, block, size),
                    true => {
                        let text = lua_tolstring(state, -1, ptr::null_mut());
                        filled(SOCKET_BUFFER_RAWPOINTER, text.cast(), size)
                    }
                }
            }
            _ => {
                let mut size = 0;
                let text = luaL_checklstring(state, index, &mut size);
                filled(SOCKET_BUFFER_RAWPOINTER, text.cast(), size)
            }
        }
    }
}

/// The strings of the sequence at `index`, as one: a block, or null and a string on the stack; and the size.
unsafe fn join(state: *mut lua_State, index: c_int) -> (*mut c_void, usize) {
    // SAFETY: called by Lua.
    unsafe {
        match plain_size(state, index) {
            Some(size) => {
                let block = libc::malloc(size.max(1));
                if block.is_null() {
                    luaL_error(state, c"not enough memory".as_ptr());
                }
                copy(state, index, block.cast(), size);
                (block, size)
            }
            None => {
                let mut size = 0;
                concat(state, index);
                lua_tolstring(state, -1, &mut size);
                (ptr::null_mut(), size)
            }
        }
    }
}

/// Bytes of all strings, if the table is one that can be read twice with the same result and without an error.
unsafe fn plain_size(state: *mut lua_State, index: c_int) -> Option<usize> {
    // SAFETY: called by Lua; the values are popped again.
    unsafe {
        if lua_getmetatable(state, index) != 0 {
            lua_pop(state, 1);
            return None;
        }
        let mut size = 0;
        for n in 1.. {
            let kind = lua_rawgeti(state, index, n);
            if kind == LUA_TSTRING {
                size += lua_rawlen(state, -1);
            }
            lua_pop(state, 1);
            match kind {
                LUA_TSTRING => {}
                LUA_TNIL => break,
                _ => return None,
            }
        }
        Some(size)
    }
}

/// Copies the strings of a table of [`plain_size`] `size`. Raises nothing, so the block cannot get lost.
unsafe fn copy(state: *mut lua_State, index: c_int, to: *mut u8, size: usize) {
    // SAFETY: the block has room for the strings that have been counted; no Lua code runs in between.
    unsafe {
        let mut done = 0;
        for n in 1.. {
            if done == size {
                break;
            }
            lua_rawgeti(state, index, n);
            let mut len = 0;
            let text = lua_tolstring(state, -1, &mut len);
            to.add(done).copy_from_nonoverlapping(text.cast(), len);
            done += len;
            lua_pop(state, 1);
        }
    }
}

/// Pushes the strings and numbers of any table, as one string.
unsafe fn concat(state: *mut lua_State, index: c_int) {
    let mut string = MaybeUninit::<luaL_Buffer>::uninit();
    // SAFETY: called by Lua; between the calls for the string the stack is where it has left it.
    unsafe {
        luaL_buffinit(state, string.as_mut_ptr());
        for n in 1 as lua_Integer.. {
            if lua_geti(state, index, n) == LUA_TNIL {
                lua_pop(state, 1);
                break;
            }
            luaL_checklstring(state, -1, ptr::null_mut());
            luaL_addvalue(string.as_mut_ptr());
        }
        luaL_pushresult(string.as_mut_ptr());
    }
}
