//! The functions and operators that make patterns without captures.

use libc::c_int;
use mlua_sys::lua_Integer;
use skynet_support::State;

use super::convert::{charset, leaf, to_pattern};
use super::pattern::{Pattern, Shape};
use super::table;
use crate::charset::CharSet;
use crate::compile::MAX_BEHIND;
use crate::facts::Facts;
use crate::tree::{MAX_NODES, Op};

/// `P(value)`: the value as a pattern.
pub(super) fn pattern(state: State<'_>) -> c_int {
    state.check_any(1);
    to_pattern(state, 1);
    state.set_top(1);
    1
}

/// `S(string)`: a byte of the string.
pub(super) fn set(state: State<'_>) -> c_int {
    charset(state, state.check_bytes(1).iter().copied().collect());
    1
}

/// `R(range, ...)`: a byte of one of the ranges, each a string of the first and the last byte.
pub(super) fn range(state: State<'_>) -> c_int {
    let mut set = CharSet::EMPTY;
    for argument in 1..=state.top() {
        match *state.check_bytes(argument) {
            [first, last] => set = set | CharSet::range(first..=last),
            _ => state.argument_error(argument, c"range must have two characters"),
        }
    }
    charset(state, set);
    1
}

/// `utfR(first, last)`: the UTF-8 form of a code point of the range.
pub(super) fn utf8_range(state: State<'_>) -> c_int {
    const LAST: u64 = 0x10_FFFF;
    let first = state.check_integer(1) as u64;
    let last = state.check_integer(2) as u64;
    if first > last {
        state.argument_error(2, c"empty range");
    }
    for (argument, point) in [(1, first), (2, last)] {
        if point > LAST {
            state.argument_error(argument, c"invalid code point");
        }
    }
    if last < 0x80 {
        charset(state, CharSet::range(first as u8..=last as u8));
    } else {
        leaf(state, Op::Utf8(first as u32, last as u32));
    }
    1
}

/// `B(patt)`: matches where the pattern matches before the position; takes nothing.
pub(super) fn behind(state: State<'_>) -> c_int {
    let facts = to_pattern(state, 1).facts();
    let Some(length) = facts.length.fixed() else {
        state.argument_error(1, c"pattern may not have fixed length");
    };
    if facts.captures {
        state.argument_error(1, c"pattern have captures");
    }
    if length > MAX_BEHIND {
        state.argument_error(1, c"pattern too long to look behind");
    }
    wrap(state, Op::Behind(length as u8));
    1
}

/// `V(name)`: the rule with this name of the grammar that will be around it.
pub(super) fn variable(state: State<'_>) -> c_int {
    if state.is_none_or_nil(1) {
        state.argument_error(1, c"non-nil value expected");
    }
    let shape = Shape {
        nodes: 1,
        sets: 0,
        facts: Facts::leaf(Op::OpenCall(0)),
        depth: 1,
    };
    let (_, mut writer) = Pattern::create(state, shape);
    let key = table::extend(state, 0, 1);
    writer.node(Op::OpenCall(key), 1);
    1
}

/// `#patt`: matches where the pattern matches; takes nothing.
pub(super) fn and(state: State<'_>) -> c_int {
    to_pattern(state, 1);
    wrap(state, Op::And);
    1
}

/// `-patt`: matches where the pattern does not match; takes nothing.
pub(super) fn not(state: State<'_>) -> c_int {
    to_pattern(state, 1);
    wrap(state, Op::Not);
    1
}

/// Pushes a node with the pattern at 1 as its child.
fn wrap(state: State<'_>, op: Op) {
    let child = to_pattern(state, 1);
    let tree = child.tree();
    let shape = Shape {
        nodes: tree.nodes.len() + 1,
        sets: tree.sets.len(),
        facts: Facts::parent(op, child.facts()),
        depth: child.depth() + 1,
    };
    let (_, mut writer) = Pattern::create(state, shape);
    writer.node(op, shape.nodes);
    writer.tree(tree, 0);
    table::share(state, 1);
}

/// `a * b`: the first pattern and then the second.
pub(super) fn sequence(state: State<'_>) -> c_int {
    let a = to_pattern(state, 1);
    let b = to_pattern(state, 2);
    match (a.tree().root(), b.tree().root()) {
        (Op::False, _) | (_, Op::True) => state.push_copy(1),
        (Op::True, _) => state.push_copy(2),
        _ => combine(state, Op::Sequence, a, b),
    }
    1
}

