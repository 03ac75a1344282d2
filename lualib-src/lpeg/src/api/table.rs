//! The Lua values that a pattern refers to: a sequence in a table, its first user value. A pattern without values has no
//! table, and patterns with the same values share one, so a table does not change once its pattern is complete.

use libc::{c_char, c_int};
use mlua_sys::{
    lua_Integer, lua_State, lua_absindex, lua_createtable, lua_getiuservalue, lua_isnil,
    lua_istable, lua_pop, lua_pushfstring, lua_pushvalue, lua_rawequal, lua_rawgeti, lua_rawlen,
    lua_rawseti, lua_setiuservalue, lua_tostring, luaL_error, luaL_typename,
};

use crate::tree::Key;

/// The user value with the table.
pub(super) const VALUES: c_int = 1;

/// The most values that a pattern can have.
const MOST: usize = Key::MAX as usize;

unsafe fn length(state: *mut lua_State, index: c_int) -> usize {
    // SAFETY: called with a valid index.
    unsafe {
        if lua_istable(state, index) != 0 {
            lua_rawlen(state, index)
        } else {
            0
        }
    }
}

unsafe fn check_count(state: *mut lua_State, count: usize) {
    if count > MOST {
        // SAFETY: nothing with a destructor is alive.
        unsafe { luaL_error(state, c"too many Lua values in pattern".as_ptr()) };
    }
}

/// Appends the values of the table at `from` to the one at `to`; returns how many there were before.
pub(super) unsafe fn append(state: *mut lua_State, from: c_int, to: c_int) -> Key {
    // SAFETY: both are tables, or the first is nil.
    unsafe {
        let (from, to) = (lua_absindex(state, from), lua_absindex(state, to));
        let (count, before) = (length(state, from), length(state, to));
        check_count(state, count + before);
        for i in 1..=count as lua_Integer {
            lua_rawgeti(state, from, i);
            lua_rawseti(state, to, before as lua_Integer + i);
        }
        before as Key
    }
}

/// Appends the value at `index` to the table at `to`; returns its key.
pub(super) unsafe fn add(state: *mut lua_State, index: c_int, to: c_int) -> Key {
    // SAFETY: there is a table at `to`.
    unsafe {
        if lua_isnil(state, index) != 0 {
            return 0;
        }
        let (index, to) = (lua_absindex(state, index), lua_absindex(state, to));
        let count = lua_rawlen(state, to) + 1;
        check_count(state, count);
        lua_pushvalue(state, index);
        lua_rawseti(state, to, count as lua_Integer);
        count as Key
    }
}

/// Gives the pattern on top of the stack the values of the one at `index`.
pub(super) unsafe fn share(state: *mut lua_State, index: c_int) {
    // SAFETY: both are patterns.
    unsafe {
        lua_getiuservalue(state, index, VALUES);
        lua_setiuservalue(state, -2, VALUES);
    }
}

/// Gives the pattern on top of the stack the values of those at `a` and `b`; returns what to add to the keys of `b`.
pub(super) unsafe fn join(state: *mut lua_State, a: c_int, b: c_int) -> Key {
    // SAFETY: all three are patterns.
    unsafe {
        lua_getiuservalue(state, a, VALUES);
        lua_getiuservalue(state, b, VALUES);
        let (first, second) = (length(state, -2), length(state, -1));
        if second == 0 || lua_rawequal(state, -1, -2) != 0 {
            lua_pop(state, 2);
            share(state, a);
            return 0;
        }
        if first == 0 {
            lua_pop(state, 2);
            share(state, b);
            return 0;
        }
        check_count(state, first + second);
        lua_createtable(state, (first + second) as c_int, 0);
        append(state, -3, -1);
        let before = append(state, -2, -1);
        lua_setiuservalue(state, -4, VALUES);
        lua_pop(state, 2);
        before
    }
}

/// Gives the pattern on top of the stack the values of the one at `pattern` (if that is not 0), and the one at `index`,
/// whose key is returned.
pub(super) unsafe fn extend(state: *mut lua_State, pattern: c_int, index: c_int) -> Key {
    // SAFETY: these are patterns; the value is an argument.
    unsafe {
        lua_createtable(state, 1, 0);
        if pattern != 0 {
            lua_getiuservalue(state, pattern, VALUES);
            append(state, -1, -2);
            lua_pop(state, 1);
        }
        let key = add(state, index, -1);
        lua_setiuservalue(state, -2, VALUES);
        key
    }
}

/// How the value at `index` is called in messages. Pushes the text.
pub(super) unsafe fn name_of(state: *mut lua_State, index: c_int) -> *const c_char {
    // SAFETY: called with a valid index; what a number is turned into is a copy on the stack.
    unsafe {
        let index = lua_absindex(state, index);
        lua_pushvalue(state, index);
        let text = lua_tostring(state, -1);
        if text.is_null() {
            lua_pushfstring(state, c"(a %s)".as_ptr(), luaL_typename(state, index))
        } else {
            text
        }
    }
}
