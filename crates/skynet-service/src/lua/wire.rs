//! The bytes of single values. A value begins with one byte, `kind | cookie << 3`; numbers are in the machine's own order.

use super::de::exact;
use super::error::Error;
use super::readings::Field;
use crate::payload::PayloadWriter;

pub(super) const NIL: u8 = 0;
pub(super) const BOOLEAN: u8 = 1;
pub(super) const NUMBER: u8 = 2;
pub(super) const POINTER: u8 = 3;
pub(super) const SHORT: u8 = 4;
pub(super) const LONG: u8 = 5;
pub(super) const TABLE: u8 = 6;

/// The deepest table may be in that many others.
pub(super) const MAX_DEPTH: usize = 32;

/// Strings below this length have it in their first byte.
const SHORT_LIMIT: usize = 32;
/// Arrays from this length on have it behind their first byte.
const ARRAY_LIMIT: usize = 31;

const fn head(kind: u8, cookie: u8) -> u8 {
    kind | cookie << 3
}

pub(super) fn nil(out: &mut PayloadWriter) {
    out.put(&[head(NIL, 0)]);
}

pub(super) fn boolean(out: &mut PayloadWriter, value: bool) {
    out.put(&[head(BOOLEAN, u8::from(value))]);
}

/// The bytes of an integer, and how many they are.
fn integer_bytes(value: i64) -> ([u8; 9], usize) {
    let mut bytes = [0; 9];
    let mut fill = |cookie, number: &[u8]| {
        bytes[0] = head(NUMBER, cookie);
        bytes[1..=number.len()].copy_from_slice(number);
        number.len() + 1
    };
    let len = if value == 0 {
        fill(0, &[])
    } else if let Ok(value) = u8::try_from(value) {
        fill(1, &value.to_ne_bytes())
    } else if let Ok(value) = u16::try_from(value) {
        fill(2, &value.to_ne_bytes())
    } else if let Ok(value) = i32::try_from(value) {
        fill(4, &value.to_ne_bytes())
    } else {
        fill(6, &value.to_ne_bytes())
    };
    (bytes, len)
}

pub(super) fn integer(out: &mut PayloadWriter, value: i64) {
    let (bytes, len) = integer_bytes(value);
    out.put(&bytes[..len]);
}

pub(super) fn float(out: &mut PayloadWriter, value: f64) {
    let mut bytes = [0; 9];
    bytes[0] = head(NUMBER, 8);
    bytes[1..].copy_from_slice(&value.to_ne_bytes());
    out.put(&bytes);
}

pub(super) fn pointer(out: &mut PayloadWriter, value: usize) {
    out.put(&[head(POINTER, 0)]);
    out.put(&value.to_ne_bytes());
}

pub(super) fn string(out: &mut PayloadWriter, bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() < SHORT_LIMIT {
        out.put(&[head(SHORT, bytes.len() as u8)]);
    } else if let Ok(len) = u16::try_from(bytes.len()) {
        out.put(&[head(LONG, 2)]);
        out.put(&len.to_ne_bytes());
    } else {
        let len = u32::try_from(bytes.len())
            .map_err(|_| Error::Unsupported("message with a string of 4 GiB"))?;
        out.put(&[head(LONG, 4)]);
        out.put(&len.to_ne_bytes());
    }
    out.put(bytes);
    Ok(())
}

/// The first bytes of a table with so many items in its array, before the byte at `at`.
pub(super) fn table(out: &mut PayloadWriter, at: usize, items: usize) -> Result<(), Error> {
    if items < ARRAY_LIMIT {
        out.insert(at, &[head(TABLE, items as u8)]);
        return Ok(());
    }
    // The unpacker counts in C integers.
    let items =
        i32::try_from(items).map_err(|_| Error::Unsupported("message with such a long table"))?;
    let (number, len) = integer_bytes(items.into());
    let mut bytes = [0; 10];
    bytes[0] = head(TABLE, ARRAY_LIMIT as u8);
    bytes[1..=len].copy_from_slice(&number[..len]);
    out.insert(at, &bytes[..=len]);
    Ok(())
}

