//! The form of a message, as far as it does not depend on the schema. Any bytes are safe to read.
//!
//! A struct is a count of words, the words, and data; all numbers are little endian, counts and words have 16 bits, lengths
//! 32. Words are for the tags from 0: an odd word `2n + 1` skips `n + 1` tags, an even one `2n + 2` is the value n, and 0
//! stands for the next piece of data: a length and as many bytes. An array is data of a length, pieces of data one after
//! the other.

/// Bytes of a length.
pub const LENGTH: usize = 4;
/// Bytes of a word.
pub const WORD: usize = 2;

/// Takes a length and as many bytes.
#[inline(always)]
pub fn piece<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, data) = rest.split_first_chunk::<LENGTH>()?;
    let (piece, more) = data.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *rest = more;
    Some(piece)
}

/// The head of a struct, and what follows it.
#[derive(Clone, Copy)]
pub struct Head<'a> {
    words: &'a [[u8; WORD]],
    pub data: &'a [u8],
}

impl<'a> Head<'a> {
    #[inline(always)]
    pub fn of(bytes: &'a [u8]) -> Option<Head<'a>> {
        let (count, rest) = bytes.split_first_chunk::<WORD>()?;
        let count = usize::from(u16::from_le_bytes(*count));
        let (words, data) = rest.split_at_checked(count * WORD)?;
        Some(Head {
            words: words.as_chunks().0,
            data,
        })
    }

    #[inline(always)]
    pub fn words(&self) -> impl Iterator<Item = u16> + 'a {
        self.words.iter().map(|word| u16::from_le_bytes(*word))
    }

    /// How many words stand for a value.
    #[inline(always)]
    pub fn values(&self) -> usize {
        self.words().filter(|word| word & 1 == 0).count()
    }
}

/// A struct whose data are known to be there.
pub struct Words<'a> {
    head: Head<'a>,
}

impl<'a> Words<'a> {
    pub fn of(bytes: &'a [u8]) -> Option<Words<'a>> {
        let head = Head::of(bytes)?;
        let mut rest = head.data;
        for word in head.words() {
            if word == 0 {
                piece(&mut rest)?;
            }
        }
        Some(Words { head })
    }

    pub fn count(&self) -> usize {
        self.head.words.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = u16> + 'a {
        self.head.words()
    }

    /// The pieces of data in their order.
    pub fn data(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut left = self.head.words().filter(|&word| word == 0).count();
        let mut rest = self.head.data;
        std::iter::from_fn(move || {
            left = left.checked_sub(1)?;
            piece(&mut rest)
        })
    }
}

/// An array of pieces of data, all of which are there.
#[derive(Clone, Copy)]
pub struct Array<'a> {
    rest: &'a [u8],
    count: usize,
}

impl<'a> Array<'a> {
    #[inline(always)]
    pub fn of(bytes: &'a [u8]) -> Option<Array<'a>> {
        let mut rest = bytes;
        let mut count = 0;
        while !rest.is_empty() {
            piece(&mut rest)?;
            count += 1;
        }
        Some(Array { rest: bytes, count })
    }

    /// How many there are.
    #[inline(always)]
    pub fn total(&self) -> usize {
        self.count
    }

    pub fn elements(self) -> Vec<&'a [u8]> {
        self.collect()
    }
}

impl<'a> Iterator for Array<'a> {
    type Item = &'a [u8];

    #[inline(always)]
    fn next(&mut self) -> Option<&'a [u8]> {
        piece(&mut self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_end_is_no_piece() {
        let mut rest: &[u8] = &[2, 0, 0, 0, 7, 8, 9];
        assert_eq!(piece(&mut rest), Some(&[7, 8][..]));
        assert_eq!(rest, [9]);
        for bytes in [&[1, 0, 0][..], &[1, 0, 0, 0], &[255, 255, 255, 255, 0, 0]] {
            let mut rest = bytes;
            assert_eq!(piece(&mut rest), None);
        }
    }

    #[test]
    fn words_want_their_data() {
        assert!(Words::of(&[1, 0, 0, 0, 1, 0, 0, 0, 9]).is_some());
        assert!(Words::of(&[1, 0, 0, 0, 1, 0, 0, 0]).is_none());
        assert!(Words::of(&[1, 0, 1, 0]).is_some());
        assert!(Words::of(&[1, 0, 1]).is_none());
        assert!(Words::of(&[0]).is_none());
        assert_eq!(
            Head::of(&[2, 0, 1, 0, 4, 0]).map(|head| head.values()),
            Some(1)
        );
    }
}