/// `a + b`: the first pattern, or where it does not match the second.
pub(super) fn choice(state: State<'_>) -> c_int {
    let a = to_pattern(state, 1);
    let b = to_pattern(state, 2);
    if let (Some(a), Some(b)) = (a.tree().charset(0), b.tree().charset(0)) {
        charset(state, a | b);
    } else if a.facts().nofail || b.tree().root() == Op::False {
        state.push_copy(1);
    } else if a.tree().root() == Op::False {
        state.push_copy(2);
    } else {
        combine(state, Op::Choice, a, b);
    }
    1
}

/// Pushes a sequence or choice of the patterns at 1 and 2.
fn combine(state: State<'_>, op: Op, a: Pattern, b: Pattern) {
    let (left, right) = (a.tree(), b.tree());
    let join = match op {
        Op::Sequence => Facts::then,
        _ => Facts::or,
    };
    let shape = Shape {
        nodes: 1 + left.operands(op).len() + right.operands(op).len(),
        sets: left.sets.len() + right.sets.len(),
        facts: join(a.facts(), b.facts()),
        depth: 1 + below(a, op).max(below(b, op)),
    };
    let (_, mut writer) = Pattern::create(state, shape);
    let shift = table::join(state, 1, 2);
    writer.node(op, shape.nodes);
    let sets = writer.sets(left.sets);
    writer.nodes(left.operands(op), sets, 0);
    let sets = writer.sets(right.sets);
    writer.nodes(right.operands(op), sets, shift);
}

/// How deep the operands are that the pattern adds to a sequence or choice.
fn below(pattern: Pattern, op: Op) -> u32 {
    pattern.depth() - u32::from(pattern.tree().root() == op)
}

/// `a - b`: the first pattern, where the second does not match.
pub(super) fn difference(state: State<'_>) -> c_int {
    let a = to_pattern(state, 1);
    let b = to_pattern(state, 2);
    let (left, right) = (a.tree(), b.tree());
    if let (Some(a), Some(b)) = (left.charset(0), right.charset(0)) {
        charset(state, a & !b);
        return 1;
    }
    let operands = left.operands(Op::Sequence);
    let shape = Shape {
        nodes: 2 + right.nodes.len() + operands.len(),
        sets: left.sets.len() + right.sets.len(),
        facts: Facts::parent(Op::Not, b.facts()).then(a.facts()),
        depth: 1 + below(a, Op::Sequence).max(b.depth() + 1),
    };
    let (_, mut writer) = Pattern::create(state, shape);
    let shift = table::join(state, 1, 2);
    writer.node(Op::Sequence, shape.nodes);
    writer.node(Op::Not, right.nodes.len() + 1);
    writer.tree(right, shift);
    let sets = writer.sets(left.sets);
    writer.nodes(operands, sets, 0);
    1
}

/// `patt ^ n`: at least n times the pattern, or, if n is negative, at most -n times; as often as it matches.
pub(super) fn repetition(state: State<'_>) -> c_int {
    let count: lua_Integer = state.check_integer(2);
    let body = to_pattern(state, 1);
    let most = count.unsigned_abs().min(MAX_NODES as u64) as usize;
    if count.unsigned_abs() > most as u64 {
        state.error(c"pattern too large");
    }
    if count < 0 {
        wrap(state, Op::AtMost(most as u32));
        return 1;
    }
    if body.facts().nullable {
        state.error(c"loop body may accept empty string");
    }
    if count == 0 {
        wrap(state, Op::Repeat);
        return 1;
    }
    let tree = body.tree();
    let operands = tree.operands(Op::Sequence);
    let repeat = 1 + tree.nodes.len();
    let shape = Shape {
        nodes: most
            .saturating_mul(operands.len())
            .saturating_add(1 + repeat),
        sets: tree.sets.len(),
        facts: body.facts().then(Facts::parent(Op::Repeat, body.facts())),
        depth: body.depth() + 2,
    };
    let (_, mut writer) = Pattern::create(state, shape);
    writer.node(Op::Sequence, shape.nodes);
    let sets = writer.sets(tree.sets);
    for _ in 0..most {
        writer.nodes(operands, sets, 0);
    }
    writer.node(Op::Repeat, repeat);
    writer.nodes(tree.nodes, sets, 0);
    table::share(state, 1);
    1
}
