//! `match` and `type`.

use std::mem::MaybeUninit;

use libc::c_int;
use mlua_sys::lua_Integer;
use skynet_support::State;

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
pub(super) fn run(state: State<'_>) -> c_int {
    let pattern = to_pattern(state, 1);
    let program = pattern.program(state, 1);
    let subject = state.check_bytes(SUBJECT);
    let length = subject.len();
    let init = state.opt_integer(3, 1);
    // The highest numbers have a meaning of their own.
    if length >= u32::MAX as usize {
        state.argument_error(SUBJECT, c"subject too long");
    }
    let start = start(init, length as u32);
    let slots = Slots {
        arguments: state.top(),
    };
    state.reserve_for(2 * Slots::COUNT, c"too many arguments");
    for _ in 1..Slots::COUNT {
        state.push_nil();
    }
    state.get_user_value(1, VALUES);

    let mut memory = [const { MaybeUninit::<Capture>::uninit() }; INLINE_CAPTURES];
    // SAFETY: there is memory for so many captures.
    let mut list = unsafe { List::new(memory.as_mut_ptr().cast(), INLINE_CAPTURES, start) };
    // SAFETY: the position and the length were looked at; the slots are those of this call, and above them the stack is empty.
    let end = unsafe { vm::run(state, program, subject, start, &mut list, slots) };
    if let Some(end) = end {
        return push_all(state, &list, slots, subject, end);
    }
    state.push_nil();
    1
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
pub(super) fn kind(state: State<'_>) -> c_int {
    match Pattern::test(state, 1) {
        Some(_) => state.push_text(c"pattern"),
        None => state.push_nil(),
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
