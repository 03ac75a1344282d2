//! The module `skynet.mongo.driver`: MongoDB's messages, of the kind OP_MSG with one section.
//!
//! ```text
//! length i32 (counts itself), request i32, response to i32, opcode i32, flags u32, section kind u8, document
//! ```
//!
//! All little endian. The length is read on its own, so a reply begins with its request number.

use std::slice;

use libc::c_int;
use mlua_sys::{LUA_TUSERDATA, lua_Integer};
use skynet_support::bytes::push_written;
use skynet_support::{State, lua_functions, lua_module};

use crate::Entry;

const FUNCTIONS: &[Entry] =
    lua_functions!(unsafe {c"reply" => reply, c"length" => length, c"op_msg" => op_msg});

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

lua_module!(unsafe luaopen_skynet_mongo_driver => FUNCTIONS);

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
fn reply(state: State<'_>) -> c_int {
    let problem = match parse(state.check_bytes(1)) {
        None => {
            state.push_boolean(false);
            return 1;
        }
        Some(Ok((answered, document))) => {
            state.push_boolean(true);
            state.push_integer(answered.into());
            state.push_light(document.as_ptr());
            return 3;
        }
        Some(Err(problem)) => problem,
    };
    match problem {
        Problem::Opcode(opcode) => state.error_with(format_args!("Unsupported opcode:{opcode}")),
        Problem::Checksum => state.error(c"Unsupported OP_MSG flag checksumPresent"),
        Problem::Flags(flags) => state.error_with(format_args!("Unsupported OP_MSG flag:{flags}")),
        Problem::Section(kind) => {
            state.error_with(format_args!("Unsupported OP_MSG payload type: {kind}"))
        }
        Problem::Document => state.error(c"Unsupported OP_MSG reply: >1 section"),
    }
}

/// `length(bytes)`: how many bytes follow the first four of a message, which are given. Raises an error when they are fewer
/// than four, or no message can be that short.
fn length(state: State<'_>) -> c_int {
    let Some(said) = state.check_bytes(1).first_chunk::<4>() else {
        state.error(c"Invalid message length");
    };
    let said = i32::from_le_bytes(*said);
    if said < 4 {
        state.error_with(format_args!("Invalid message length: {}", said));
    }
    state.push_integer(lua_Integer::from(said) - 4);
    1
}

/// `op_msg(request, flags, document)`: a message. Raises an error for what is no document.
fn op_msg(state: State<'_>) -> c_int {
    let request = state.check_integer(1) as i32;
    let flags = state.check_integer(2) as i32;
    let document: *const u8 = state.to_userdata(3).cast();
    if document.is_null() {
        state.error(c"opmsg require cmd document");
    }
    let held = match state.kind(3) {
        LUA_TUSERDATA => state.raw_len(3),
        // A pointer: only the document knows.
        _ => i32::MAX as usize,
    };
    let mut len = 0;
    if held >= SMALLEST {
        // SAFETY: a userdata of that size, or what the caller says is a document: it begins with its length.
        len = unsafe { i32::from_le_bytes(document.cast::<[u8; 4]>().read_unaligned()) };
    }
    let size = usize::try_from(len).unwrap_or(0);
    let total = len.checked_add(HEADER as i32 + 1);
    let (Some(total), true) = (total, (SMALLEST..=held).contains(&size)) else {
        state.error_with(format_args!("Invalid document ({} bytes)", len));
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
    // SAFETY: as above; so long it is.
    let document = unsafe { slice::from_raw_parts(document, size) };
    push_written(state, head.len() + size, |message| {
        let (first, rest) = message.split_at_mut(head.len());
        first.copy_from_slice(&head);
        rest.copy_from_slice(document);
        Some(message.len())
    });
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
