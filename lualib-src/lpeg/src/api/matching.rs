//! `match` and `type`.

use std::mem::MaybeUninit;

use libc::c_int;
use mlua_sys::{
    lua_Integer, lua_State, lua_getiuservalue, lua_gettop, lua_pushnil, lua_pushstring,
    luaL_argerror, luaL_checklstring, luaL_checkstack, luaL_optinteger,
};

use super::convert::to_pattern;
use super::pattern::Pattern;
use super::table::VALUES;
use super::{SUBJECT, Slots};
use crate::captures::{Capture, List, push_all};
use crate::vm;

/// How many captures are kept on the thread's stack before Lua is asked for memory.
const INLINE_CAPTURES: usize = 32;

/// `match(patt, subject [, init, ...])`: matches the pattern at position `init` of the subject. Returns the captured values, or
/// the position after the match if there are none; nil without a match.
pub(super) unsafe extern "C-unwind" fn run(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; pattern and subject stay on the stack.
    unsafe {
        let pattern = to_pattern(state, 1);
        let program = pattern.program(state, 1);
        let mut length = 0;
        let subject = luaL_checklstring(state, SUBJECT, &mut length).cast::<u8>();
        let init = luaL_optinteger(state, 3, 1);
        // The highest numbers have a meaning of their own.
        if length >= u32::MAX as usize {
            luaL_argerror(state, SUBJECT, c"subject too long".as_ptr());
        }
        let start = start(init, length as u32);
        let slots = Slots {
            arguments: lua_gettop(state),
        };
        luaL_checkstack(state, 2 * Slots::COUNT, c"too many arguments".as_ptr());
        for _ in 1..Slots::COUNT {
            lua_pushnil(state);
        }
        lua_getiuservalue(state, 1, VALUES);

        let mut memory = [const { MaybeUninit::<Capture>::uninit() }; INLINE_CAPTURES];
        let mut list = List::new(memory.as_mut_ptr().cast(), INLINE_CAPTURES, start);
        let whole = (subject, length as u32);
        match vm::run(state, program, whole, start, &mut list, slots) {
            Some(end) => push_all(state, &list, slots, subject, end),
            None => {
                lua_pushnil(state);
                1
            }
        }
    }
}

/// The position from 0 that `init` means: from 1, or from the end if it is not positive.
fn start(init: lua_Integer, length: u32) -> u32 {
    let length = lua_Integer::from(length);
    let start = match init {
        1.. => init - 1,
        _ => init.saturating_add(length),
    };
    start.clamp(0, length) as u32
}

/// `type(value)`: "pattern" for patterns, nil for everything else.
pub(super) unsafe extern "C-unwind" fn kind(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        match Pattern::test(state, 1) {
            Some(_) => {
                lua_pushstring(state, c"pattern".as_ptr());
            }
            None => lua_pushnil(state),
        }
    }
    1
}

#[cfg(test)]
mod tests {
    use super::start;

    #[test]
    fn positions_outside_of_the_subject_are_its_ends() {
        assert_eq!([1, 3, 4, 9].map(|init| start(init, 3)), [0, 2, 3, 3]);
        assert_eq!([0, -1, -3, -9].map(|init| start(init, 3)), [3, 2, 0, 0]);
        assert_eq!(start(i64::MIN, 3), 0);
        assert_eq!(start(i64::MAX, 3), 3);
    }
}
