//! Reads documents. Any bytes are safe to read: a length is compared with what is there before it is used.

use crate::kind;

/// Bytes of a document with no elements: a length and a zero.
pub const SMALLEST: i32 = 5;

/// Why bytes are no document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// More bytes are wanted than there are, or a negative number of them.
    Short { left: i32, wanted: i32 },
    /// A name has no end.
    Name,
    /// A document does not end with a zero.
    End,
    /// A string of no bytes, not even the zero at its end.
    Length(i32),
    /// No element has this type.
    Kind(u8),
}

impl Problem {
    /// `wanted` bytes are not in the `left` ones.
    pub fn too_short(left: i32, wanted: i32) -> Problem {
        Problem::Short { left, wanted }
    }
}

/// What is left of a document's elements.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

/// The document at the beginning of `bytes`, as long as it says.
pub fn document(bytes: &[u8]) -> Result<&[u8], Problem> {
    let mut reader = Reader { rest: bytes };
    let length = Reader { rest: bytes }.int32()?;
    if length < SMALLEST {
        return Err(reader.short(length));
    }
    let document = reader.take(length)?;
    match document.last() {
        Some(0) => Ok(document),
        _ => Err(Problem::End),
    }
}

impl<'a> Reader<'a> {
    /// The elements of a whole document, as [`document`] returns it.
    #[inline(always)]
    pub fn elements(document: &'a [u8]) -> Reader<'a> {
        let inner = document.len().saturating_sub(1).max(4);
        Reader {
            rest: document.get(4..inner).unwrap_or(&[]),
        }
    }

    /// Bytes that are no document: the body of an element, for example.
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// Bytes that are left.
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    #[cold]
    fn short(&self, wanted: i32) -> Problem {
        Problem::Short {
            left: i32::try_from(self.rest.len()).unwrap_or(i32::MAX),
            wanted,
        }
    }

    #[inline(always)]
    fn take(&mut self, count: i32) -> Result<&'a [u8], Problem> {
        match usize::try_from(count).map(|count| self.rest.split_at_checked(count)) {
            Ok(Some((taken, rest))) => {
                self.rest = rest;
                Ok(taken)
            }
            _ => Err(self.short(count)),
        }
    }

    #[inline(always)]
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Problem> {
        let Some((taken, rest)) = self.rest.split_first_chunk() else {
            return Err(self.short(N as i32));
        };
        self.rest = rest;
        Ok(*taken)
    }

    #[inline(always)]
    fn int32(&mut self) -> Result<i32, Problem> {
        Ok(i32::from_le_bytes(self.bytes()?))
    }

