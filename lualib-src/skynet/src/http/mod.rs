//! The module `skynet.http.core`: header fields of HTTP messages, between text and tables, and a check of UTF-8. The Lua
//! layer does the same by itself where this module is missing (`http/fields.lua`), an order of magnitude slower.

pub mod line;

use std::mem::MaybeUninit;
use std::slice;

use libc::{c_char, c_int};
use mlua_sys::{
    LUA_TNIL, LUA_TNUMBER, LUA_TSTRING, LUA_TTABLE, lua_Integer, lua_State, lua_concat,
    lua_createtable, lua_geti, lua_getmetatable, lua_gettable, lua_isnil, lua_next, lua_pop,
    lua_pushboolean, lua_pushinteger, lua_pushnil, lua_pushvalue, lua_rawlen, lua_rawseti,
    lua_replace, lua_rotate, lua_seti, lua_settable, lua_settop, lua_toboolean, lua_tolstring,
    lua_type, luaL_Buffer, luaL_argerror, luaL_buffinitsize, luaL_checkinteger, luaL_checktype,
    luaL_optinteger, luaL_pushresultsize,
};
use skynet_support::bytes::{argument, push, push_written};

use crate::{Entry, check_version, register};
use line::{Line, Sender};

const FUNCTIONS: &[Entry] = &[
    (c"find_end", find_end),
    (c"read_fields", read_fields),
    (c"utf8", utf8),
    (c"write_fields", write_fields),
];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_http_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// `find_end(text, position)`: where the empty line that ends a header begins, and where what follows begins; nothing
/// when there is none. The header begins at `position`, and not with an empty line.
unsafe extern "C-unwind" fn find_end(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text stays an argument.
    unsafe {
        let (text, position) = (argument(state, 1), position(state, 2));
        let Some((empty, behind)) = line::end(text.get(position..).unwrap_or_default()) else {
            return 0;
        };
        lua_pushinteger(state, (position + empty + 1) as lua_Integer);
        lua_pushinteger(state, (position + behind + 1) as lua_Integer);
    }
    2
}

/// `utf8(text [, more])`: whether it is UTF-8 by RFC 3629: 0, or false. With `more` it may end inside of a character: the
/// number of bytes of that, which have to be looked at again with what follows.
unsafe extern "C-unwind" fn utf8(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text stays an argument.
    unsafe {
        let text = argument(state, 1);
        let more = lua_toboolean(state, 2) != 0;
        match str::from_utf8(text) {
            Ok(_) => lua_pushinteger(state, 0),
            Err(error) if more && error.error_len().is_none() => {
                lua_pushinteger(state, (text.len() - error.valid_up_to()) as lua_Integer)
            }
            Err(_) => lua_pushboolean(state, 0),
        }
    }
    1
}

/// Argument `index`, a position in a string, counted from 0.
unsafe fn position(state: *mut lua_State, index: c_int) -> usize {
    // SAFETY: called by a function that Lua called; nothing has a destructor.
    unsafe {
        let position = luaL_checkinteger(state, index);
        match usize::try_from(position.saturating_sub(1)) {
            Ok(position) => position,
            Err(_) => luaL_argerror(state, index, c"position out of range".as_ptr()) as usize,
        }
    }
}

// Arguments of `read_fields`, and the name of the last field.
const HEADER: c_int = 3;
const MOST: c_int = 4;
const LENIENT: c_int = 5;
const NAME: c_int = 6;

/// `read_fields(text, position [, header [, most [, lenient]]])`: puts the fields that begin at `position`, lines each
/// with its end, into the table `header`, or a new one: names in small letters, and a list where a field comes several
/// times. The table; nil when a line is not a field, false when there are more than `most`. `lenient` is for what a
/// server has sent.
unsafe extern "C-unwind" fn read_fields(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text stays an argument. At most NAME + 4 values are on the stack, within LUA_MINSTACK.
    unsafe {
        let text = argument(state, 1);
        let position = position(state, 2);
        let mut rest = text.get(position..).unwrap_or_default();
        lua_settop(state, LENIENT);
        let mut left = luaL_optinteger(state, MOST, lua_Integer::MAX);
        let sender = if lua_toboolean(state, LENIENT) != 0 {
            Sender::Server
        } else {
            Sender::Client
        };
        if lua_isnil(state, HEADER) != 0 {
            // No more than a line has room for: what a stranger sends does not decide the size of a block.
            let lines = rest.iter().filter(|&&byte| byte == b'\n').count();
            lua_createtable(state, 0, lines.min(64) as c_int);
            lua_replace(state, HEADER);
        }
        luaL_checktype(state, HEADER, LUA_TTABLE);
        lua_pushnil(state);
        while !rest.is_empty() {
            let (line, following) = line::split(rest);
            rest = following;
            left = left.saturating_sub(1);
            if left < 0 {
                lua_pushboolean(state, 0);
                return 1;
            }
            match line::parse(line, sender) {
                Some(Line::Field { name, value }) => add(state, name, value),
                Some(Line::More(more)) if lua_isnil(state, NAME) == 0 => extend(state, more),
                _ => return 0,
            }
        }
        lua_settop(state, HEADER);
    }
    1
}

