//! Functions that are called during the match.

use libc::c_int;
use mlua_sys::{LUA_MULTRET, LUA_TBOOLEAN, lua_Integer};
use skynet_support::State;

use super::values::Values;
use super::{Capture, List};
use crate::api::{SUBJECT, Slots};
use crate::tree::{CaptureKind, Key};

/// The most values that match-time functions can have produced at a time.
const MAX_VALUES: c_int = i16::MAX as c_int;

/// Ends the innermost capture at `position` of the subject and calls its function, with the subject, the
/// position and the values of the nested captures. Returns where the match goes on, or nothing if the function says no.
/// The slots are those of the match, and the runtime values on top of the stack. May raise an error.
pub fn call_function(
    state: State<'_>,
    list: &mut List,
    slots: Slots,
    subject: &[u8],
    position: u32,
) -> Option<u32> {
    let group = list.open;
    list.close(position);
    state.reserve_for(4, c"too many runtime captures");
    let top = state.top();
    let mut values = Values::new(state, list, slots, subject);
    values.at = group;
    values.push_key(values.entry(group).key);
    state.push_copy(SUBJECT);
    state.push_integer(lua_Integer::from(position) + 1);
    values.shield();
    let count = values.push_nested(false);
    state.call(count + 2, LUA_MULTRET);

    // The function has had the runtime values of nested captures: they are no longer of use.
    let used = list.forget_runtime(group) as c_int;
    let first = top - used + 1;
    if used > 0 {
        state.rotate(first, -used);
        state.pop(used);
    }
    let Some(position) = result(state, first, position, subject.len() as u32) else {
        state.set_top(first - 1);
        return None;
    };
    state.remove(first);
    keep(state, list, slots, group, position, first);
    Some(position)
}

/// What the result at `place` of Lua's stack says: true to go on, a number to go on from there, else a failure.
fn result(state: State<'_>, place: c_int, now: u32, length: u32) -> Option<u32> {
    if !state.to_boolean(place) {
        return None;
    }
    if state.kind(place) == LUA_TBOOLEAN {
        return Some(now);
    }
    let position = u32::try_from(state.to_integer(place).wrapping_sub(1));
    match position {
        Ok(position) if (now..=length).contains(&position) => Some(position),
        _ => state.error(c"invalid position returned by match-time capture"),
    }
}

/// Makes the values from `first` to the top of the stack the captures of the group, or removes it if there are none.
fn keep(state: State<'_>, list: &mut List, slots: Slots, group: u32, position: u32, first: c_int) {
    let count = state.top() - first + 1;
    list.count = group;
    if count == 0 {
        return;
    }
    if first + count >= MAX_VALUES {
        state.error(c"too many results in match-time capture");
    }
    list.count += 1;
    list.grow(state, slots, count as usize + 1);
    if let Some(entry) = list.entry_mut(group) {
        entry.key = 0;
        entry.end = position;
    }
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
        list.add(value);
    }
}