    /// Up to a zero, which is passed over.
    #[inline(always)]
    fn name(&mut self) -> Result<&'a [u8], Problem> {
        let end = zero_at(self.rest).ok_or(Problem::Name)?;
        let (name, rest) = (&self.rest[..end], &self.rest[end + 1..]);
        self.rest = rest;
        Ok(name)
    }

    /// The next element's type and name; its body has to be taken next.
    #[inline(always)]
    pub fn element(&mut self) -> Result<Option<(u8, &'a [u8])>, Problem> {
        let Some((&kind, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        Ok(Some((kind, self.name()?)))
    }

    /// A value of 4 bytes.
    #[inline(always)]
    pub fn int(&mut self) -> Result<i32, Problem> {
        self.int32()
    }

    /// A value of 8 bytes.
    #[inline(always)]
    pub fn long(&mut self) -> Result<i64, Problem> {
        Ok(i64::from_le_bytes(self.bytes()?))
    }

    /// A value of 8 bytes.
    #[inline(always)]
    pub fn real(&mut self) -> Result<f64, Problem> {
        Ok(f64::from_le_bytes(self.bytes()?))
    }

    /// A value of 1 byte.
    #[inline(always)]
    pub fn boolean(&mut self) -> Result<bool, Problem> {
        let [byte] = self.bytes()?;
        Ok(byte != 0)
    }

    /// A value of 12 bytes.
    pub fn object_id(&mut self) -> Result<[u8; 12], Problem> {
        self.bytes()
    }

    /// A value of 16 bytes.
    pub fn decimal128(&mut self) -> Result<[u8; 16], Problem> {
        self.bytes()
    }

    /// The bytes of a string without the zero at its end.
    #[inline(always)]
    pub fn text(&mut self) -> Result<&'a [u8], Problem> {
        let length = self.int32()?;
        if length <= 0 {
            return Err(Problem::Length(length));
        }
        let text = self.take(length)?;
        Ok(&text[..text.len() - 1])
    }

    /// A document or array, with its length and the zero at its end.
    #[inline(always)]
    pub fn document(&mut self) -> Result<&'a [u8], Problem> {
        let document = document(self.rest)?;
        self.rest = &self.rest[document.len()..];
        Ok(document)
    }

    /// Subtype and bytes.
    pub fn binary(&mut self) -> Result<(u8, &'a [u8]), Problem> {
        let length = self.int32()?;
        let [subtype] = self.bytes()?;
        Ok((subtype, self.take(length)?))
    }

    /// Pattern and options.
    pub fn regex(&mut self) -> Result<(&'a [u8], &'a [u8]), Problem> {
        Ok((self.name()?, self.name()?))
    }

    /// Values that are not interpreted: a length, as many bytes as it says, `more` bytes. Returns all of it; `counted` are
    /// the bytes of the length when it counts itself.
    pub fn opaque(&mut self, counted: i32, more: i32) -> Result<&'a [u8], Problem> {
        let start = self.rest;
        let length = self.int32()?;
        let body = length
            .checked_sub(counted)
            .filter(|&body| body >= 0)
            .and_then(|body| body.checked_add(more))
            .ok_or_else(|| self.short(length))?;
        let body = self.take(body)?;
        Ok(&start[..4 + body.len()])
    }

    /// [`Reader::opaque`] for the types that are.
    pub fn opaque_kind(&mut self, kind: u8) -> Result<&'a [u8], Problem> {
        match kind {
            kind::DB_POINTER => self.opaque(0, 12),
            kind::JAVASCRIPT | kind::SYMBOL => self.opaque(0, 0),
            kind::SCOPED_JAVASCRIPT => self.opaque(4, 0),
            _ => Err(Problem::Kind(kind)),
        }
    }

    /// Passes over the body of an element. Documents are taken as a whole.
    #[inline(always)]
    pub fn skip(&mut self, kind: u8) -> Result<(), Problem> {
        let size = match kind {
            kind::INT32 => 4,
            kind::STRING => {
                let length = self.int32()?;
                self.take(length)?;
                return Ok(());
            }
            kind::REAL | kind::INT64 | kind::DATE | kind::TIMESTAMP => 8,
            kind::BOOLEAN => 1,
            kind::NULL | kind::UNDEFINED | kind::MIN_KEY | kind::MAX_KEY => return Ok(()),
            kind::DECIMAL128 => 16,
            kind::DOCUMENT | kind::ARRAY => {
                self.opaque(4, 0)?;
                return Ok(());
            }
            kind::OBJECT_ID => 12,
            kind::BINARY => {
                self.binary()?;
                return Ok(());
            }
            kind::REGEX => {
                self.regex()?;
                return Ok(());
            }
            _ => {
                self.opaque_kind(kind)?;
                return Ok(());
            }
        };
        self.take(size)?;
        Ok(())
    }

    /// Elements from here on, as far as they are sound.
    #[inline(always)]
    pub fn count(mut self) -> usize {
        let mut count = 0;
        while let Ok(Some((kind, _))) = self.element() {
            if self.skip(kind).is_err() {
                break;
            }
            count += 1;
        }
        count
    }
}

/// Place of the first zero. Names are short: eight bytes at a time are faster than a call of memchr.
#[inline(always)]
fn zero_at(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let mut at = 0;
    let mut rest = bytes;
    while let Some((chunk, more)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        // The lowest bit that is set belongs to the first zero byte.
        let zeros = word.wrapping_sub(ONES) & !word & (ONES << 7);
        if zeros != 0 {
            return Some(at + zeros.trailing_zeros() as usize / 8);
        }
        at += 8;
        rest = more;
    }
    rest.iter()
        .position(|&byte| byte == 0)
        .map(|place| at + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_zero_is_found_wherever_it_is() {
        for len in 0..40 {
            let mut bytes = vec![0x80u8; len];
            assert_eq!(zero_at(&bytes), None);
            for place in (0..len).rev() {
                bytes[place] = 0;
                if place + 1 < len {
                    bytes[place + 1] = 1;
                }
                assert_eq!(zero_at(&bytes), Some(place));
            }
        }
    }

    #[test]
    fn a_document_is_as_long_as_it_says_and_no_longer_than_its_bytes() {
        assert_eq!(document(&[5, 0, 0, 0, 0, 9]), Ok(&[5, 0, 0, 0, 0][..]));
        assert_eq!(document(&[5, 0, 0, 0, 1]), Err(Problem::End));
        assert_eq!(document(&[5, 0, 0]), Err(Problem::too_short(3, 4)));
        assert_eq!(document(&[4, 0, 0, 0]), Err(Problem::too_short(4, 4)));
        assert_eq!(document(&[6, 0, 0, 0, 0]), Err(Problem::too_short(5, 6)));
        let negative = [0xff; 8];
        assert_eq!(document(&negative), Err(Problem::too_short(8, -1)));
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        let long = [0xff, 0xff, 0xff, 0x7f, 0];
        for kind in 0..=255 {
            let mut reader = Reader { rest: &long };
            let skipped = reader.skip(kind);
            let fixed = matches!(
                kind,
                kind::INT32
                    | kind::BOOLEAN
                    | kind::NULL
                    | kind::UNDEFINED
                    | kind::MIN_KEY
                    | kind::MAX_KEY
            );
            assert_eq!(skipped.is_ok(), fixed, "{kind}");
        }
    }
}
