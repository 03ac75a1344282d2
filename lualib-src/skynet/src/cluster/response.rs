//! `packresponse`, `unpackresponse`: the side that answers, and what it sends.

use libc::c_int;
use mlua_sys::{LUA_TSTRING, lua_Integer};
use skynet_support::State;

use super::compression::{COMPRESSED, Unpacked};
use super::packet::{Content, PART, Packet, answer, parts, read_answer, read_content};
use super::{add, assembly};
use crate::arguments;
use crate::block::{Block, OutOfMemory};

/// `packresponse(session, ok, text)` or `packresponse(session, ok, block, size)`: the packet, or a table of packets for
/// a large answer. The text of an error is cut. The block stays with the caller.
pub fn packresponse(state: State<'_>) -> c_int {
    let session = state.check_integer(1) as u32;
    let ok = state.to_boolean(2);
    let message = if state.kind(3) == LUA_TSTRING {
        state.check_bytes(3)
    } else {
        let size = state.check_integer(4);
        let block = state.to_userdata(3);
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        if len > u32::MAX as usize || (len > 0 && block.is_null()) {
            state.argument_error(4, c"size out of range");
        }
        // SAFETY: who passes an address and a size says that so many bytes are there.
        unsafe { arguments::bytes(block, len) }
    };
    let len = message.len();
    let mut packet = Packet::new();
    if !ok {
        let text = &message[..len.min(PART)];
        state.push_bytes(packet.answer(session, answer::ERROR, text));
    } else if len <= PART {
        state.push_bytes(packet.answer(session, answer::WHOLE, message));
    } else {
        let count = c_int::try_from(len.div_ceil(PART) + 1).unwrap_or(0);
        state.create_table(count, 0);
        let size = (len as u32).to_le_bytes();
        add(state, 1, packet.answer(session, answer::BEGIN, &size));
        for (n, (part, last)) in parts(message).enumerate() {
            let kind = if last { answer::LAST } else { answer::PART };
            add(state, n + 2, Packet::new().answer(session, kind, part));
        }
    }
    1
}

/// `unpackresponse(text)`: session, whether all is well, the text or block of bytes; and true when more follow. The first
/// of an answer in parts has its size instead of a text. Nothing for what is no answer.
pub fn unpackresponse(state: State<'_>) -> c_int {
    results(state, state.check_bytes(1), 0)
}

/// `readresponse(text, from, to [, assemblies])`: `unpackresponse` of a part of a text, without making it a string. A part of an
/// answer that `assemblies` has, by its session, is added to that: there is nil in its place, and a fifth result is its size.
pub fn readresponse(state: State<'_>) -> c_int {
    let text = state.check_bytes(1);
    let from = usize::try_from(state.check_integer(2)).unwrap_or(0);
    let to = usize::try_from(state.check_integer(3)).unwrap_or(0);
    match from.checked_sub(1).and_then(|from| text.get(from..to)) {
        Some(packet) => results(state, packet, ASSEMBLIES),
        None => state.argument_error(2, c"out of the text"),
    }
}

/// Place of the table of `readresponse`.
const ASSEMBLIES: c_int = 4;

/// What a packet says, on the stack. `assemblies`: index of the table of messages in the making.
fn results(state: State<'_>, packet: &[u8], assemblies: c_int) -> c_int {
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

fn push_answer(state: State<'_>, answer: Option<(u32, Content)>, assemblies: c_int) -> c_int {
    let Some((session, content)) = answer else {
        return 0;
    };
    if let (Content::Part(part) | Content::Last(part), 1..) = (&content, assemblies)
        && let Some(assembly) = assembly::find(state, assemblies, session)
    {
        match assembly.add(part) {
            Ok(false) => {}
            Ok(true) => {
                let more = matches!(content, Content::Part(_));
                return push_added(state, session, part.len(), more);
            }
            Err(OutOfMemory) => state.error(c"not enough memory"),
        }
    }
    state.push_integer(session.into());
    state.push_boolean(!matches!(content, Content::Error(_)));
    match content {
        Content::Error(bytes) | Content::Last(bytes) | Content::Part(bytes) => {
            state.push_bytes(bytes);
        }
        Content::Begin(size) => state.push_integer(size.into()),
    }
    if matches!(content, Content::Error(_) | Content::Last(_)) {
        return 3;
    }
    state.push_boolean(true);
    4
}

/// The results for a part that was added to its message.
fn push_added(state: State<'_>, session: u32, size: usize, more: bool) -> c_int {
    state.push_integer(session.into());
    state.push_boolean(true);
    state.push_nil();
    state.push_boolean(more);
    state.push_integer(size as lua_Integer);
    5
}

/// Parts that `largeanswer` puts into one block: what small answers of others wait for at most.
const PARTS_TOGETHER: usize = 4;

/// `largeanswer(session, block, size)`: the packets of a large answer, several of them in a block: a table of blocks, which are the
/// caller's, and their sizes in turns. The message stays with the caller.
///
/// When there is no memory for the table's next entry, the blocks that are in it are lost.
pub fn largeanswer(state: State<'_>) -> c_int {
    let session = state.check_integer(1) as u32;
    let block = state.to_userdata(2);
    let Ok(size) = u32::try_from(state.check_integer(3)) else {
        state.argument_error(3, c"size out of range");
    };
    if block.is_null() {
        state.argument_error(2, c"null pointer");
    }
    // SAFETY: who passes a message and its size says that so many bytes are there.
    let message = unsafe { arguments::bytes(block, size as usize) };
    let parts_count = message.len().div_ceil(PART);
    let pieces = parts_count.div_ceil(PARTS_TOGETHER);
    state.create_table(c_int::try_from(2 * pieces).unwrap_or(0), 0);
    for (n, piece) in message.chunks(PART * PARTS_TOGETHER).enumerate() {
        let head = (n == 0).then_some(size);
        let is_last = n + 1 == pieces;
        match frame(session, head, piece, is_last).map(Block::into_raw) {
            Ok((block, len)) => {
                state.push_light(block);
                state.raw_set_i(-2, 2 * n as lua_Integer + 1);
                state.push_integer(len as lua_Integer);
                state.raw_set_i(-2, 2 * n as lua_Integer + 2);
            }
            Err(OutOfMemory) => state.error(c"not enough memory"),
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
