//! Sets of bytes.

use std::ops::{BitAnd, BitOr, Not, RangeInclusive};

/// A set of bytes: one bit for each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(transparent)]
pub struct CharSet([u64; 4]);

impl CharSet {
    /// No byte.
    pub const EMPTY: CharSet = CharSet([0; 4]);
    /// Every byte.
    pub const FULL: CharSet = CharSet([u64::MAX; 4]);

    /// The set of one byte.
    pub fn single(byte: u8) -> CharSet {
        let mut set = CharSet::EMPTY;
        set.insert(byte);
        set
    }

    /// The bytes of a range; none if it is empty.
    pub fn range(bytes: RangeInclusive<u8>) -> CharSet {
        let mut set = CharSet::EMPTY;
        bytes.for_each(|byte| set.insert(byte));
        set
    }

    /// The bytes for which `test` holds.
    pub fn of(mut test: impl FnMut(u8) -> bool) -> CharSet {
        let mut set = CharSet::EMPTY;
        (0..=u8::MAX)
            .filter(|&byte| test(byte))
            .for_each(|byte| set.insert(byte));
        set
    }

    /// Adds a byte.
    pub fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    /// Whether the byte is in the set.
    #[inline(always)]
    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 != 0
    }

    /// Whether no byte is in both sets.
    pub fn disjoint(&self, other: &CharSet) -> bool {
        *self & *other == CharSet::EMPTY
    }

    /// Whether every byte of this set is in `other`.
    pub fn within(&self, other: &CharSet) -> bool {
        self.disjoint(&!*other)
    }

    /// The only byte of a set of one.
    pub fn only(&self) -> Option<u8> {
        let count: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        let word = self.0.iter().position(|&word| word != 0)?;
        (count == 1).then(|| word as u8 * 64 + self.0[word].trailing_zeros() as u8)
    }
}

impl BitOr for CharSet {
    type Output = CharSet;
    fn bitor(self, other: CharSet) -> CharSet {
        CharSet(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }
}

impl BitAnd for CharSet {
    type Output = CharSet;
    fn bitand(self, other: CharSet) -> CharSet {
        CharSet(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }
}

impl Not for CharSet {
    type Output = CharSet;
    fn not(self) -> CharSet {
        CharSet(self.0.map(|word| !word))
    }
}

impl FromIterator<u8> for CharSet {
    fn from_iter<I: IntoIterator<Item = u8>>(bytes: I) -> CharSet {
        let mut set = CharSet::EMPTY;
        bytes.into_iter().for_each(|byte| set.insert(byte));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_what_was_put_in() {
        let set = CharSet::range(b'a'..=b'f') | CharSet::single(255);
        let held: Vec<u8> = (0..=255).filter(|&byte| set.contains(byte)).collect();
        assert_eq!(held, b"abcdef\xff");
        assert_eq!((!set & set), CharSet::EMPTY);
        assert!(CharSet::single(b'b').within(&set) && !set.within(&CharSet::single(b'b')));
    }

    #[test]
    fn only_a_set_of_one_has_an_only_byte() {
        for byte in 0..=255 {
            assert_eq!(CharSet::single(byte).only(), Some(byte));
        }
        assert_eq!(CharSet::EMPTY.only(), None);
        assert_eq!(CharSet::of(|byte| byte & 63 == 0).only(), None);
    }
}
