//! Text that is put together without the allocator, and written without a lock.

use libc::c_int;

/// Bytes of a piece of the report; what does not fit is cut.
const SIZE: usize = 2048;

pub(super) struct Text {
    bytes: [u8; SIZE],
    len: usize,
}

impl Text {
    pub const fn new() -> Text {
        Text {
            bytes: [0; SIZE],
            len: 0,
        }
    }

    pub fn put(&mut self, text: &[u8]) -> &mut Text {
        for &byte in text {
            if self.len < SIZE {
                self.bytes[self.len] = byte;
                self.len += 1;
            }
        }
        self
    }

    pub fn number(&mut self, number: i64) -> &mut Text {
        let mut digits = [0; 20];
        let mut at = digits.len();
        let mut rest = number.unsigned_abs();
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.put(b"-");
        }
        self.put(&digits[at..])
    }

    /// At least `width` hexadecimal digits.
    pub fn hex(&mut self, number: usize, width: usize) -> &mut Text {
        let needed = (usize::BITS - number.leading_zeros()).div_ceil(4) as usize;
        for place in (0..needed.max(width)).rev() {
            let digit = number.checked_shr(place as u32 * 4).unwrap_or(0) & 15;
            self.put(&[b"0123456789abcdef"[digit]]);
        }
        self
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Writes it to each of the descriptors, and is empty then.
    pub fn flush(&mut self, to: &[c_int]) {
        for &descriptor in to {
            let mut rest = self.bytes();
            while !rest.is_empty() {
                // SAFETY: readable bytes; a descriptor that is not open gives an error.
                let n = unsafe { libc::write(descriptor, rest.as_ptr().cast(), rest.len()) };
                if n <= 0 {
                    break;
                }
                rest = &rest[n as usize..];
            }
        }
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn numbers_are_written_as_format_does() {
        for number in [0, 7, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(
                Text::new().number(number).bytes(),
                number.to_string().as_bytes()
            );
        }
        for number in [0, 1, 0xabc, usize::MAX] {
            assert_eq!(
                Text::new().hex(number, 8).bytes(),
                format!("{number:08x}").as_bytes()
            );
            assert_eq!(
                Text::new().hex(number, 0).bytes(),
                format!("{number:x}").trim_start_matches('0').as_bytes()
            );
        }
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let mut text = Text::new();
        for _ in 0..1000 {
            text.put(b"0123456789");
        }
        assert_eq!(text.bytes().len(), super::SIZE);
        text.flush(&[]);
        assert!(text.bytes().is_empty());
    }
}
