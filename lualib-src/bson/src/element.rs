//! The beginning of an element: type, name, zero.

use skynet_support::State;
use skynet_support::buffer::Buffer;

use crate::utf8;

/// A name of an element.
pub trait Element: Copy {
    /// Bytes of room that [`Element::write`] wants.
    fn room(self) -> usize;

    /// Writes the name to `at`; returns its length. Raises an error if it is no name.
    ///
    /// # Safety
    /// There is as much room as it wants.
    unsafe fn write(self, state: State<'_>, at: *mut u8) -> usize;
}

/// Appends an element, or its beginning. As little is done for it as can be: this is most of the work of the encoder.
#[inline(always)]
pub fn write<K: Element, const N: usize>(
    state: State<'_>,
    out: &mut Buffer,
    kind: u8,
    name: K,
    body: [u8; N],
) {
    // SAFETY: there is room for all of it.
    unsafe {
        let at = out.room(name.room() + 2 + N);
        at.write(kind);
        let len = name.write(state, at.add(1));
        at.add(len + 1).write(0);
        at.add(len + 2).cast::<[u8; N]>().write_unaligned(body);
        out.advance(len + 2 + N);
    }
}

/// Raises an error unless the bytes may be the text of a string or a name.
#[inline(always)]
pub fn check_text(state: State<'_>, text: &[u8]) {
    if !utf8::is_valid(text) {
        state.error(c"Invalid utf8 string");
    }
}

/// Raises an error if a zero would end the text before its end.
pub fn check_no_zero(state: State<'_>, text: &[u8]) {
    if text.contains(&0) {
        state.error(c"Invalid bson key (embedded zero)");
    }
}

/// A name from Lua.
#[derive(Clone, Copy)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    pub fn new(text: &'a [u8]) -> Text<'a> {
        Text(text)
    }
}

const ONES: u64 = u64::from_le_bytes([1; 8]);

/// Not zero if one of the bytes is zero or no ASCII.
#[inline(always)]
fn suspicious(bytes: [u8; 8]) -> u64 {
    let word = u64::from_le_bytes(bytes);
    (word.wrapping_sub(ONES) | word) & (ONES << 7)
}

impl Element for Text<'_> {
    #[inline(always)]
    fn room(self) -> usize {
        self.0.len()
    }

    #[inline(always)]
    unsafe fn write(self, state: State<'_>, at: *mut u8) -> usize {
        let text = self.0;
        let len = text.len();
        // Most names have 4 to 16 letters: two words that overlap are copied and looked at without a loop.
        let odd = if let (Some(first), Some(last), true) =
            (text.first_chunk::<8>(), text.last_chunk::<8>(), len <= 16)
        {
            // SAFETY: there is room for `len` bytes, 8 at least.
            unsafe {
                at.cast::<[u8; 8]>().write_unaligned(*first);
                at.add(len - 8).cast::<[u8; 8]>().write_unaligned(*last);
            }
            suspicious(*first) | suspicious(*last)
        } else if let (Some(first), Some(last), true) =
            (text.first_chunk::<4>(), text.last_chunk::<4>(), len < 8)
        {
            // SAFETY: there is room for `len` bytes, 4 at least.
            unsafe {
                at.cast::<[u8; 4]>().write_unaligned(*first);
                at.add(len - 4).cast::<[u8; 4]>().write_unaligned(*last);
            }
            let [a, b, c, d] = *first;
            let [e, f, g, h] = *last;
            suspicious([a, b, c, d, e, f, g, h])
        } else if len < 4 {
            let mut odd = false;
            for (place, &byte) in text.iter().enumerate() {
                // SAFETY: there is room for `len` bytes.
                unsafe { at.add(place).write(byte) };
                odd |= byte.wrapping_sub(1) >= 0x7f;
            }
            odd.into()
        } else {
            // SAFETY: there is room for `len` bytes.
            unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), at, len) };
            1
        };
        if odd != 0 {
            check_text(state, text);
            check_no_zero(state, text);
        }
        len
    }
}

/// The names of an array's elements: decimal numbers from 0.
pub struct Ordinal {
    /// On the left side; what follows is 0.
    digits: [u8; Ordinal::DIGITS],
    len: usize,
}

impl Ordinal {
    /// Enough for a C int, and one word to copy.
    const DIGITS: usize = 16;

    pub fn new() -> Ordinal {
        let mut digits = [0; Ordinal::DIGITS];
        digits[0] = b'0';
        Ordinal { digits, len: 1 }
    }

    /// Counts one up.
    #[inline(always)]
    pub fn advance(&mut self) {
        let last = &mut self.digits[self.len - 1];
        if *last < b'9' {
            *last += 1;
        } else {
            self.carry();
        }
    }

    fn carry(&mut self) {
        for digit in self.digits[..self.len].iter_mut().rev() {
            if *digit < b'9' {
                *digit += 1;
                return;
            }
            *digit = b'0';
        }
        // All were nines. The numbers have fewer digits than there is room for: a document ends before.
        self.digits[0] = b'1';
        if self.len < Ordinal::DIGITS {
            self.digits[self.len] = b'0';
            self.len += 1;
        }
    }
}

impl Element for &Ordinal {
    #[inline(always)]
    fn room(self) -> usize {
        Ordinal::DIGITS
    }

    #[inline(always)]
    unsafe fn write(self, _: State<'_>, at: *mut u8) -> usize {
        // SAFETY: there is room for all digits, used or not.
        unsafe {
            at.cast::<[u8; Ordinal::DIGITS]>()
                .write_unaligned(self.digits)
        };
        self.len
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_decimal_numbers_from_zero() {
        let mut ordinal = Ordinal::new();
        for number in 0..12_345 {
            assert_eq!(
                &ordinal.digits[..ordinal.len],
                number.to_string().as_bytes()
            );
            ordinal.advance();
        }
    }

    #[test]
    fn a_zero_or_a_byte_beyond_ascii_is_suspicious() {
        assert_eq!(suspicious([1; 8]), 0);
        assert_eq!(suspicious([0x7f; 8]), 0);
        for place in 0..8 {
            for byte in [0, 0x80, 0xff] {
                let mut bytes = *b"abcdefgh";
                bytes[place] = byte;
                assert_ne!(suspicious(bytes), 0);
            }
        }
    }
}
