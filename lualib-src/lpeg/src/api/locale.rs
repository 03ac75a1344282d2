//! `locale`.

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{
    LUA_TTABLE, lua_State, lua_createtable, lua_isnoneornil, lua_setfield, lua_settop,
    luaL_checktype,
};

use super::convert::charset;
use crate::charset::CharSet;

type Class = unsafe extern "C" fn(c_int) -> c_int;

/// The classes of "ctype.h".
const CLASSES: &[(&CStr, Class)] = &[
    (c"alnum", libc::isalnum),
    (c"alpha", libc::isalpha),
    (c"cntrl", libc::iscntrl),
    (c"digit", libc::isdigit),
    (c"graph", libc::isgraph),
    (c"lower", libc::islower),
    (c"print", libc::isprint),
    (c"punct", libc::ispunct),
    (c"space", libc::isspace),
    (c"upper", libc::isupper),
    (c"xdigit", libc::isxdigit),
];

/// `locale([table])`: sets a pattern for each class of characters, as the process's locale has them, in the table or in a
/// new one; returns it.
pub(super) unsafe extern "C-unwind" fn locale(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the functions of the C library take any byte.
    unsafe {
        if lua_isnoneornil(state, 1) != 0 {
            lua_settop(state, 0);
            lua_createtable(state, 0, CLASSES.len() as c_int);
        } else {
            luaL_checktype(state, 1, LUA_TTABLE);
            lua_settop(state, 1);
        }
        for &(name, class) in CLASSES {
            charset(state, CharSet::of(|byte| class(byte.into()) != 0));
            lua_setfield(state, 1, name.as_ptr());
        }
    }
    1
}
