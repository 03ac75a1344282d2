//! The functions and operators that make captures.

use libc::c_int;
use mlua_sys::{LUA_TFUNCTION, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer};
use skynet_support::State;

use super::convert::{leaf, to_pattern};
use super::pattern::{Pattern, Shape};
use super::table::{self, VALUES};
use crate::facts::Facts;
use crate::tree::{CaptureKind, Key, Op, Writer};

/// The highest number of an argument or of a nested value.
const HIGHEST_NUMBER: lua_Integer = i16::MAX as lua_Integer;

/// Pushes a pattern with the one at 1 as its child. With a `value` (a place on the stack) the operation gets its key.
fn wrap(state: State<'_>, value: Option<c_int>, op: impl Fn(Key) -> Op + Copy) {
    let child = to_pattern(state, 1);
    let tree = child.tree();
    let shape = Shape {
        nodes: tree.nodes.len() + 1,
        sets: tree.sets.len(),
        facts: Facts::parent(op(0), child.facts()),
        depth: child.depth() + 1,
    };
    let (_, mut writer) = Pattern::create(state, shape);
    let key = match value {
        Some(place) => table::extend(state, 1, place),
        None => {
            table::share(state, 1);
            0
        }
    };
    writer.node(op(key), shape.nodes);
    writer.tree(tree, 0);
}

fn with_value(state: State<'_>, kind: CaptureKind) -> c_int {
    wrap(state, Some(2), |key| Op::Capture(kind, key));
    1
}

fn without_value(state: State<'_>, kind: CaptureKind, key: Key) -> c_int {
    wrap(state, None, |_| Op::Capture(kind, key));
    1
}

/// The nodes of a capture of the empty string.
fn write_empty(writer: &mut Writer, kind: CaptureKind, key: Key) {
    writer.node(Op::Capture(kind, key), 2);
    writer.node(Op::True, 1);
}

/// Pushes a capture of the empty string, whose key may come from `key` when the pattern is on the stack.
fn empty(state: State<'_>, kind: CaptureKind, key: impl FnOnce() -> Key) -> c_int {
    let facts = Facts::parent(Op::Capture(kind, 0), Facts::leaf(Op::True));
    let shape = Shape {
        nodes: 2,
        sets: 0,
        facts,
        depth: 2,
    };
    let (_, mut writer) = Pattern::create(state, shape);
    write_empty(&mut writer, kind, key());
    1
}

/// `C(patt)`: the text of the match and the values of the pattern.
pub(super) fn simple(state: State<'_>) -> c_int {
    without_value(state, CaptureKind::Simple, 0)
}

/// `Cs(patt)`: the text of the match, where nested captures are replaced by their values.
pub(super) fn substitution(state: State<'_>) -> c_int {
    without_value(state, CaptureKind::Substitution, 0)
}

/// `Ct(patt)`: a table of the values, those of named groups by name.
pub(super) fn table(state: State<'_>) -> c_int {
    without_value(state, CaptureKind::Table, 0)
}

/// `Cg(patt [, name])`: the values as one group; with a name it has values only for `Cb` and `Ct`.
pub(super) fn group(state: State<'_>) -> c_int {
    if state.is_none_or_nil(2) {
        without_value(state, CaptureKind::Group, 0)
    } else {
        with_value(state, CaptureKind::Group)
    }
}

/// `Cf(patt, function)`: `function(function(first, values of the second capture), values of the third)` and so on.
pub(super) fn fold(state: State<'_>) -> c_int {
    state.check_kind(2, LUA_TFUNCTION);
    with_value(state, CaptureKind::Fold)
}

/// `patt % function`: replaces the value before by `function(value, values of the pattern)`.
pub(super) fn accumulate(state: State<'_>) -> c_int {
    with_value(state, CaptureKind::Accumulator)
}

/// `patt / function`, `patt / table`, `patt / string`, `patt / number`.
pub(super) fn divide(state: State<'_>) -> c_int {
    match state.kind(2) {
        LUA_TFUNCTION => with_value(state, CaptureKind::Function),
        LUA_TTABLE => with_value(state, CaptureKind::Query),
        LUA_TSTRING => with_value(state, CaptureKind::Format),
        LUA_TNUMBER => {
            let number = state.to_integer(2);
            if !(0..=HIGHEST_NUMBER).contains(&number) {
                state.argument_error(1, c"invalid number");
            }
            without_value(state, CaptureKind::Number, number as Key)
        }
        other => {
            let kind = state.type_name(other);
            state.error_with(format_args!("unexpected {kind} as 2nd operand to LPeg '/'"))
        }
    }
}

/// `Cmt(patt, function)`: during the match calls `function(subject, position, values)`, which says how it goes on.
pub(super) fn match_time(state: State<'_>) -> c_int {
    state.check_kind(2, LUA_TFUNCTION);
    wrap(state, Some(2), Op::Runtime);
    1
}

/// `Cp()`: the position.
pub(super) fn position(state: State<'_>) -> c_int {
    empty(state, CaptureKind::Position, || 0)
}

/// `Carg(n)`: the n-th extra argument of `match`.
pub(super) fn argument(state: State<'_>) -> c_int {
    let number = state.check_integer(1);
    if !(1..=HIGHEST_NUMBER).contains(&number) {
        state.argument_error(1, c"invalid argument index");
    }
    empty(state, CaptureKind::Argument, || number as Key)
}

/// `Cb(name)`: the values of the last group with this name.
pub(super) fn back_reference(state: State<'_>) -> c_int {
    state.check_any(1);
    let kind = CaptureKind::BackReference;
    empty(state, kind, || table::extend(state, 0, 1))
}

/// `Cc(value, ...)`: these values.
pub(super) fn constant(state: State<'_>) -> c_int {
    let kind = CaptureKind::Constant;
    let count = state.top();
    match count {
        0 => {
            leaf(state, Op::True);
        }
        1 => {
            empty(state, kind, || table::extend(state, 0, 1));
        }
        _ => {
            let one = Facts::parent(Op::Capture(kind, 0), Facts::leaf(Op::True));
            let shape = Shape {
                nodes: 2 + 2 * count as usize,
                sets: 0,
                facts: one,
                depth: 4,
            };
            let (_, mut writer) = Pattern::create(state, shape);
            state.create_table(count, 0);
            writer.node(Op::Capture(CaptureKind::Group, 0), shape.nodes);
            writer.node(Op::Sequence, shape.nodes - 1);
            for value in 1..=count {
                write_empty(&mut writer, kind, table::add(state, value, -1));
            }
            state.set_user_value(-2, VALUES);
        }
    }
    debug_assert!(state.top() == count + 1);
    1
}
