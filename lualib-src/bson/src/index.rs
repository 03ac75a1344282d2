//! Changing values of a document in place.
//!
//! `makeindex` leaves a table in the document's user value: name to `type | place << 5`, place from the beginning.

use std::ptr;
use std::slice;

use libc::{c_char, c_int};
use mlua_sys::{
    LUA_TNUMBER, LUA_TTABLE, lua_Integer, lua_State, lua_createtable, lua_getiuservalue,
    lua_isinteger, lua_pushinteger, lua_pushlstring, lua_pushvalue, lua_rawget, lua_rawlen,
    lua_rawset, lua_setiuservalue, lua_settop, lua_toboolean, lua_tointegerx, lua_tolstring,
    lua_tonumberx, luaL_checklstring, luaL_checknumber, luaL_checkudata, luaL_error,
};

use crate::date::Date;
use crate::reader::{self, Problem, Reader};
use crate::{DOCUMENT, decode, kind};

/// Bits of the type in an entry of the index. All types that are in it fit.
const KIND_BITS: u32 = 5;

/// Bytes of a value that can be replaced.
fn size(kind: u8) -> Option<usize> {
    Some(match kind {
        kind::REAL | kind::INT64 | kind::DATE | kind::TIMESTAMP => 8,
        kind::OBJECT_ID => 12,
        kind::INT32 => 4,
        kind::BOOLEAN => 1,
        _ => return None,
    })
}

/// The bytes of the document at argument 1.
unsafe fn document<'a>(state: *mut lua_State) -> &'a mut [u8] {
    // SAFETY: a document of this module is a block of its own that Lua keeps; no other reference to it is in use.
    unsafe {
        let start = luaL_checkudata(state, 1, DOCUMENT.as_ptr());
        slice::from_raw_parts_mut(start.cast(), lua_rawlen(state, 1))
    }
}

/// `document:makeindex()`: makes its numbers, booleans, dates, timestamps and object ids replaceable; returns the document.
/// Of elements with the same name the last one counts.
pub unsafe extern "C-unwind" fn makeindex(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let held = document(state);
        lua_settop(state, 1);
        lua_createtable(state, 0, 0);
        if let Err(problem) = fill(state, held) {
            decode::raise(state, problem);
        }
        lua_setiuservalue(state, 1, 1);
    }
    1
}

/// Fills the table at the top of the stack.
unsafe fn fill(state: *mut lua_State, held: &[u8]) -> Result<(), Problem> {
    let document = reader::document(held)?;
    let mut reader = Reader::elements(document);
    while let Some((kind, name)) = reader.element()? {
        // The zero at the end is no element's.
        let place = document.len() - 1 - reader.left();
        reader.skip(kind)?;
        if size(kind).is_some() {
            let entry = lua_Integer::from(kind) | (place as lua_Integer) << KIND_BITS;
            // SAFETY: the stack has room for two values.
            unsafe {
                lua_pushlstring(state, name.as_ptr().cast::<c_char>(), name.len());
                lua_pushinteger(state, entry);
                lua_rawset(state, -3);
            }
        }
    }
    Ok(())
}

/// `document[name] = value`: replaces a value by one of the same type. Raises an error for another type, and for a name
/// that `makeindex` has not found.
pub unsafe extern "C-unwind" fn replace(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let held = document(state);
        lua_settop(state, 3);
        if lua_getiuservalue(state, 1, 1) != LUA_TTABLE {
            return luaL_error(state, c"call makeindex first".as_ptr());
        }
        lua_pushvalue(state, 2);
        if lua_rawget(state, -2) != LUA_TNUMBER {
            let name = lua_tolstring(state, 2, ptr::null_mut());
            return luaL_error(state, c"Can't replace key : %s".as_ptr(), name);
        }
        let entry = lua_tointegerx(state, -1, ptr::null_mut());
        let kind = (entry & ((1 << KIND_BITS) - 1)) as u8;
        let place = usize::try_from(entry >> KIND_BITS).unwrap_or(usize::MAX);
        let value = size(kind)
            .zip(held.get_mut(place..))
            .and_then(|(size, rest)| rest.get_mut(..size));
        let Some(value) = value else {
            return luaL_error(state, c"Can't replace type %d".as_ptr(), c_int::from(kind));
        };
        match kind {
            kind::REAL => set(value, luaL_checknumber(state, 3).to_le_bytes()),
            kind::BOOLEAN => set(value, [u8::from(lua_toboolean(state, 3) != 0)]),
            kind::INT32 => {
                let number = i32::try_from(integer(state, c"%f must be a 32bit integer "));
                let Ok(number) = number else {
                    return not_integer(state, c"%f must be a 32bit integer ");
                };
                set(value, number.to_le_bytes());
            }
            kind::INT64 => {
                let number = integer(state, c"%f must be a 64bit integer ");
                set(value, number.to_le_bytes());
            }
            _ => replace_object(state, kind, value),
        }
    }
    0
}

fn set<const N: usize>(value: &mut [u8], new: [u8; N]) {
    // The size is the type's.
    if let Ok(value) = <&mut [u8; N]>::try_from(value) {
        *value = new;
    }
}

/// Argument 3.
unsafe fn integer(state: *mut lua_State, otherwise: &std::ffi::CStr) -> lua_Integer {
    // SAFETY: called in a function of Lua's.
    unsafe {
        if lua_isinteger(state, 3) == 0 {
            not_integer(state, otherwise);
        }
        lua_tointegerx(state, 3, ptr::null_mut())
    }
}

#[cold]
unsafe fn not_integer(state: *mut lua_State, text: &std::ffi::CStr) -> c_int {
    // SAFETY: raises; nothing has a destructor. A float is passed for %f.
    unsafe {
        let number = lua_tonumberx(state, 3, ptr::null_mut());
        luaL_error(state, text.as_ptr(), number)
    }
}

/// By a string that stands for a value of the same type.
unsafe fn replace_object(state: *mut lua_State, kind: u8, value: &mut [u8]) {
    // SAFETY: called in a function of Lua's; the string is argument 3.
    unsafe {
        let mut len = 0;
        let text: *const u8 = luaL_checklstring(state, 3, &mut len).cast();
        let new = match slice::from_raw_parts(text, len) {
            [0, other, new @ ..] if *other == kind && len >= 6 => new,
            _ => {
                let text = c"Type mismatch, need bson type %d";
                luaL_error(state, text.as_ptr(), c_int::from(kind));
                return;
            }
        };
        let wrong = match kind {
            kind::DATE => match Date::read(new) {
                Some(Date(milliseconds)) => {
                    set(value, milliseconds.to_le_bytes());
                    return;
                }
                None => c"Invalid date",
            },
            kind::TIMESTAMP => c"Invalid timestamp",
            _ => c"Invalid object id",
        };
        if new.len() != value.len() {
            luaL_error(state, wrong.as_ptr());
            return;
        }
        value.copy_from_slice(new);
    }
}
