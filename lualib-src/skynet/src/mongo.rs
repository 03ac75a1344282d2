//! The module `skynet.mongo.driver`: MongoDB's messages, of the kind OP_MSG with one section.
//!
//! ```text
//! length i32 (counts itself), request i32, response to i32, opcode i32, flags u32, section kind u8, document
//! ```
//!
//! All little endian. The length is read on its own, so a reply begins with its request number.

use std::ptr;
use std::slice;

use libc::{c_char, c_int, c_void};
use mlua_sys::{
    LUA_TUSERDATA, lua_Integer, lua_State, lua_createtable, lua_pushboolean, lua_pushinteger,
    lua_pushlightuserdata, lua_rawlen, lua_touserdata, lua_type, luaL_Buffer, luaL_buffinitsize,
    luaL_checkinteger, luaL_checklstring, luaL_error, luaL_pushresultsize,
};

use crate::{Entry, check_version, register};

const FUNCTIONS: &[Entry] = &[(c"reply", reply), (c"length", length), (c"op_msg", op_msg)];

const OP_MSG: i32 = 2013;
/// A checksum follows the sections.
const CHECKSUM_PRESENT: i32 = 1;
/// The peer will send another message without being asked.
const MORE_TO_COME: i32 = 2;
/// Kind of a section that is a single document.
const BODY: u8 = 0;
/// Bytes of a message before its section.
const HEADER: usize = 20;
/// Bytes of a document with no elements.
const SMALLEST: usize = 5;

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_mongo_driver(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// What is wrong with a reply.
#[derive(Debug, PartialEq, Eq)]
enum Problem {
    Opcode(i32),
    Checksum,
    Flags(i32),
    Section(u8),
    /// What follows the section's kind is not one document.
    Document,
}

/// Which request a reply answers, and its document. `None`: there is not even a header.
fn parse(reply: &[u8]) -> Option<Result<(i32, &[u8]), Problem>> {
    let (header, section) = reply.split_first_chunk::<16>()?;
    let (fields, _) = header.as_chunks::<4>();
    let [_, answered, opcode, flags] = [0, 1, 2, 3].map(|at| i32::from_le_bytes(fields[at]));
    if opcode != OP_MSG {
        return Some(Err(Problem::Opcode(opcode)));
    }
    if flags & CHECKSUM_PRESENT != 0 {
        return Some(Err(Problem::Checksum));
    }
    if flags != 0 && flags != MORE_TO_COME {
        return Some(Err(Problem::Flags(flags)));
    }
    let Some((&kind, document)) = section.split_first() else {
        return Some(Err(Problem::Document));
    };
    if kind != BODY {
        return Some(Err(Problem::Section(kind)));
    }
    let said = document.first_chunk().map(|len| i32::from_le_bytes(*len));
    let whole = document.len() >= SMALLEST
        && said.and_then(|len| usize::try_from(len).ok()) == Some(document.len());
    if !whole {
        return Some(Err(Problem::Document));
    }
    Some(Ok((answered, document)))
}

/// `reply(message)`: true, the number of the request that it answers, and a pointer to its document, which is good as long
/// as the message is kept; false when the message has no header. Raises an error for what is no plain OP_MSG.
unsafe extern "C-unwind" fn reply(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string stays on the stack while it is used.
    unsafe {
        let mut len = 0;
        let message: *const u8 = luaL_checklstring(state, 1, &mut len).cast();
        let problem = match parse(slice::from_raw_parts(message, len)) {
            None => {
                lua_pushboolean(state, 0);
                return 1;
            }
            Some(Ok((answered, document))) => {
                lua_pushboolean(state, 1);
                lua_pushinteger(state, answered.into());
                lua_pushlightuserdata(state, document.as_ptr().cast_mut().cast::<c_void>());
                return 3;
            }
            Some(Err(problem)) => problem,
        };
        let (text, number) = match problem {
            Problem::Opcode(opcode) => (c"Unsupported opcode:%d", opcode),
            Problem::Checksum => (c"Unsupported OP_MSG flag checksumPresent", 0),
            Problem::Flags(flags) => (c"Unsupported OP_MSG flag:%d", flags),
            Problem::Section(kind) => (c"Unsupported OP_MSG payload type: %d", kind.into()),
            Problem::Document => (c"Unsupported OP_MSG reply: >1 section", 0),
        };
        luaL_error(state, text.as_ptr(), number)
    }
}

/// `length(bytes)`: how many bytes follow the first four of a message, which are given. Raises an error when they are fewer
/// than four, or no message can be that short.
unsafe extern "C-unwind" fn length(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string is an argument.
    unsafe {
        let mut len = 0;
        let bytes: *const u8 = luaL_checklstring(state, 1, &mut len).cast();
        let Some(said) = slice::from_raw_parts(bytes, len).first_chunk::<4>() else {
            return luaL_error(state, c"Invalid message length".as_ptr());
        };
        let said = i32::from_le_bytes(*said);
        if said < 4 {
            return luaL_error(state, c"Invalid message length: %d".as_ptr(), said);
        }
        lua_pushinteger(state, lua_Integer::from(said) - 4);
    }
    1
}

/// `op_msg(request, flags, document)`: a message. Raises an error for what is no document.
unsafe extern "C-unwind" fn op_msg(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. The document is an argument, or readable as far as it says by contract.
    unsafe {
        let request = luaL_checkinteger(state, 1) as i32;
        let flags = luaL_checkinteger(state, 2) as i32;
        let document: *const u8 = lua_touserdata(state, 3).cast();
        if document.is_null() {
            return luaL_error(state, c"opmsg require cmd document".as_ptr());
        }
        let held = match lua_type(state, 3) {
            LUA_TUSERDATA => lua_rawlen(state, 3),
            // A pointer: only the document knows.
            _ => i32::MAX as usize,
        };
        let mut len = 0;
        if held >= SMALLEST {
            len = i32::from_le_bytes(document.cast::<[u8; 4]>().read_unaligned());
        }
        let size = usize::try_from(len).unwrap_or(0);
        let total = len.checked_add(HEADER as i32 + 1);
        let (Some(total), true) = (total, (SMALLEST..=held).contains(&size)) else {
            return luaL_error(state, c"Invalid document (%d bytes)".as_ptr(), len);
        };
        let mut head = [BODY; HEADER + 1];
        for (field, value) in head
            .as_chunks_mut::<4>()
            .0
            .iter_mut()
            .zip([total, request, 0, OP_MSG, flags])
        {
            *field = value.to_le_bytes();
        }
        // The buffer frees nothing itself; if it raises, Lua does.
        let mut buffer = std::mem::MaybeUninit::<luaL_Buffer>::uninit();
        let place: *mut c_char =
            luaL_buffinitsize(state, buffer.as_mut_ptr(), head.len() + size).cast();
        ptr::copy_nonoverlapping(head.as_ptr().cast(), place, head.len());
        ptr::copy_nonoverlapping(document.cast(), place.add(head.len()), size);
        luaL_pushresultsize(buffer.as_mut_ptr(), head.len() + size);
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: [i32; 4], section: &[u8]) -> Vec<u8> {
        let mut bytes: Vec<u8> = fields
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect();
        bytes.extend_from_slice(section);
        bytes
    }

    #[test]
    fn a_reply_has_one_document_and_nothing_else() {
        let whole = message([9, 7, OP_MSG, MORE_TO_COME], &[0, 5, 0, 0, 0, 0]);
        assert_eq!(parse(&whole), Some(Ok((7, &[5, 0, 0, 0, 0][..]))));
        for end in 16..whole.len() {
            assert_eq!(parse(&whole[..end]), Some(Err(Problem::Document)));
        }
        assert_eq!(parse(&whole[..15]), None);
        let more = [&whole[..], &[0]].concat();
        assert_eq!(parse(&more), Some(Err(Problem::Document)));
        let negative = message([9, 7, OP_MSG, 0], &[0, 255, 255, 255, 255, 0]);
        assert_eq!(parse(&negative), Some(Err(Problem::Document)));
    }
}
