//! Sending: `send`, `request`, `redirect`, `genid`.

use std::ptr;

use libc::{c_char, c_int, c_void};
use mlua_sys::{
    LUA_TLIGHTUSERDATA, LUA_TNUMBER, LUA_TSTRING, lua_State, lua_concat, lua_error, lua_isnil,
    lua_isyieldable, lua_pop, lua_pushboolean, lua_pushinteger, lua_pushstring, lua_pushthread,
    lua_tointegerx, lua_tolstring, lua_touserdata, lua_type, lua_typename, luaL_checkinteger,
    luaL_error, luaL_where,
};
use skynet_sys::{PTYPE_TAG_ALLOCSESSION, PTYPE_TAG_DONTCOPY, skynet_send, skynet_sendname};

use super::context;

/// `send(address, type, session|nil, message [, size])`: the session, false when the message is too large, nothing when
/// there is no such service. A nil session asks for a new one. A light userdata is given away.
pub unsafe extern "C-unwind" fn send(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { deliver(state, 0, 2, Some(3), 4) }
}

/// `request(address, type, message [, size])`: `send` with a new session, for a caller that will park until the answer
/// comes. Raises where it could not park, before anything is sent: the answer would find the task that waits next.
pub unsafe extern "C-unwind" fn request(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        if lua_isyieldable(state) == 0 {
            return refuse(state);
        }
        deliver(state, 0, 2, None, 3)
    }
}

#[cold]
unsafe fn refuse(state: *mut lua_State) -> c_int {
    // SAFETY: called by `request`; the message is given away, so it is freed nowhere else.
    unsafe {
        if lua_type(state, 3) == LUA_TLIGHTUSERDATA {
            libc::free(lua_touserdata(state, 3));
        }
        // The function of the layer is at level 1, who has called it at 2.
        luaL_where(state, 2);
        let is_main = lua_pushthread(state) != 0;
        lua_pop(state, 1);
        let text = if is_main {
            c"attempt to yield from outside a coroutine\n\t(what waits cannot be called outside of a task)"
        } else {
            c"attempt to yield across a C-call boundary\n\t(what waits cannot be called inside of a function that C calls)"
        };
        lua_pushstring(state, text.as_ptr());
        lua_concat(state, 2);
        lua_error(state)
    }
}

/// `redirect(address, source, type, session|nil, message [, size])`: `send` in the name of `source`.
pub unsafe extern "C-unwind" fn redirect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let source = luaL_checkinteger(state, 2) as u32;
        deliver(state, source, 3, Some(4), 5)
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

/// The session at `arg`; none: a new one is asked for.
unsafe fn session(state: *mut lua_State, arg: c_int) -> Option<c_int> {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe { (lua_isnil(state, arg) == 0).then(|| luaL_checkinteger(state, arg) as c_int) }
}

/// `kind`, `session` (none: a new one) and `message` are indices. The address is the first that is looked at: the error of
/// a call without one names it.
unsafe fn deliver(
    state: *mut lua_State,
    source: u32,
    kind: c_int,
    session: Option<c_int>,
    message: c_int,
) -> c_int {
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
        let mut ty = luaL_checkinteger(state, kind) as c_int;
        let session = session.and_then(|index| self::session(state, index));
        if session.is_none() {
            ty |= PTYPE_TAG_ALLOCSESSION;
        }
        let session = session.unwrap_or(0);
        let mut size = 0;
        let message: *mut c_void = match lua_type(state, message) {
            LUA_TSTRING => {
                let text = lua_tolstring(state, message, &mut size);
                if size == 0 {
                    ptr::null_mut()
                } else {
                    text.cast_mut().cast()
                }
            }
            LUA_TLIGHTUSERDATA => {
                // C's int on purpose: a negative size becomes one that the core refuses.
                size = luaL_checkinteger(state, message + 1) as c_int as usize;
                ty |= PTYPE_TAG_DONTCOPY;
                lua_touserdata(state, message)
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
