//! Sending: `send`, `redirect`, `genid`.

use std::ptr;

use libc::{c_char, c_int, c_void};
use mlua_sys::{
    LUA_TLIGHTUSERDATA, LUA_TNUMBER, LUA_TSTRING, lua_State, lua_isnil, lua_pushboolean,
    lua_pushinteger, lua_tointegerx, lua_tolstring, lua_touserdata, lua_type, lua_typename,
    luaL_checkinteger, luaL_error,
};
use skynet_sys::{PTYPE_TAG_ALLOCSESSION, PTYPE_TAG_DONTCOPY, skynet_send, skynet_sendname};

use super::context;

/// `send(address, type, session|nil, message [, size])`: the session, false when the message is too large, nothing when
/// there is no such service. A nil session asks for a new one. A light userdata is given away.
pub unsafe extern "C-unwind" fn send(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { deliver(state, 0, 2) }
}

/// `redirect(address, source, type, session|nil, message [, size])`: `send` in the name of `source`.
pub unsafe extern "C-unwind" fn redirect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let source = luaL_checkinteger(state, 2) as u32;
        deliver(state, source, 3)
    }
}

/// `genid()`: a new session.
pub unsafe extern "C-unwind" fn genid(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; no message is sent.
    unsafe {
        let none = ptr::null_mut();
        let session = skynet_send(context(state), 0, 0, PTYPE_TAG_ALLOCSESSION, 0, none, 0);
        lua_pushinteger(state, session.into());
    }
    1
}

enum Destination {
    Handle(u32),
    Name(*const c_char),
}

/// `first` is the index of the type; session and message follow it.
unsafe fn deliver(state: *mut lua_State, source: u32, first: c_int) -> c_int {
    // SAFETY: called by Lua; pointers into strings live as long as the strings are arguments. Nothing here has a
    // destructor.
    unsafe {
        let destination = match lua_tointegerx(state, 1, ptr::null_mut()) as u32 {
            0 if lua_type(state, 1) == LUA_TNUMBER => {
                return luaL_error(state, c"Invalid service address 0".as_ptr());
            }
            0 => {
                let name = lua_tolstring(state, 1, ptr::null_mut());
                if name.is_null() {
                    return luaL_error(
                        state,
                        c"dest address type (%s) must be a string or number.".as_ptr(),
                        lua_typename(state, lua_type(state, 1)),
                    );
                }
                Destination::Name(name)
            }
            handle => Destination::Handle(handle),
        };
        let mut ty = luaL_checkinteger(state, first) as c_int;
        let mut session = 0;
        if lua_isnil(state, first + 1) != 0 {
            ty |= PTYPE_TAG_ALLOCSESSION;
        } else {
            session = luaL_checkinteger(state, first + 1) as c_int;
        }
        let mut size = 0;
        let message: *mut c_void = match lua_type(state, first + 2) {
            LUA_TSTRING => {
                let text = lua_tolstring(state, first + 2, &mut size);
                if size == 0 {
                    ptr::null_mut()
                } else {
                    text.cast_mut().cast()
                }
            }
            LUA_TLIGHTUSERDATA => {
                // C's int on purpose: a negative size becomes one that the core refuses.
                size = luaL_checkinteger(state, first + 3) as c_int as usize;
                ty |= PTYPE_TAG_DONTCOPY;
                lua_touserdata(state, first + 2)
            }
            other => {
                let name = lua_typename(state, other);
                return luaL_error(state, c"invalid param %s".as_ptr(), name);
            }
        };
        let context = context(state);
        let sent = match destination {
            Destination::Handle(handle) => {
                skynet_send(context, source, handle, ty, session, message, size)
            }
            Destination::Name(name) => {
                skynet_sendname(context, source, name, ty, session, message, size)
            }
        };
        match sent {
            -2 => lua_pushboolean(state, 0),
            ..0 => return 0,
            _ => lua_pushinteger(state, sent.into()),
        }
    }
    1
}
