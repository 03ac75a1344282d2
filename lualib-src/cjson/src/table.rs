//! Whether a table is an array or an object.

use std::ffi::{c_int, c_void};

use mlua_sys::{LUA_REGISTRYINDEX, LUA_TNIL, LUA_TTABLE, lua_Integer};
use skynet_support::State;

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
/// The stack has room for four values.
pub fn shape(state: State<'_>, config: &Config, slot: c_int) -> Shape {
    let has_metatable = state.get_metatable(slot);
    state.set_top(slot);
    if has_metatable {
        if has_registered(state, slot, array_key()) {
            let count = state.len(slot);
            return Shape::Array { count, raw: true };
        }
        if state.get_metafield(slot, c"__len") != LUA_TNIL {
            state.push_copy(slot);
            state.call(1, 1);
            // Not a number counts as 0, a fraction does not count.
            let count = state.to_number(-1) as lua_Integer;
            state.set_top(slot);
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
        let count = state.len(slot);
        return Shape::Array { count, raw: true };
    }
    Shape::Object
}

/// Whether the metatable of the table in `slot`, which is at the top of the stack, is the one of this key.
fn has_registered(state: State<'_>, slot: c_int, key: *const c_void) -> bool {
    state.get_metatable(slot);
    let same = state.raw_get_p(LUA_REGISTRYINDEX, key) == LUA_TTABLE && state.raw_equal(-1, -2);
    state.set_top(slot);
    same
}

/// The largest index, if all keys are positive integers. Raises an error, or has none, if they are too far from each other.
fn length(state: State<'_>, config: &Config, slot: c_int) -> Option<lua_Integer> {
    let (mut largest, mut items) = (0, 0);
    state.push_nil();
    while state.next(slot) {
        let key = if state.is_integer(-2) {
            state.to_integer(-2)
        } else {
            0
        };
        if key < 1 {
            state.set_top(slot);
            return None;
        }
        largest = largest.max(key);
        items += 1;
        state.pop(1);
    }
    let ratio = lua_Integer::from(config.sparse_ratio);
    let dense: lua_Integer = ratio.saturating_mul(items);
    if ratio > 0 && largest > dense && largest > config.sparse_safe.into() {
        if !config.sparse_convert {
            refuse(state, LUA_TTABLE, c"excessively sparse array");
        }
        return None;
    }

    Some(largest)
}
