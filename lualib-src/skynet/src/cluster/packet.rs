//! The packets between the nodes of a cluster.
//!
//! A packet is two bytes of length, the high one first, and as many bytes; other numbers have the low byte first. What
//! does not fit goes in parts of [`PART`] bytes behind a packet that gives the size of the whole.
//!
//! Requests, by their first byte (with 0x80 for a name as the address, with 0x40 for a message without an answer):
//!
//! | | what follows |
//! |---|---|
//! | 0, 0x80 | address, session, message; session 0: no answer |
//! | 1, 0x41, 0x81, 0xc1 | address, session, size; the message follows in parts |
//! | 2, 3 | session, a part; 3 is the last |
//! | 4 | the trace tag of the next request |
//!
//! An address is a number of 4 bytes, or a byte of length and a name.
//!
//! Answers are a session, a byte and what it says: 0 an error, 1 the whole answer, 2 the size of an answer in parts, 3 a
//! part, 4 the last part.
//!
//! Both sides have a kind 16 besides, which only nodes get that have asked for it: see [`super::compression`].

use std::mem::MaybeUninit;

/// Bytes of a part.
pub const PART: usize = 0x8000;

/// Largest packet with its header: a small request to the longest name.
pub const CAPACITY: usize = 2 + 1 + 1 + 255 + 4 + PART;

const NAME: u8 = 0x80;
const LARGE: u8 = 1;
const LARGE_PUSH: u8 = 0x41;
const PART_MORE: u8 = 2;
const PART_LAST: u8 = 3;
const TRACE: u8 = 4;

/// What an answer says.
#[allow(missing_docs)]
pub mod answer {
    pub const ERROR: u8 = 0;
    pub const WHOLE: u8 = 1;
    pub const BEGIN: u8 = 2;
    pub const PART: u8 = 3;
    pub const LAST: u8 = 4;
}

/// Whom a request is for.
#[derive(Debug, PartialEq, Clone, Copy)]
pub enum Address<'a> {
    /// A handle; 0 asks for the handle of a name.
    Number(u32),
    /// A registered name, 255 bytes at most.
    Name(&'a [u8]),
}

/// A packet that is being written. Plain data: it may be abandoned at any time.
pub struct Packet {
    bytes: [MaybeUninit<u8>; CAPACITY],
    len: usize,
}

impl Packet {
    /// A packet of no bytes.
    #[allow(clippy::new_without_default)] // never moved: 32 KiB
    #[inline(always)]
    pub fn new() -> Packet {
        Packet {
            bytes: [MaybeUninit::uninit(); CAPACITY],
            len: 2,
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].write_copy_of_slice(bytes);
        self.len += bytes.len();
    }

