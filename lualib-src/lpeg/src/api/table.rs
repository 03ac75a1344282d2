//! The Lua values that a pattern refers to: a sequence in a table, its first user value. A pattern without values has no
//! table, and patterns with the same values share one, so a table does not change once its pattern is complete.

use libc::c_int;
use mlua_sys::lua_Integer;
use skynet_support::State;
use skynet_support::state::Shown;

use crate::tree::Key;

/// The user value with the table.
pub(super) const VALUES: c_int = 1;

/// The most values that a pattern can have.
const MOST: usize = Key::MAX as usize;

fn length(state: State<'_>, index: c_int) -> usize {
    if state.is_table(index) {
        state.raw_len(index)
    } else {
        0
    }
}

fn check_count(state: State<'_>, count: usize) {
    if count > MOST {
        state.error(c"too many Lua values in pattern");
    }
}

/// Appends the values of the table at `from` to the one at `to`; returns how many there were before.
pub(super) fn append(state: State<'_>, from: c_int, to: c_int) -> Key {
    let (from, to) = (state.absolute(from), state.absolute(to));
    let (count, before) = (length(state, from), length(state, to));
    check_count(state, count + before);
    for i in 1..=count as lua_Integer {
        state.raw_get_i(from, i);
        state.raw_set_i(to, before as lua_Integer + i);
    }
    before as Key
}

/// Appends the value at `index` to the table at `to`; returns its key.
pub(super) fn add(state: State<'_>, index: c_int, to: c_int) -> Key {
    if state.is_nil(index) {
        return 0;
    }
    let (index, to) = (state.absolute(index), state.absolute(to));
    let count = state.raw_len(to) + 1;
    check_count(state, count);
    state.push_copy(index);
    state.raw_set_i(to, count as lua_Integer);
    count as Key
}

/// Gives the pattern on top of the stack the values of the one at `index`.
pub(super) fn share(state: State<'_>, index: c_int) {
    state.get_user_value(index, VALUES);
    state.set_user_value(-2, VALUES);
}

/// Gives the pattern on top of the stack the values of those at `a` and `b`; returns what to add to the keys of `b`.
pub(super) fn join(state: State<'_>, a: c_int, b: c_int) -> Key {
    state.get_user_value(a, VALUES);
    state.get_user_value(b, VALUES);
    let (first, second) = (length(state, -2), length(state, -1));
    if second == 0 || state.raw_equal(-1, -2) {
        state.pop(2);
        share(state, a);
        return 0;
    }
    if first == 0 {
        state.pop(2);
        share(state, b);
        return 0;
    }
    check_count(state, first + second);
    state.create_table((first + second) as c_int, 0);
    append(state, -3, -1);
    let before = append(state, -2, -1);
    state.set_user_value(-4, VALUES);
    state.pop(2);
    before
}

/// Gives the pattern on top of the stack the values of the one at `pattern` (if that is not 0), and the one at `index`,
/// whose key is returned.
pub(super) fn extend(state: State<'_>, pattern: c_int, index: c_int) -> Key {
    state.create_table(1, 0);
    if pattern != 0 {
        state.get_user_value(pattern, VALUES);
        append(state, -1, -2);
        state.pop(1);
    }
    let key = add(state, index, -1);
    state.set_user_value(-2, VALUES);
    key
}

/// How the value at `index` is called in messages. Pushes the text: what a number is turned into is a copy.
pub(super) fn name_of(state: State<'_>, index: c_int) -> Shown<'_> {
    let kind = state.kind(index);
    state.push_copy(index);
    if state.is_string(-1) {
        return Shown(state.to_bytes(-1).unwrap_or_default());
    }
    state.push_bytes(b"(a ");
    state.push_bytes(state.type_name(kind).as_bytes());
    state.push_bytes(b")");
    state.concat(3);
    Shown(state.to_bytes(-1).unwrap_or_default())
}
