//! Lines for the error log: `error`, `trace`.

use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_char, c_int};
use mlua_sys::{
    lua_Debug, lua_State, lua_concat, lua_getinfo, lua_getstack, lua_gettop, lua_isnoneornil,
    lua_isthread, lua_pushlstring, lua_pushstring, lua_settop, lua_tolstring, lua_tothread,
    luaL_checklstring, luaL_checkstack, luaL_optinteger, luaL_tolstring,
};
use skynet_sys::skynet_error;

use super::{context, monotonic};

/// `error(...)`: logs the arguments as `tostring` gives them, with a space between two.
pub unsafe extern "C-unwind" fn error(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text is on the stack while it is logged.
    unsafe {
        let count = lua_gettop(state).max(1);
        lua_settop(state, count);
        if count > 1 {
            luaL_checkstack(state, 2 * count + 1, ptr::null());
        }
        for index in 1..=count {
            if index > 1 {
                lua_pushlstring(state, c" ".as_ptr(), 1);
            }
            luaL_tolstring(state, index, ptr::null_mut());
        }
        lua_concat(state, 2 * count - 1);
        let mut len = 0;
        let text = lua_tolstring(state, -1, &mut len);
        let len = c_int::try_from(len).unwrap_or(c_int::MAX);
        skynet_error(context(state), c"%*s".as_ptr(), len, text);
    }
    0
}

/// Places in the program that a trace names, at most.
const PLACES: usize = 3;

/// `trace(tag, text [, [coroutine,] level])`: logs the time, and with a level the lines that are running there.
pub unsafe extern "C-unwind" fn trace(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; all strings are on the stack until they are logged. Nothing has a destructor.
    unsafe {
        let tag = luaL_checklstring(state, 1, ptr::null_mut());
        let text = luaL_checklstring(state, 2, ptr::null_mut());
        let top = lua_gettop(state);
        lua_settop(state, top.max(4));
        let begin = lua_gettop(state);
        if lua_isnoneornil(state, 3) == 0 {
            let (thread, level) = if lua_isthread(state, 3) != 0 {
                (lua_tothread(state, 3), luaL_optinteger(state, 4, 1))
            } else {
                (state, luaL_optinteger(state, 3, 1))
            };
            places(state, thread, level as c_int);
        }
        let count = lua_gettop(state) - begin;
        let mut list: *const c_char = c"".as_ptr();
        if count > 0 {
            lua_concat(state, count);
            list = lua_tolstring(state, -1, ptr::null_mut());
        }
        skynet_error(
            context(state),
            c"<TRACE %s> %lld %s%s".as_ptr(),
            tag,
            monotonic(),
            text,
            list,
        );
    }
    0
}

/// Pushes the parts of ` : source:line source:line source:line`; C functions are passed over.
unsafe fn places(state: *mut lua_State, thread: *mut lua_State, level: c_int) {
    let mut found = 0;
    let mut level = level;
    // SAFETY: `thread` is a coroutine on the stack; the stack has room for 4 * PLACES more values (LUA_MINSTACK).
    unsafe {
        while found < PLACES {
            let mut info = MaybeUninit::<lua_Debug>::zeroed();
            if lua_getstack(thread, level, info.as_mut_ptr()) == 0 {
                break;
            }
            lua_getinfo(thread, c"Sl".as_ptr(), info.as_mut_ptr());
            level = level.saturating_add(1);
            let info = info.assume_init();
            if info.currentline < 0 {
                continue;
            }
            let separator = if found == 0 { c" : " } else { c" " };
            lua_pushstring(state, separator.as_ptr());
            lua_pushstring(state, info.source);
            lua_pushstring(state, c":".as_ptr());
            mlua_sys::lua_pushinteger(state, info.currentline.into());
            found += 1;
        }
    }
}
