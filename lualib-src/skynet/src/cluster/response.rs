//! `packresponse`, `unpackresponse`: the side that answers, and what it sends.

use std::slice;

use libc::c_int;
use mlua_sys::{
    LUA_TSTRING, lua_State, lua_createtable, lua_pushboolean, lua_pushinteger, lua_toboolean,
    lua_tolstring, lua_touserdata, lua_type, luaL_argerror, luaL_checkinteger, luaL_checklstring,
};

use super::compression::{COMPRESSED, Unpacked};
use super::packet::{Content, PART, Packet, answer, parts, read_answer, read_content};
use super::{add, push};

/// `packresponse(session, ok, text)` or `packresponse(session, ok, block, size)`: the packet, or a table of packets for
/// a large answer. The text of an error is cut. The block stays with the caller.
pub unsafe extern "C-unwind" fn packresponse(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the bytes are an argument, or the caller's by contract.
    unsafe {
        let session = luaL_checkinteger(state, 1) as u32;
        let ok = lua_toboolean(state, 2) != 0;
        let mut len = 0;
        let bytes: *const u8 = if lua_type(state, 3) == LUA_TSTRING {
            lua_tolstring(state, 3, &mut len).cast()
        } else {
            let size = luaL_checkinteger(state, 4);
            let block = lua_touserdata(state, 3);
            len = usize::try_from(size).unwrap_or(usize::MAX);
            if len > u32::MAX as usize || (len > 0 && block.is_null()) {
                return luaL_argerror(state, 4, c"size out of range".as_ptr());
            }
            block.cast()
        };
        let message = match len {
            0 => &[],
            len => slice::from_raw_parts(bytes, len),
        };
        let mut packet = Packet::new();
        if !ok {
            let text = &message[..len.min(PART)];
            push(state, packet.answer(session, answer::ERROR, text));
        } else if len <= PART {
            push(state, packet.answer(session, answer::WHOLE, message));
        } else {
            let count = c_int::try_from(len.div_ceil(PART) + 1).unwrap_or(0);
            lua_createtable(state, count, 0);
            let size = (len as u32).to_le_bytes();
            add(state, 1, packet.answer(session, answer::BEGIN, &size));
            for (n, (part, last)) in parts(message).enumerate() {
                let kind = if last { answer::LAST } else { answer::PART };
                add(state, n + 2, Packet::new().answer(session, kind, part));
            }
        }
    }
    1
}

/// `unpackresponse(text)`: session, whether all is well, the text or block of bytes; and true when more follow. The first
/// of an answer in parts has its size instead of a text. Nothing for what is no answer.
pub unsafe extern "C-unwind" fn unpackresponse(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the packet is an argument.
    unsafe {
        let mut len = 0;
        let text = luaL_checklstring(state, 1, &mut len);
        let packet = slice::from_raw_parts(text.cast::<u8>(), len);
        results(state, packet)
    }
}

/// `readresponse(text, from, to)`: `unpackresponse` of a part of a text, without making it a string.
pub unsafe extern "C-unwind" fn readresponse(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text is an argument.
    unsafe {
        let mut len = 0;
        let text = luaL_checklstring(state, 1, &mut len);
        let from = usize::try_from(luaL_checkinteger(state, 2)).unwrap_or(0);
        let to = usize::try_from(luaL_checkinteger(state, 3)).unwrap_or(0);
        let text = slice::from_raw_parts(text.cast::<u8>(), len);
        match from.checked_sub(1).and_then(|from| text.get(from..to)) {
            Some(packet) => results(state, packet),
            None => luaL_argerror(state, 2, c"out of the text".as_ptr()),
        }
    }
}

/// What a packet says, on the stack.
unsafe fn results(state: *mut lua_State, packet: &[u8]) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        match packet.split_first_chunk::<4>() {
            Some((session, [COMPRESSED, body @ ..])) => {
                let mut unpacked = Unpacked::new();
                let content = unpacked.unpack(body).and_then(read_content);
                push_answer(
                    state,
                    content.map(|content| (u32::from_le_bytes(*session), content)),
                )
            }
            _ => push_answer(state, read_answer(packet)),
        }
    }
}

unsafe fn push_answer(state: *mut lua_State, answer: Option<(u32, Content)>) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        let Some((session, content)) = answer else {
            return 0;
        };
        lua_pushinteger(state, session.into());
        lua_pushboolean(state, (!matches!(content, Content::Error(_))).into());
        match content {
            Content::Error(bytes) | Content::Last(bytes) | Content::Part(bytes) => {
                push(state, bytes);
            }
            Content::Begin(size) => lua_pushinteger(state, size.into()),
        }
        if matches!(content, Content::Error(_) | Content::Last(_)) {
            return 3;
        }
        lua_pushboolean(state, 1);
    }
    4
}
