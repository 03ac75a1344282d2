//! A table of Lua becomes a sheet.

use std::collections::TryReserveError;

use libc::c_int;
use mlua_sys::{LUA_TBOOLEAN, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE};
use skynet_support::State;

use super::sheet::{Draft, Key, Seen, Sheet, Value};
use crate::block::OutOfMemory;

/// Why a table cannot be shared.
pub(super) enum Unfit {
    /// A key of that type of Lua.
    KeyType(c_int),
    /// A key that is a number, but not an integer.
    RealKey(f64),
    /// A value of that type of Lua.
    ValueType(c_int),
    /// A table contains itself.
    Endless,
    /// Tables in tables in tables: Lua's stack is full.
    TooDeep,
    /// There is no memory for the copy.
    OutOfMemory,
}

impl From<OutOfMemory> for Unfit {
    fn from(_: OutOfMemory) -> Unfit {
        Unfit::OutOfMemory
    }
}

impl From<TryReserveError> for Unfit {
    fn from(_: TryReserveError) -> Unfit {
        Unfit::OutOfMemory
    }
}

/// A table that is being copied.
struct Level {
    number: u32,
    identity: usize,
}

/// Stack slots that a level of nesting takes: the table, a key and a value.
const SLOTS: c_int = 3;

/// The table at `index` as a sheet. Tables that are referred to twice are stored once. Raises nothing, and leaves the stack
/// as it was only on success.
pub(super) fn read(state: State<'_>, index: c_int) -> Result<Box<Sheet>, Unfit> {
    if !state.try_reserve(SLOTS) {
        return Err(Unfit::TooDeep);
    }
    let mut draft = Draft::new(state.raw_len(index))?;
    let mut seen = Seen::default();
    state.push_copy(index);
    let identity = state.to_pointer(-1).addr();
    seen.enter(identity)?;
    let mut levels = vec![Level {
        number: 0,
        identity,
    }];
    state.push_nil();
    while let Some(level) = levels.last() {
        // The top is the table and a key of it.
        if !state.next(-2) {
            seen.leave(level.identity, level.number);
            levels.pop();
            state.pop(1);
            continue;
        }
        let key = key(state, &mut draft)?;
        if state.kind(-1) != LUA_TTABLE {
            let value = scalar(state, &mut draft)?;
            draft.set(level.number, key, value)?;
            state.pop(1);
            continue;
        }
        let identity = state.to_pointer(-1).addr();
        match seen.get(identity) {
            Some(Some(number)) => {
                draft.set(level.number, key, Value::Table(number))?;
                state.pop(1);
            }
            Some(None) => return Err(Unfit::Endless),
            None => {
                let number = draft.table(state.raw_len(-1))?;
                draft.set(level.number, key, Value::Table(number))?;
                if !state.try_reserve(SLOTS) {
                    return Err(Unfit::TooDeep);
                }
                seen.enter(identity)?;
                levels.try_reserve(1)?;
                levels.push(Level { number, identity });
                state.push_nil();
            }
        }
    }
    Ok(draft.finish()?)
}

/// The key below the value at the top.
fn key(state: State<'_>, draft: &mut Draft) -> Result<Key, Unfit> {
    match state.kind(-2) {
        LUA_TNUMBER if state.is_integer(-2) => Ok(Key::Integer(state.to_integer(-2))),
        LUA_TNUMBER => Err(Unfit::RealKey(state.to_number(-2))),
        LUA_TSTRING => Ok(Key::Text(
            draft.text(state.to_bytes(-2).unwrap_or_default())?,
        )),
        other => Err(Unfit::KeyType(other)),
    }
}

/// The value at the top, which is not a table.
fn scalar(state: State<'_>, draft: &mut Draft) -> Result<Value, Unfit> {
    match state.kind(-1) {
        LUA_TNUMBER if state.is_integer(-1) => Ok(Value::Integer(state.to_integer(-1))),
        LUA_TNUMBER => Ok(Value::Real(state.to_number(-1))),
        LUA_TSTRING => Ok(Value::Text(
            draft.text(state.to_bytes(-1).unwrap_or_default())?,
        )),
        LUA_TBOOLEAN => Ok(Value::Boolean(state.to_boolean(-1))),
        other => Err(Unfit::ValueType(other)),
    }
}