/// Adds a field to the header, and makes it the last one.
unsafe fn add(state: *mut lua_State, name: &[u8], value: &[u8]) {
    // SAFETY: called by `read_fields`. Both slices are of its argument; nothing has a destructor.
    unsafe {
        push_written(state, name.len(), |small| {
            for (to, from) in small.iter_mut().zip(name) {
                *to = from.to_ascii_lowercase();
            }
            Some(name.len())
        });
        lua_replace(state, NAME);
        lua_pushvalue(state, NAME);
        match lua_gettable(state, HEADER) {
            LUA_TNIL => {
                lua_pop(state, 1);
                lua_pushvalue(state, NAME);
                push(state, value);
                lua_settable(state, HEADER);
            }
            LUA_TTABLE => {
                push(state, value);
                lua_seti(state, -2, lua_rawlen(state, -2) as i64 + 1);
                lua_pop(state, 1);
            }
            _ => {
                lua_createtable(state, 2, 0);
                lua_rotate(state, -2, 1);
                lua_rawseti(state, -2, 1);
                push(state, value);
                lua_rawseti(state, -2, 2);
                lua_pushvalue(state, NAME);
                lua_rotate(state, -2, 1);
                lua_settable(state, HEADER);
            }
        }
    }
}

/// Appends to the value of the last field, behind a blank.
unsafe fn extend(state: *mut lua_State, more: &[u8]) {
    if more.is_empty() {
        return;
    }
    // SAFETY: as in `add`; NAME is a string.
    unsafe {
        lua_pushvalue(state, NAME);
        let list = lua_gettable(state, HEADER) == LUA_TTABLE;
        let last = if list { lua_rawlen(state, -1) } else { 0 } as i64;
        if list {
            lua_geti(state, -1, last);
        }
        let empty = lua_rawlen(state, -1) == 0;
        push(state, if empty { b"" } else { b" " });
        push(state, more);
        lua_concat(state, 3);
        if list {
            lua_seti(state, -2, last);
            lua_pop(state, 1);
        } else {
            lua_pushvalue(state, NAME);
            lua_rotate(state, -2, 1);
            lua_settable(state, HEADER);
        }
    }
}

/// The string at `index`.
unsafe fn string<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: the value is a string or a number, which becomes one; it stays on the stack while the slice is used.
    unsafe {
        let text = lua_tolstring(state, index, &mut len);
        slice::from_raw_parts(text.cast(), len)
    }
}

/// Calls `take` with name and value of each field. False when one of them is not plain, or `take` says so.
unsafe fn each(state: *mut lua_State, mut take: impl FnMut(&[u8], &[u8]) -> bool) -> bool {
    // SAFETY: called by `write_fields` with the table at index 1. Keys are not converted: they are strings already. The
    // value is the copy that `lua_next` has pushed.
    unsafe {
        lua_pushnil(state);
        while lua_next(state, 1) != 0 {
            let value = lua_type(state, -1);
            let plain = lua_type(state, -2) == LUA_TSTRING
                && (value == LUA_TSTRING || value == LUA_TNUMBER);
            if !plain || !take(string(state, -2), string(state, -1)) {
                return false;
            }
            lua_pop(state, 1);
        }
    }
    true
}

/// Appends `bytes` to what `len` bytes of `block` hold. False when there is no room.
fn append(block: &mut [u8], len: &mut usize, bytes: &[u8]) -> bool {
    let Some(place) = block
        .get_mut(*len..)
        .and_then(|rest| rest.get_mut(..bytes.len()))
    else {
        return false;
    };
    place.copy_from_slice(bytes);
    *len += bytes.len();
    true
}

/// `write_fields(header, separator)`: the text of the fields, lines each with its end, and whether there are fields of
/// the names Host, Content-Length and Transfer-Encoding. Nothing for a table whose fields are not plain: lists, values
/// other than strings and numbers, line breaks, a metatable.
unsafe extern "C-unwind" fn write_fields(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the separator stays an argument. At most six values are pushed. The block is the buffer's
    // until its result is pushed, and has `size` bytes: the table may have changed since they were counted, by a
    // finalizer that ran when a number became a string, so `append` looks.
    unsafe {
        luaL_checktype(state, 1, LUA_TTABLE);
        let separator = argument(state, 2);
        lua_settop(state, 2);
        if lua_getmetatable(state, 1) != 0 {
            return 0;
        }
        let (mut size, mut host, mut length, mut coding) = (0, false, false, false);
        let plain = each(state, |name, value| {
            size += name.len() + separator.len() + value.len() + 2;
            match name.len() {
                4 => host |= name.eq_ignore_ascii_case(b"host"),
                14 => length |= name.eq_ignore_ascii_case(b"content-length"),
                17 => coding |= name.eq_ignore_ascii_case(b"transfer-encoding"),
                _ => {}
            }
            !line::breaks(name) && !line::breaks(value)
        });
        if !plain {
            return 0;
        }
        let mut buffer = MaybeUninit::<luaL_Buffer>::uninit();
        let block: *mut c_char = luaL_buffinitsize(state, buffer.as_mut_ptr(), size);
        block.write_bytes(0, size);
        let block: &mut [u8] = slice::from_raw_parts_mut(block.cast(), size);
        let mut len = 0;
        let whole = each(state, |name, value| {
            [name, separator, value, b"\r\n"]
                .iter()
                .all(|part| append(block, &mut len, part))
        });
        if !whole {
            return 0;
        }
        luaL_pushresultsize(buffer.as_mut_ptr(), len);
        lua_pushboolean(state, host.into());
        lua_pushboolean(state, length.into());
        lua_pushboolean(state, coding.into());
    }
    4
}