/// A value that was read, or the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'de> {
    Nil,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Pointer(usize),
    String(&'de [u8]),
    /// So many items follow, it says; then pairs, then nil.
    Table(usize),
}

impl Token<'_> {
    /// The number of an item, as a key.
    pub(super) fn index(self) -> Option<i64> {
        match self {
            Token::Integer(number) => Some(number),
            Token::Float(number) => exact(number),
            _ => None,
        }
    }
}

/// Bytes that are read from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'de> {
    bytes: &'de [u8],
    at: usize,
    /// What is read, while readings are sought.
    pub(super) field: Field,
}

impl<'de> Input<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Input<'de> {
        Input {
            bytes,
            at: 0,
            field: Field::NONE,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The next byte is a nil.
    pub(super) fn is_nil(&self) -> bool {
        self.bytes.get(self.at).is_some_and(|byte| byte & 7 == NIL)
    }

    pub(super) fn rest(&self) -> &'de [u8] {
        &self.bytes[self.at..]
    }

    fn take<const N: usize>(&mut self, begin: usize) -> Result<[u8; N], Error> {
        let truncated = Error::Truncated { at: begin };
        let bytes = self.bytes[self.at..].first_chunk::<N>().ok_or(truncated)?;
        self.at += N;
        Ok(*bytes)
    }

    fn slice(&mut self, len: usize, begin: usize) -> Result<&'de [u8], Error> {
        let truncated = Error::Truncated { at: begin };
        let bytes = self.bytes[self.at..].get(..len).ok_or(truncated)?;
        self.at += len;
        Ok(bytes)
    }

    fn number(&mut self, cookie: u8, begin: usize) -> Result<Token<'de>, Error> {
        let integer = match cookie {
            0 => 0,
            1 => u8::from_ne_bytes(self.take(begin)?).into(),
            2 => u16::from_ne_bytes(self.take(begin)?).into(),
            4 => i32::from_ne_bytes(self.take(begin)?).into(),
            6 => i64::from_ne_bytes(self.take(begin)?),
            8 => return Ok(Token::Float(f64::from_ne_bytes(self.take(begin)?))),
            _ => return Err(self.invalid(begin)),
        };
        Ok(Token::Integer(integer))
    }

    fn invalid(&self, at: usize) -> Error {
        let byte = self.bytes[at];
        Error::Invalid { at, byte }
    }

    /// The next value; of a table only the beginning.
    pub(super) fn token(&mut self) -> Result<Token<'de>, Error> {
        let begin = self.at;
        let [byte] = self.take(begin)?;
        let cookie = byte >> 3;
        Ok(match byte & 7 {
            NIL => Token::Nil,
            BOOLEAN => Token::Boolean(cookie != 0),
            NUMBER => self.number(cookie, begin)?,
            POINTER => Token::Pointer(usize::from_ne_bytes(self.take(begin)?)),
            SHORT => Token::String(self.slice(cookie.into(), begin)?),
            LONG => {
                let len = match cookie {
                    2 => u16::from_ne_bytes(self.take(begin)?).into(),
                    4 => u32::from_ne_bytes(self.take(begin)?) as usize,
                    _ => return Err(self.invalid(begin)),
                };
                Token::String(self.slice(len, begin)?)
            }
            TABLE => Token::Table(self.array_len(cookie, begin)?),
            _ => return Err(self.invalid(begin)),
        })
    }

    fn array_len(&mut self, cookie: u8, begin: usize) -> Result<usize, Error> {
        if usize::from(cookie) < ARRAY_LIMIT {
            return Ok(cookie.into());
        }
        let at = self.at;
        let [byte] = self.take(begin)?;
        if byte & 7 != NUMBER {
            return Err(self.invalid(at));
        }
        match self.number(byte >> 3, begin)? {
            Token::Integer(len) => usize::try_from(len).map_err(|_| self.invalid(at)),
            _ => Err(self.invalid(at)),
        }
    }
}
