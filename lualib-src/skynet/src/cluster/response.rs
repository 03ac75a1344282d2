//! `packresponse`, `unpackresponse`: the side that answers, and what it sends.

use std::slice;

use libc::c_int;
use mlua_sys::{
    LUA_TSTRING, lua_Integer, lua_State, lua_createtable, lua_pushboolean, lua_pushinteger,
    lua_pushlightuserdata, lua_pushnil, lua_rawseti, lua_toboolean, lua_tolstring, lua_touserdata,
    lua_type, luaL_argerror, luaL_checkinteger, luaL_checklstring, luaL_error,
};

use super::assembly;
use super::compression::{COMPRESSED, Unpacked};
use super::packet::{Content, PART, Packet, answer, parts, read_answer, read_content};
use super::{add, push};
use crate::block::{Block, OutOfMemory};

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
        results(state, packet, 0)
    }
}

/// `readresponse(text, from, to [, assemblies])`: `unpackresponse` of a part of a text, without making it a string. A part of an
/// answer that `assemblies` has, by its session, is added to that: there is nil in its place, and a fifth result is its size.
pub unsafe extern "C-unwind" fn readresponse(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text is an argument.
    unsafe {
        let mut len = 0;
        let text = luaL_checklstring(state, 1, &mut len);
        let from = usize::try_from(luaL_checkinteger(state, 2)).unwrap_or(0);
        let to = usize::try_from(luaL_checkinteger(state, 3)).unwrap_or(0);
        let text = slice::from_raw_parts(text.cast::<u8>(), len);
        match from.checked_sub(1).and_then(|from| text.get(from..to)) {
            Some(packet) => results(state, packet, ASSEMBLIES),
            None => luaL_argerror(state, 2, c"out of the text".as_ptr()),
        }
    }
}

/// Place of the table of `readresponse`.
const ASSEMBLIES: c_int = 4;

/// What a packet says, on the stack. `assemblies`: index of the table of messages in the making.
unsafe fn results(state: *mut lua_State, packet: &[u8], assemblies: c_int) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        match packet.split_first_chunk::<4>() {
            Some((session, [COMPRESSED, body @ ..])) => {
                let mut unpacked = Unpacked::new();
                let content = unpacked.unpack(body).and_then(read_content);
                let session = u32::from_le_bytes(*session);
                push_answer(state, content.map(|content| (session, content)), assemblies)
            }
            _ => push_answer(state, read_answer(packet), assemblies),
        }
    }
}

unsafe fn push_answer(
    state: *mut lua_State,
    answer: Option<(u32, Content)>,
    assemblies: c_int,
) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        let Some((session, content)) = answer else {
            return 0;
        };
        if let (Content::Part(part) | Content::Last(part), 1..) = (&content, assemblies)
            && let Some(assembly) = assembly::find(state, assemblies, session).as_mut()
        {
            match assembly.add(part) {
                Ok(false) => {}
                Ok(true) => {
                    let more = matches!(content, Content::Part(_));
                    return push_added(state, session, part.len(), more);
                }
                Err(OutOfMemory) => return luaL_error(state, c"not enough memory".as_ptr()),
            }
        }
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

/// The results for a part that was added to its message.
unsafe fn push_added(state: *mut lua_State, session: u32, size: usize, more: bool) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        lua_pushinteger(state, session.into());
        lua_pushboolean(state, 1);
        lua_pushnil(state);
        lua_pushboolean(state, more.into());
        lua_pushinteger(state, size as lua_Integer);
    }
    5
}

/// Parts that `largeanswer` puts into one block: what small answers of others wait for at most.
const PARTS_TOGETHER: usize = 4;

/// `largeanswer(session, block, size)`: the packets of a large answer, several of them in a block: a table of blocks, which are the
/// caller's, and their sizes in turns. The message stays with the caller.
pub unsafe extern "C-unwind" fn largeanswer(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the bytes are the caller's by contract. A block is a raw pointer, and in the table before anything else
    // can raise; when there is no memory for the table's next entry, those that are in it are lost.
    unsafe {
        let session = luaL_checkinteger(state, 1) as u32;
        let block: *const u8 = lua_touserdata(state, 2).cast();
        let Ok(size) = u32::try_from(luaL_checkinteger(state, 3)) else {
            return luaL_argerror(state, 3, c"size out of range".as_ptr());
        };
        if block.is_null() {
            return luaL_argerror(state, 2, c"null pointer".as_ptr());
        }
        let message = slice::from_raw_parts(block, size as usize);
        let parts_count = message.len().div_ceil(PART);
        let pieces = parts_count.div_ceil(PARTS_TOGETHER);
        lua_createtable(state, c_int::try_from(2 * pieces).unwrap_or(0), 0);
        for (n, piece) in message.chunks(PART * PARTS_TOGETHER).enumerate() {
            let head = (n == 0).then_some(size);
            let is_last = n + 1 == pieces;
            match frame(session, head, piece, is_last).map(Block::into_raw) {
                Ok((block, len)) => {
                    lua_pushlightuserdata(state, block);
                    lua_rawseti(state, -2, 2 * n as lua_Integer + 1);
                    lua_pushinteger(state, len as lua_Integer);
                    lua_rawseti(state, -2, 2 * n as lua_Integer + 2);
                }
                Err(OutOfMemory) => return luaL_error(state, c"not enough memory".as_ptr()),
            }
        }
    }
    1
}

/// Packets of an answer behind each other: its beginning if there is a `size`, and the parts of `piece`.
fn frame(
    session: u32,
    size: Option<u32>,
    piece: &[u8],
    is_last: bool,
) -> Result<Block, OutOfMemory> {
    /// Length, session and kind.
    const HEAD: usize = 2 + 4 + 1;
    let count = piece.len().div_ceil(PART);
    let mut block = Block::with_capacity((count + 1) * HEAD + 4 + piece.len())?;
    let mut add = |kind: u8, bytes: &[u8]| {
        let mut head = [0; HEAD];
        let len = (HEAD - 2 + bytes.len()) as u16;
        head[..2].copy_from_slice(&len.to_be_bytes());
        head[2..6].copy_from_slice(&session.to_le_bytes());
        head[6] = kind;
        // SAFETY: there is room for a head for each part and the beginning, and for all bytes.
        unsafe {
            block.append(&head);
            block.append(bytes);
        }
    };
    if let Some(size) = size {
        add(answer::BEGIN, &size.to_le_bytes());
    }
    for (n, part) in piece.chunks(PART).enumerate() {
        let kind = if is_last && n + 1 == count {
            answer::LAST
        } else {
            answer::PART
        };
        add(kind, part);
    }
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framed_packets_are_those_that_are_made_one_by_one() {
        let message: Vec<u8> = (0..PART * 2 + 100).map(|n| n as u8).collect();
        let framed = frame(9, Some(message.len() as u32), &message, true).unwrap();
        let size = (message.len() as u32).to_le_bytes();
        let mut expected = Packet::new().answer(9, answer::BEGIN, &size).to_vec();
        for (part, last) in parts(&message) {
            let kind = if last { answer::LAST } else { answer::PART };
            expected.extend_from_slice(Packet::new().answer(9, kind, part));
        }
        assert_eq!(framed.bytes(), expected);
        let first = frame(9, None, &message[..PART], false).unwrap();
        assert_eq!(
            first.bytes(),
            Packet::new().answer(9, answer::PART, &message[..PART])
        );
    }
}
