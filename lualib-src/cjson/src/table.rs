//! Whether a table is an array or an object.

use std::ffi::{c_int, c_void};
use std::ptr;

use mlua_sys::{
    LUA_REGISTRYINDEX, LUA_TNIL, LUA_TTABLE, lua_Integer, lua_State, lua_call, lua_getmetatable,
    lua_isinteger, lua_next, lua_pushnil, lua_pushvalue, lua_rawequal, lua_rawgetp, lua_settop,
    lua_tointegerx, lua_tonumberx, luaL_getmetafield, luaL_len,
};

use crate::config::Config;
use crate::encode::refuse;
use crate::{array_key, empty_array_key};

pub enum Shape {
    /// The values from 1 to `count`, without metamethods (`raw`) or with them.
    Array {
        count: lua_Integer,
        raw: bool,
    },
    Object,
}

/// The shape of the table in `slot`, which is at the top of the stack, before and after.
///
/// # Safety
/// The stack has room for four values; nothing with a destructor is alive.
pub unsafe fn shape(state: *mut lua_State, config: &Config, slot: c_int) -> Shape {
    // SAFETY: as the caller promises.
    unsafe {
        let has_metatable = lua_getmetatable(state, slot) != 0;
        lua_settop(state, slot);
        if has_metatable {
            if has_registered(state, slot, array_key()) {
                let count = luaL_len(state, slot);
                return Shape::Array { count, raw: true };
            }
            if luaL_getmetafield(state, slot, c"__len".as_ptr()) != LUA_TNIL {
                lua_pushvalue(state, slot);
                lua_call(state, 1, 1);
                // Not a number counts as 0, a fraction does not count.
                let count = lua_tonumberx(state, -1, ptr::null_mut()) as lua_Integer;
                lua_settop(state, slot);
                return Shape::Array { count, raw: false };
            }
        }
        let raw = !has_metatable;
        match length(state, config, slot) {
            Some(0) if config.empty_table_as_object => {}
            Some(count) => return Shape::Array { count, raw },
            None => {}
        }
        if has_metatable && has_registered(state, slot, empty_array_key()) {
            let count = luaL_len(state, slot);
            return Shape::Array { count, raw: true };
        }
        Shape::Object
    }
}

/// Whether the metatable of the table in `slot`, which is at the top of the stack, is the one of this key.
unsafe fn has_registered(state: *mut lua_State, slot: c_int, key: *const c_void) -> bool {
    // SAFETY: as for `shape`.
    unsafe {
        lua_getmetatable(state, slot);
        let same = lua_rawgetp(state, LUA_REGISTRYINDEX, key) == LUA_TTABLE
            && lua_rawequal(state, -1, -2) != 0;
        lua_settop(state, slot);
        same
    }
}

/// The largest index, if all keys are positive integers. Raises an error, or has none, if they are too far from each other.
unsafe fn length(state: *mut lua_State, config: &Config, slot: c_int) -> Option<lua_Integer> {
    let (mut largest, mut items) = (0, 0);
    // SAFETY: as for `shape`.
    unsafe {
        lua_pushnil(state);
        while lua_next(state, slot) != 0 {
            let key = if lua_isinteger(state, -2) != 0 {
                lua_tointegerx(state, -2, ptr::null_mut())
            } else {
                0
            };
            if key < 1 {
                lua_settop(state, slot);
                return None;
            }
            largest = largest.max(key);
            items += 1;
            lua_settop(state, -2);
        }
        let ratio = lua_Integer::from(config.sparse_ratio);
        let dense: lua_Integer = ratio.saturating_mul(items);
        if ratio > 0 && largest > dense && largest > config.sparse_safe.into() {
            if !config.sparse_convert {
                refuse(state, LUA_TTABLE, c"excessively sparse array");
            }
            return None;
        }
    }
    Some(largest)
}
