//! Lua values as patterns.

use libc::c_int;
use mlua_sys::{LUA_TBOOLEAN, LUA_TFUNCTION, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE};
use skynet_support::State;

use super::pattern::{Pattern, Shape};
use super::{grammar, table};
use crate::charset::CharSet;
use crate::facts::Facts;
use crate::tree::{MAX_NODES, Op};

/// The value at `index` as a pattern; puts the pattern there.
pub(super) fn to_pattern(state: State<'_>, index: c_int) -> Pattern {
    let pattern = match state.kind(index) {
        LUA_TSTRING => literal(state, state.check_bytes(index)),
        LUA_TNUMBER => number(state, state.to_integer(index)),
        LUA_TBOOLEAN if state.to_boolean(index) => leaf(state, Op::True),
        LUA_TBOOLEAN => leaf(state, Op::False),
        LUA_TTABLE => grammar::create(state, index),
        LUA_TFUNCTION => function(state, index),
        _ => return Pattern::check(state, index),
    };
    state.replace(index);
    pattern
}

/// Pushes a pattern of one node.
pub(super) fn leaf(state: State<'_>, op: Op) -> Pattern {
    let shape = Shape {
        nodes: 1,
        sets: 0,
        facts: Facts::leaf(op),
        depth: 1,
    };
    let (pattern, mut writer) = Pattern::create(state, shape);
    writer.node(op, 1);
    pattern
}

/// Pushes a pattern that matches a byte of the set.
pub(super) fn charset(state: State<'_>, set: CharSet) -> Pattern {
    match set.only() {
        Some(byte) => leaf(state, Op::Char(byte)),
        None if set == CharSet::EMPTY => leaf(state, Op::False),
        None if set == CharSet::FULL => leaf(state, Op::Any(1)),
        None => {
            let shape = Shape {
                nodes: 1,
                sets: 1,
                facts: Facts::leaf(Op::Set(0)),
                depth: 1,
            };
            let (pattern, mut writer) = Pattern::create(state, shape);
            writer.set(set);
            pattern
        }
    }
}

fn literal(state: State<'_>, text: &[u8]) -> Pattern {
    match *text {
        [] => leaf(state, Op::True),
        [byte] => leaf(state, Op::Char(byte)),
        [first, ref rest @ ..] => {
            let byte = Facts::leaf(Op::Char(first));
            let shape = Shape {
                nodes: text.len() + 1,
                sets: 0,
                facts: rest.iter().fold(byte, |facts, _| facts.then(byte)),
                depth: 2,
            };
            let (pattern, mut writer) = Pattern::create(state, shape);
            writer.node(Op::Sequence, text.len() + 1);
            for &byte in text {
                writer.node(Op::Char(byte), 1);
            }
            pattern
        }
    }
}

fn number(state: State<'_>, number: i64) -> Pattern {
    let count = number.unsigned_abs();
    if count > MAX_NODES as u64 {
        state.error(c"pattern too large");
    }
    let any = Op::Any(count as u32);
    match number {
        0 => leaf(state, Op::True),
        1.. => leaf(state, any),
        _ => {
            let shape = Shape {
                nodes: 2,
                sets: 0,
                facts: Facts::parent(Op::Not, Facts::leaf(any)),
                depth: 2,
            };
            let (pattern, mut writer) = Pattern::create(state, shape);
            writer.node(Op::Not, 2);
            writer.node(any, 1);
            pattern
        }
    }
}

fn function(state: State<'_>, index: c_int) -> Pattern {
    let empty = Facts::leaf(Op::True);
    let shape = Shape {
        nodes: 2,
        sets: 0,
        facts: Facts::parent(Op::Runtime(0), empty),
        depth: 2,
    };
    let (pattern, mut writer) = Pattern::create(state, shape);
    let key = table::extend(state, 0, index);
    writer.node(Op::Runtime(key), 2);
    writer.node(Op::True, 1);
    pattern
}
