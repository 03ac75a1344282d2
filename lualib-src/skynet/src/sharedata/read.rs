//! A table of Lua becomes a sheet.

use std::slice;

use libc::c_int;
use mlua_sys::{
    LUA_TBOOLEAN, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_State, lua_checkstack, lua_isinteger,
    lua_next, lua_pop, lua_pushnil, lua_pushvalue, lua_rawlen, lua_toboolean, lua_tointeger,
    lua_tolstring, lua_tonumber, lua_topointer, lua_type,
};

use super::sheet::{Draft, Key, Seen, Sheet, Value};

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
///
/// # Safety
/// `index` is a table on the stack of `state`.
pub(super) unsafe fn read(state: *mut lua_State, index: c_int) -> Result<Box<Sheet>, Unfit> {
    // SAFETY: the functions called here raise only for keys that the table does not have (`lua_next`) or for values of
    // other types than those that they are called with.
    unsafe {
        if lua_checkstack(state, SLOTS) == 0 {
            return Err(Unfit::TooDeep);
        }
        let mut draft = Draft::new(lua_rawlen(state, index));
        let mut seen = Seen::default();
        lua_pushvalue(state, index);
        let identity = lua_topointer(state, -1).addr();
        seen.enter(identity);
        let mut levels = vec![Level {
            number: 0,
            identity,
        }];
        lua_pushnil(state);
        while let Some(level) = levels.last() {
            // The top is the table and a key of it.
            if lua_next(state, -2) == 0 {
                seen.leave(level.identity, level.number);
                levels.pop();
                lua_pop(state, 1);
                continue;
            }
            let key = key(state, &mut draft)?;
            if lua_type(state, -1) != LUA_TTABLE {
                let value = scalar(state, &mut draft)?;
                draft.set(level.number, key, value);
                lua_pop(state, 1);
                continue;
            }
            let identity = lua_topointer(state, -1).addr();
            match seen.get(identity) {
                Some(Some(number)) => {
                    draft.set(level.number, key, Value::Table(number));
                    lua_pop(state, 1);
                }
                Some(None) => return Err(Unfit::Endless),
                None => {
                    let number = draft.table(lua_rawlen(state, -1));
                    draft.set(level.number, key, Value::Table(number));
                    if lua_checkstack(state, SLOTS) == 0 {
                        return Err(Unfit::TooDeep);
                    }
                    seen.enter(identity);
                    levels.push(Level { number, identity });
                    lua_pushnil(state);
                }
            }
        }
        Ok(draft.finish())
    }
}

unsafe fn bytes<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: a string on the stack, so nothing is converted; it outlives the use of the slice.
    unsafe {
        let mut len = 0;
        let text = lua_tolstring(state, index, &mut len);
        slice::from_raw_parts(text.cast(), len)
    }
}

/// The key below the value at the top.
unsafe fn key(state: *mut lua_State, draft: &mut Draft) -> Result<Key, Unfit> {
    // SAFETY: as above.
    unsafe {
        match lua_type(state, -2) {
            LUA_TNUMBER if lua_isinteger(state, -2) != 0 => {
                Ok(Key::Integer(lua_tointeger(state, -2)))
            }
            LUA_TNUMBER => Err(Unfit::RealKey(lua_tonumber(state, -2))),
            LUA_TSTRING => Ok(Key::Text(draft.text(bytes(state, -2)))),
            other => Err(Unfit::KeyType(other)),
        }
    }
}

/// The value at the top, which is not a table.
unsafe fn scalar(state: *mut lua_State, draft: &mut Draft) -> Result<Value, Unfit> {
    // SAFETY: as above.
    unsafe {
        match lua_type(state, -1) {
            LUA_TNUMBER if lua_isinteger(state, -1) != 0 => {
                Ok(Value::Integer(lua_tointeger(state, -1)))
            }
            LUA_TNUMBER => Ok(Value::Real(lua_tonumber(state, -1))),
            LUA_TSTRING => Ok(Value::Text(draft.text(bytes(state, -1)))),
            LUA_TBOOLEAN => Ok(Value::Boolean(lua_toboolean(state, -1) != 0)),
            other => Err(Unfit::ValueType(other)),
        }
    }
}
