//! Functions that are called during the match.

use libc::c_int;
use mlua_sys::{
    LUA_MULTRET, lua_Integer, lua_State, lua_call, lua_gettop, lua_isboolean, lua_pushinteger,
    lua_pushvalue, lua_remove, lua_rotate, lua_settop, lua_toboolean, lua_tointeger,
    luaL_checkstack, luaL_error,
};

use super::values::Values;
use super::{Capture, List};
use crate::api::{SUBJECT, Slots};
use crate::tree::{CaptureKind, Key};

/// The most values that match-time functions can have produced at a time.
const MAX_VALUES: c_int = i16::MAX as c_int;

/// Ends the innermost capture at `position` of a subject of `length` bytes and calls its function, with the subject, the
/// position and the values of the nested captures. Returns where the match goes on, or nothing if the function says no.
///
/// # Safety
/// Called within a match with its slots, with the runtime values on top of the stack. May raise an error.
pub unsafe fn call_function(
    state: *mut lua_State,
    list: &mut List,
    slots: Slots,
    (subject, length): (*const u8, u32),
    position: u32,
) -> Option<u32> {
    // SAFETY: as the caller promises; nothing here has a destructor.
    unsafe {
        let group = list.open;
        list.close(position);
        luaL_checkstack(state, 4, c"too many runtime captures".as_ptr());
        let top = lua_gettop(state);
        let mut values = Values::new(state, list, slots, subject);
        values.at = group;
        values.push_key(values.entry(group).key);
        lua_pushvalue(state, SUBJECT);
        lua_pushinteger(state, lua_Integer::from(position) + 1);
        values.shield();
        let count = values.push_nested(false);
        lua_call(state, count + 2, LUA_MULTRET);

        // The function has had the runtime values of nested captures: they are no longer of use.
        let used = list.forget_runtime(group) as c_int;
        let first = top - used + 1;
        if used > 0 {
            lua_rotate(state, first, -used);
            lua_settop(state, -1 - used);
        }
        let Some(position) = result(state, first, position, length) else {
            lua_settop(state, first - 1);
            return None;
        };
        lua_remove(state, first);
        keep(state, list, slots, group, position, first);
        Some(position)
    }
}

/// What the result at `place` of Lua's stack says: true to go on, a number to go on from there, else a failure.
unsafe fn result(state: *mut lua_State, place: c_int, now: u32, length: u32) -> Option<u32> {
    // SAFETY: as for `call_function`.
    unsafe {
        if lua_toboolean(state, place) == 0 {
            return None;
        }
        if lua_isboolean(state, place) != 0 {
            return Some(now);
        }
        let position = u32::try_from(lua_tointeger(state, place).wrapping_sub(1));
        match position {
            Ok(position) if (now..=length).contains(&position) => Some(position),
            _ => {
                let text = c"invalid position returned by match-time capture".as_ptr();
                luaL_error(state, text);
                None
            }
        }
    }
}

/// Makes the values from `first` to the top of the stack the captures of the group, or removes it if there are none.
unsafe fn keep(
    state: *mut lua_State,
    list: &mut List,
    slots: Slots,
    group: u32,
    position: u32,
    first: c_int,
) {
    // SAFETY: as for `call_function`.
    unsafe {
        let count = lua_gettop(state) - first + 1;
        list.count = group;
        if count == 0 {
            return;
        }
        if first + count >= MAX_VALUES {
            luaL_error(state, c"too many results in match-time capture".as_ptr());
        }
        list.count += 1;
        list.grow(state, slots, count as usize + 1);
        let entry = list.at(group);
        (*entry).key = 0;
        (*entry).end = position;
        for _ in 0..count {
            list.runtime_count += 1;
            let value = Capture {
                start: position,
                end: list.last_runtime,
                parent: group,
                key: list.runtime_count as Key,
                kind: CaptureKind::Runtime,
            };
            list.last_runtime = list.count;
            list.entries.add(list.count as usize).write(value);
            list.count += 1;
        }
    }
}
