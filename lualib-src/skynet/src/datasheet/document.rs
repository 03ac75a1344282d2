//! Documents of data sheets, as `skynet.datasheet.dump` writes them. All numbers are little endian:
//!
//! | part | content |
//! |---|---|
//! | header | offset of the strings (uint32), number of tables n (uint32) |
//! | index | n offsets of tables (uint32), from the end of the index; 0xffffffff for none |
//! | table | length of the array (uint32), number of pairs (uint32), a byte of [`kind`] for each value, zeros up to a multiple of 4, the array's values, then key (a string) and value of each pair |
//! | strings | each ended by a zero |
//!
//! A value has 4 bytes: int32, float, a truth value, the number of a table, or the offset of a string.
//!
//! Services get a document as a bare address. So it is checked once, where its length is known, and then believed.

use std::ffi::{CStr, c_char};

/// Types of values.
pub mod kind {
    /// Nothing.
    pub const NIL: u8 = 0;
    /// A signed integer of 32 bits.
    pub const INTEGER: u8 = 1;
    /// A number of 32 bits.
    pub const REAL: u8 = 2;
    /// Zero is false.
    pub const BOOLEAN: u8 = 3;
    /// Number of a table.
    pub const TABLE: u8 = 4;
    /// Offset of a string.
    pub const STRING: u8 = 5;
}

const WORD: usize = 4;
/// Bytes of the header, and of the head of a table.
const HEAD: usize = 2 * WORD;
/// Offset of a table that does not exist.
const NO_TABLE: u32 = u32::MAX;

/// A value of a table.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the names say it
pub enum Value<'a> {
    Nil,
    Integer(i32),
    Real(f32),
    Boolean(bool),
    /// Number of a table.
    Table(u32),
    String(&'a CStr),
}

/// A document that has been checked.
#[derive(Clone, Copy)]
pub struct Document(*const u8);

/// A table of a document.
pub struct Table {
    document: Document,
    /// Its head.
    start: *const u8,
}

/// # Safety
/// 4 bytes are readable at `place`.
unsafe fn word(place: *const u8) -> u32 {
    // SAFETY: contract of this function; a string of Lua may begin anywhere.
    u32::from_le_bytes(unsafe { place.cast::<[u8; WORD]>().read_unaligned() })
}

impl Document {
    /// The document at an address.
    ///
    /// # Safety
    /// [`check`] has accepted the bytes there, a zero follows them, and they stay as they are while the result is used.
    pub unsafe fn at(address: *const u8) -> Document {
        Document(address)
    }

    /// Where it is.
    pub fn address(self) -> *const u8 {
        self.0
    }

    /// Number of tables, some of which may not exist.
    pub fn tables(self) -> u32 {
        // SAFETY: a checked document has a header.
        unsafe { word(self.0.add(WORD)) }
    }

    /// Table `number`, from 0; table 0 contains all others.
    pub fn table(self, number: u32) -> Option<Table> {
        if number >= self.tables() {
            return None;
        }
        // SAFETY: so many offsets follow the header, and lead to tables if they are offsets.
        unsafe {
            let offset = word(self.0.add(HEAD + number as usize * WORD));
            let base = HEAD + self.tables() as usize * WORD;
            (offset != NO_TABLE).then(|| Table {
                document: self,
                start: self.0.add(base + offset as usize),
            })
        }
    }

    fn string<'a>(self, offset: u32) -> &'a CStr {
        // SAFETY: `check` has seen that the string begins inside of the document, which a zero follows.
        unsafe {
            let strings = word(self.0) as usize;
            let text = self.0.add(strings + offset as usize);
            CStr::from_ptr(text.cast::<c_char>())
        }
    }
}

impl Table {
    /// Number of values of the array.
    pub fn array(&self) -> u32 {
        // SAFETY: a table has a head.
        unsafe { word(self.start) }
    }

    /// Number of pairs.
    pub fn pairs(&self) -> u32 {
        // SAFETY: a table has a head of two words.
        unsafe { word(self.start.add(WORD)) }
    }

