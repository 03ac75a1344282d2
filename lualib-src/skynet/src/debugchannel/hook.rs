//! `sethook`: debug hooks that can suspend the task that they watch.

use std::ffi::CStr;

use libc::{c_char, c_int, c_void};
use mlua_sys::{
    LUA_MASKCALL, LUA_MASKCOUNT, LUA_MASKLINE, LUA_MASKRET, LUA_REGISTRYINDEX, LUA_TFUNCTION,
    LUA_TNIL, LUA_TTHREAD, lua_Debug, lua_State, lua_call, lua_checkstack, lua_createtable,
    lua_isnoneornil, lua_pop, lua_pushinteger, lua_pushnil, lua_pushstring, lua_pushthread,
    lua_pushvalue, lua_rawget, lua_rawgetp, lua_rawset, lua_rawsetp, lua_setfield, lua_sethook,
    lua_setmetatable, lua_toboolean, lua_tothread, lua_type, lua_xmove, lua_yield,
    luaL_checklstring, luaL_checktype, luaL_error, luaL_optinteger,
};

/// Its address is the key, in the registry, of the table of hook functions by thread.
static FUNCTIONS: u8 = 0;

fn key() -> *const c_void {
    (&raw const FUNCTIONS).cast()
}

/// Pushes the table of hook functions. It does not keep threads alive.
unsafe fn push_functions(state: *mut lua_State) {
    // SAFETY: called by a function of Lua with room for a few values.
    unsafe {
        if lua_rawgetp(state, LUA_REGISTRYINDEX, key()) != LUA_TNIL {
            return;
        }
        lua_pop(state, 1);
        lua_createtable(state, 0, 1);
        lua_pushstring(state, c"k".as_ptr());
        lua_setfield(state, -2, c"__mode".as_ptr());
        lua_pushvalue(state, -1);
        lua_setmetatable(state, -2); // its own metatable
        lua_pushvalue(state, -1);
        lua_rawsetp(state, LUA_REGISTRYINDEX, key());
    }
}

/// Names of events, as `debug.sethook` has them, by LUA_HOOKCALL and so on.
const EVENTS: [&CStr; 5] = [c"call", c"return", c"line", c"count", c"tail call"];

/// The hook of all threads: calls the function of this one, and yields if that returns true.
unsafe extern "C-unwind" fn on_event(state: *mut lua_State, event: *mut lua_Debug) {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        lua_rawgetp(state, LUA_REGISTRYINDEX, key());
        lua_pushthread(state);
        if lua_rawget(state, -2) != LUA_TFUNCTION {
            lua_pop(state, 2);
            return;
        }
        let name = EVENTS.get((*event).event as usize).copied();
        lua_pushstring(state, name.unwrap_or(c"?").as_ptr());
        if (*event).currentline >= 0 {
            lua_pushinteger(state, (*event).currentline.into());
        } else {
            lua_pushnil(state);
        }
        lua_call(state, 2, 1);
        let suspend = lua_toboolean(state, -1) != 0;
        lua_pop(state, 2);
        if suspend {
            lua_yield(state, 0);
        }
    }
}

unsafe fn events(text: *const c_char, count: c_int) -> c_int {
    // SAFETY: a C string.
    let letters = unsafe { CStr::from_ptr(text) }.to_bytes();
    let on = |letter, mask| if letters.contains(&letter) { mask } else { 0 };
    let counted = if count > 0 { LUA_MASKCOUNT } else { 0 };
    on(b'c', LUA_MASKCALL) | on(b'r', LUA_MASKRET) | on(b'l', LUA_MASKLINE) | counted
}

/// `sethook([thread,] function, mask [, count])`: as `debug.sethook`, and a hook that returns true suspends the thread.
/// Without a function the thread has no hook any more.
pub(super) unsafe extern "C-unwind" fn sethook(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let (thread, arg) = if lua_type(state, 1) == LUA_TTHREAD {
            (lua_tothread(state, 1), 2)
        } else {
            (state, 1)
        };
        let (mut mask, mut count) = (0, 0);
        if lua_isnoneornil(state, arg) == 0 {
            let text = luaL_checklstring(state, arg + 1, std::ptr::null_mut());
            luaL_checktype(state, arg, LUA_TFUNCTION);
            count = luaL_optinteger(state, arg + 2, 0) as c_int;
            mask = events(text, count);
        }
        push_functions(state);
        // An error must be one of the caller, who has protected itself.
        if lua_checkstack(thread, 1) == 0 {
            return luaL_error(state, c"stack overflow".as_ptr());
        }
        lua_pushthread(thread);
        lua_xmove(thread, state, 1);
        if mask == 0 {
            lua_pushnil(state);
        } else {
            lua_pushvalue(state, arg);
        }
        lua_rawset(state, -3);
        lua_sethook(thread, (mask != 0).then_some(on_event as _), mask, count);
    }
    0
}