    fn number(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    fn address(&mut self, kind: u8, to: Address) {
        match to {
            Address::Number(handle) => {
                self.put(&[kind]);
                self.number(handle);
            }
            Address::Name(name) => {
                self.put(&[kind | NAME, name.len() as u8]);
                self.put(name);
            }
        }
    }

    /// The packet with its length.
    pub fn bytes(&mut self) -> &[u8] {
        let [high, low] = ((self.len - 2) as u16).to_be_bytes();
        self.bytes[..2].write_copy_of_slice(&[high, low]);
        // SAFETY: the length has been written here, and all up to `len` by `put`.
        unsafe { self.bytes[..self.len].assume_init_ref() }
    }

    /// A request of fewer than [`PART`] bytes. Session 0 asks for no answer.
    ///
    /// # Panics
    /// If the message or the name is longer than they may be, as the functions below.
    pub fn request(&mut self, to: Address, session: u32, message: &[u8]) -> &[u8] {
        self.address(0, to);
        self.number(session);
        self.put(message);
        self.bytes()
    }

    /// The announcement of a request of `size` bytes in parts.
    pub fn large_request(&mut self, to: Address, session: u32, size: u32, push: bool) -> &[u8] {
        self.address(if push { LARGE_PUSH } else { LARGE }, to);
        self.number(session);
        self.number(size);
        self.bytes()
    }

    /// A part of a request.
    pub fn request_part(&mut self, session: u32, part: &[u8], last: bool) -> &[u8] {
        self.put(&[if last { PART_LAST } else { PART_MORE }]);
        self.number(session);
        self.put(part);
        self.bytes()
    }

    /// The trace tag of the next request, [`PART`] bytes at most.
    pub fn trace(&mut self, tag: &[u8]) -> &[u8] {
        self.put(&[TRACE]);
        self.put(tag);
        self.bytes()
    }

    /// An answer, or a piece of one; `kind` is one of [`answer`].
    pub fn answer(&mut self, session: u32, kind: u8, bytes: &[u8]) -> &[u8] {
        self.number(session);
        self.put(&[kind]);
        self.put(bytes);
        self.bytes()
    }
}

/// The pieces of a large message; the last one is known by the flag.
pub fn parts(message: &[u8]) -> impl Iterator<Item = (&[u8], bool)> {
    let last = message.len().saturating_sub(1) / PART;
    let pieces = message.chunks(PART).enumerate();
    pieces.map(move |(n, piece)| (piece, n == last))
}

/// A packet of the request side, without its length.
#[derive(Debug, PartialEq)]
pub enum Request<'a> {
    /// The whole of a request. Session 0: no answer is wanted.
    Whole {
        /// Whom it is for.
        to: Address<'a>,
        /// Number of the answer.
        session: u32,
        /// What is sent.
        message: &'a [u8],
    },
    /// A request of `size` bytes begins.
    Begin {
        /// Whom it is for.
        to: Address<'a>,
        /// Number of the parts, and of the answer.
        session: u32,
        /// Bytes of all parts, says the peer.
        size: u32,
        /// No answer is wanted.
        push: bool,
    },
    /// A part.
    Part {
        /// Number of the request.
        session: u32,
        /// The bytes.
        part: &'a [u8],
        /// More parts follow.
        more: bool,
    },
    /// The trace tag of the next request.
    Trace(&'a [u8]),
}

/// Why a packet is no request.
#[derive(Debug, PartialEq)]
pub enum Malformed {
    /// No byte at all.
    Empty,
    /// Too short for its kind.
    Short,
    /// The announcement of a large request to a number is not 13 bytes.
    NotThirteen,
    /// A part without a session.
    Part,
    /// The first byte is none of those above.
    Kind(u8),
}

/// Takes a number off the front.
fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// Takes an address off the front.
fn address(named: bool, bytes: &[u8]) -> Option<(Address<'_>, &[u8])> {
    if !named {
        return number(bytes).map(|(handle, rest)| (Address::Number(handle), rest));
    }
    let (&len, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(len.into())?;
    Some((Address::Name(name), rest))
}

/// Reads a packet of the request side.
pub fn read_request(packet: &[u8]) -> Result<Request<'_>, Malformed> {
    let (&kind, body) = packet.split_first().ok_or(Malformed::Empty)?;
    let named = kind & NAME != 0;
    match kind {
        0 | NAME => {
            let (to, rest) = address(named, body).ok_or(Malformed::Short)?;
            let (session, message) = number(rest).ok_or(Malformed::Short)?;
            Ok(Request::Whole {
                to,
                session,
                message,
            })
        }
        0x01 | 0x41 | 0x81 | 0xc1 => {
            if !named && packet.len() != 13 {
                return Err(Malformed::NotThirteen);
            }
            let (to, rest) = address(named, body).ok_or(Malformed::Short)?;
            let (session, rest) = number(rest).ok_or(Malformed::Short)?;
            let (size, _) = number(rest).ok_or(Malformed::Short)?;
            Ok(Request::Begin {
                to,
                session,
                size,
                push: kind & !NAME == LARGE_PUSH,
            })
        }
        PART_MORE | PART_LAST => {
            let (session, part) = number(body).ok_or(Malformed::Part)?;
            Ok(Request::Part {
                session,
                part,
                more: kind == PART_MORE,
            })
        }
        TRACE => Ok(Request::Trace(body)),
        kind => Err(Malformed::Kind(kind)),
    }
}

/// What an answer brings.
#[derive(Debug, PartialEq)]
pub enum Content<'a> {
    /// The text of an error.
    Error(&'a [u8]),
    /// The whole answer, or the last part of one.
    Last(&'a [u8]),
    /// A part; more follow.
    Part(&'a [u8]),
    /// An answer in parts begins; bytes of all of them, says the peer.
    Begin(u32),
}

/// Reads a packet of the answer side, without its length: its session and content, or nothing if it is none.
pub fn read_answer(packet: &[u8]) -> Option<(u32, Content<'_>)> {
    let (session, rest) = number(packet)?;
    Some((session, read_content(rest)?))
}

/// What follows the session of an answer.
pub fn read_content(rest: &[u8]) -> Option<Content<'_>> {
    let (&kind, bytes) = rest.split_first()?;
    let content = match kind {
        answer::ERROR => Content::Error(bytes),
        answer::WHOLE | answer::LAST => Content::Last(bytes),
        answer::PART => Content::Part(bytes),
        answer::BEGIN => match number(bytes)? {
            (size, []) => Content::Begin(size),
            _ => return None,
        },
        _ => return None,
    };
    Some(content)
}

#[cfg(test)]
mod tests;
