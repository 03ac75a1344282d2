//! What fills the last block of a text, and tells how much of the block it fills.

use super::BLOCK;

/// The ways to pad; the numbers are those of `crypt.padding` in Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// ISO/IEC 7816-4: 0x80, then zeros.
    Iso7816 = 0,
    /// PKCS #7 (RFC 5652 §6.3): each byte is the number of bytes.
    Pkcs7 = 1,
}

impl Padding {
    /// The names and numbers that Lua sees.
    pub const NAMES: [(&std::ffi::CStr, Self); 2] =
        [(c"iso7816_4", Self::Iso7816), (c"pkcs7", Self::Pkcs7)];

    /// The padding with that number.
    pub fn from_number(number: i64) -> Option<Self> {
        let mut known = Self::NAMES.iter().map(|&(_, padding)| padding);
        known.find(|&padding| padding as i64 == number)
    }

    /// The block that ends with `tail`, of less than a block, and its padding.
    pub(super) fn add(self, tail: &[u8]) -> [u8; BLOCK] {
        let missing = (BLOCK - tail.len()) as u8;
        let mut block = match self {
            Self::Iso7816 => [0; BLOCK],
            Self::Pkcs7 => [missing; BLOCK],
        };
        block[..tail.len()].copy_from_slice(tail);
        if self == Self::Iso7816 {
            block[tail.len()] = 0x80;
        }
        block
    }

    /// How many bytes of a text's last block are padding, 1..=8; None when it is not well formed.
    pub(super) fn find(self, block: &[u8; BLOCK]) -> Option<usize> {
        match self {
            Self::Iso7816 => {
                let mark = block.iter().rposition(|&byte| byte != 0)?;
                (block[mark] == 0x80).then_some(BLOCK - mark)
            }
            Self::Pkcs7 => {
                let count = usize::from(block[BLOCK - 1]);
                let start = BLOCK.checked_sub(count).filter(|_| count > 0)?;
                let same = block[start..]
                    .iter()
                    .all(|&byte| usize::from(byte) == count);
                same.then_some(count)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_that_nobody_adds_is_refused() {
        for (padding, block) in [
            (Padding::Iso7816, [0; 8]),
            (Padding::Iso7816, *b"1234567\x01"),
            (Padding::Pkcs7, [0; 8]),
            (Padding::Pkcs7, [9; 8]),
            (Padding::Pkcs7, [255; 8]),
            (Padding::Pkcs7, *b"12345\x02\x03\x03"),
        ] {
            assert_eq!(padding.find(&block), None, "{padding:?} {block:?}");
        }
    }
}
