//! Numbers as text, for the commands that answer with one: these are among the most frequent, and formatting through
//! `core::fmt` costs more than the rest of them.

/// A short text that is a number, with what stands before it.
pub(crate) struct Digits {
    /// The text ends at [`Digits::MOST`]; zeros follow.
    text: [u8; 2 * Digits::MOST + 1],
    start: usize,
}

impl Digits {
    /// The longest: 20 digits of 64 bits.
    pub(crate) const MOST: usize = 20;

    fn push(&mut self, byte: u8) {
        self.start -= 1;
        self.text[self.start] = byte;
    }

    const EMPTY: Digits = Digits {
        text: [0; 2 * Digits::MOST + 1],
        start: Digits::MOST,
    };

    /// As `%d`.
    pub(crate) fn decimal(number: i64) -> Digits {
        let mut digits = Digits::EMPTY;
        let mut rest = number.unsigned_abs();
        loop {
            digits.push(b'0' + (rest % 10) as u8);
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            digits.push(b'-');
        }
        digits
    }

    /// `ten` is the digit for ten.
    fn hex(handle: u32, ten: u8, width: u32) -> Digits {
        let mut text = Digits::EMPTY;
        // All eight at once, a digit in each byte; `start` leaves out zeros.
        let digits = u64::from(handle);
        let digits = (digits << 16 | digits) & 0x0000_ffff_0000_ffff;
        let digits = (digits << 8 | digits) & 0x00ff_00ff_00ff_00ff;
        let digits = (digits << 4 | digits) & 0x0f0f_0f0f_0f0f_0f0f;
        let each = u64::MAX / 255;
        let letters = (digits + 6 * each) >> 4 & each;
        let letters = letters * u64::from(ten - b'0' - 10);
        let digits = digits + u64::from(b'0') * each + letters;
        text.text[Digits::MOST - 8..Digits::MOST].copy_from_slice(&digits.to_be_bytes());
        let significant = (35 - handle.leading_zeros()) / 4;
        text.start -= significant.max(width) as usize;
        text.push(b':');
        text
    }

    /// A handle as `:%x`.
    pub(crate) fn handle(handle: u32) -> Digits {
        Digits::hex(handle, b'a', 1)
    }

    /// A handle as `:%08X`, which is how LAUNCH answers.
    pub(crate) fn launched(handle: u32) -> Digits {
        Digits::hex(handle, b'A', 8)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.text[self.start..Digits::MOST]
    }

    /// As a C string, with zeros up to a length that is always the same: copied as a whole, which is cheaper than so many bytes.
    pub(crate) fn padded(&self) -> &[u8; Digits::MOST + 1] {
        let padded = self.text[self.start..].first_chunk();
        padded.expect("a text begins within the first MOST bytes")
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::Digits;

    #[test]
    fn numbers_read_as_printf_writes_them() {
        for number in [0, 1, 9, 10, 12_345, -1, i64::MAX, i64::MIN] {
            let expected = number.to_string();
            assert_eq!(Digits::decimal(number).bytes(), expected.as_bytes());
        }
        for handle in [0, 1, 0xf, 0x10, 0xabcd, 0x0100_0002, 0x9a8b_7c6d, u32::MAX] {
            assert_eq!(
                Digits::handle(handle).bytes(),
                format!(":{handle:x}").as_bytes()
            );
            assert_eq!(
                Digits::launched(handle).bytes(),
                format!(":{handle:08X}").as_bytes()
            );
        }
    }
}
