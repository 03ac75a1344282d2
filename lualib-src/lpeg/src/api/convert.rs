//! Lua values as patterns.

use std::slice;

use libc::c_int;
use mlua_sys::{
    LUA_TBOOLEAN, LUA_TFUNCTION, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_State, lua_replace,
    lua_toboolean, lua_tointeger, lua_tolstring, lua_type, luaL_error,
};

use super::pattern::{Pattern, Shape};
use super::{grammar, table};
use crate::charset::CharSet;
use crate::facts::Facts;
use crate::tree::{MAX_NODES, Op};

/// The value at `index` as a pattern; puts the pattern there.
///
/// # Safety
/// Called by a function of the module. May raise an error.
pub(super) unsafe fn to_pattern(state: *mut lua_State, index: c_int) -> Pattern {
    // SAFETY: as the caller promises.
    unsafe {
        let pattern = match lua_type(state, index) {
            LUA_TSTRING => {
                let mut length = 0;
                let text = lua_tolstring(state, index, &mut length).cast::<u8>();
                literal(state, slice::from_raw_parts(text, length))
            }
            LUA_TNUMBER => number(state, lua_tointeger(state, index)),
            LUA_TBOOLEAN if lua_toboolean(state, index) != 0 => leaf(state, Op::True),
            LUA_TBOOLEAN => leaf(state, Op::False),
            LUA_TTABLE => grammar::create(state, index),
            LUA_TFUNCTION => function(state, index),
            _ => return Pattern::check(state, index),
        };
        lua_replace(state, index);
        pattern
    }
}

/// Pushes a pattern of one node.
pub(super) unsafe fn leaf(state: *mut lua_State, op: Op) -> Pattern {
    let shape = Shape {
        nodes: 1,
        sets: 0,
        facts: Facts::leaf(op),
        depth: 1,
    };
    // SAFETY: as for `to_pattern`.
    unsafe {
        let (pattern, mut writer) = Pattern::create(state, shape);
        writer.node(op, 1);
        pattern
    }
}

/// Pushes a pattern that matches a byte of the set.
pub(super) unsafe fn charset(state: *mut lua_State, set: CharSet) -> Pattern {
    // SAFETY: as for `to_pattern`.
    unsafe {
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
}

unsafe fn literal(state: *mut lua_State, text: &[u8]) -> Pattern {
    // SAFETY: as for `to_pattern`.
    unsafe {
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
}

unsafe fn number(state: *mut lua_State, number: i64) -> Pattern {
    // SAFETY: as for `to_pattern`.
    unsafe {
        let count = number.unsigned_abs();
        if count > MAX_NODES as u64 {
            luaL_error(state, c"pattern too large".as_ptr());
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
}

unsafe fn function(state: *mut lua_State, index: c_int) -> Pattern {
    let empty = Facts::leaf(Op::True);
    let shape = Shape {
        nodes: 2,
        sets: 0,
        facts: Facts::parent(Op::Runtime(0), empty),
        depth: 2,
    };
    // SAFETY: as for `to_pattern`.
    unsafe {
        let (pattern, mut writer) = Pattern::create(state, shape);
        let key = table::extend(state, 0, index);
        writer.node(Op::Runtime(key), 2);
        writer.node(Op::True, 1);
        pattern
    }
}