    /// Word number `at` of the values, keys among them.
    fn word(&self, at: usize) -> u32 {
        let kinds = (self.array() as usize + self.pairs() as usize).next_multiple_of(WORD);
        // SAFETY: `at` counts words that the table has.
        unsafe { word(self.start.add(HEAD + kinds + at * WORD)) }
    }

    fn decode<'a>(&self, number: u32, word: u32) -> Value<'a> {
        // SAFETY: the table has that many values.
        match unsafe { *self.start.add(HEAD + number as usize) } {
            kind::INTEGER => Value::Integer(word as i32),
            kind::REAL => Value::Real(f32::from_bits(word)),
            kind::BOOLEAN => Value::Boolean(word != 0),
            kind::TABLE => Value::Table(word),
            kind::STRING => Value::String(self.document.string(word)),
            _ => Value::Nil,
        }
    }

    /// Value `at` of the array, from 0.
    pub fn value<'a>(&self, at: u32) -> Option<Value<'a>> {
        (at < self.array()).then(|| self.decode(at, self.word(at as usize)))
    }

    /// Pair `at`, from 0.
    pub fn pair<'a>(&self, at: u32) -> Option<(&'a CStr, Value<'a>)> {
        if at >= self.pairs() {
            return None;
        }
        let place = self.array() as usize + 2 * at as usize;
        let key = self.document.string(self.word(place));
        let value = self.decode(self.array() + at, self.word(place + 1));
        Some((key, value))
    }
}

/// What is wrong with a document.
#[derive(Debug, PartialEq, Eq)]
pub enum Invalid {
    /// It ends too early.
    Truncated,
    /// There is no table.
    Empty,
    /// Tables overlap.
    Overlap,
    /// A value has a type that does not exist.
    Kind(u8),
    /// A value is a table that does not exist.
    Table(u32),
    /// A string begins behind the end.
    String(u32),
}

/// Checks that `bytes` are a document, so that what [`Document`] reads is inside of them or is the byte behind them.
pub fn check(bytes: &[u8]) -> Result<(), Invalid> {
    let read = |at: usize| {
        let word = bytes.get(at..).and_then(|rest| rest.first_chunk::<WORD>());
        word.map(|word| u32::from_le_bytes(*word))
            .ok_or(Invalid::Truncated)
    };
    let strings = read(0)? as usize;
    let count = read(WORD)?;
    if count == 0 {
        return Err(Invalid::Empty);
    }
    let base = (count as usize)
        .checked_mul(WORD)
        .and_then(|index| index.checked_add(HEAD))
        .ok_or(Invalid::Truncated)?;
    if base > bytes.len() {
        return Err(Invalid::Truncated);
    }
    let is_string = |offset: u32| match strings.checked_add(offset as usize) {
        Some(start) if start <= bytes.len() => Ok(()),
        _ => Err(Invalid::String(offset)),
    };
    let mut total = 0;
    for number in 0..count as usize {
        let offset = read(HEAD + number * WORD)?;
        if offset == NO_TABLE {
            continue;
        }
        let start = base + offset as usize;
        let array = read(start)? as usize;
        let pairs = read(start + WORD)? as usize;
        let kinds = array + pairs;
        let values = start + HEAD + kinds.next_multiple_of(WORD);
        let end = values + (array + 2 * pairs) * WORD;
        if end > bytes.len() {
            return Err(Invalid::Truncated);
        }
        // Otherwise a small document could take very long to check.
        total += end - start;
        if total > bytes.len() {
            return Err(Invalid::Overlap);
        }
        for at in 0..kinds {
            let place = match at.checked_sub(array) {
                None => at,
                Some(pair) => {
                    is_string(read(values + (array + 2 * pair) * WORD)?)?;
                    array + 2 * pair + 1
                }
            };
            let value = read(values + place * WORD)?;
            match bytes[start + HEAD + at] {
                kind::NIL | kind::INTEGER | kind::REAL | kind::BOOLEAN => {}
                kind::TABLE if value < count => {}
                kind::TABLE => return Err(Invalid::Table(value)),
                kind::STRING => is_string(value)?,
                other => return Err(Invalid::Kind(other)),
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
