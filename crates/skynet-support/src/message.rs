//! Texts of errors: formatted into memory that Lua has, as nothing with a destructor may live where an error is raised.

use std::fmt::{self, Write};

/// Bytes of a text in a message of [`State::error_with`](crate::state::State::error_with), where they come out as they are, also
/// those that are no UTF-8. Anywhere else these are private characters.
pub struct Shown<'a>(pub &'a [u8]);

/// A byte that is no UTF-8 goes through `fmt`, which only knows characters, as a character from here on: to the message as a single
/// character, which nothing else gives it. Text that has such a character comes as text.
const BYTE: u32 = 0x0010_ff00;

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            f.write_str(chunk.valid())?;
            for &byte in chunk.invalid() {
                let carrier = char::from_u32(BYTE + u32::from(byte));
                f.write_char(carrier.unwrap_or(char::REPLACEMENT_CHARACTER))?;
            }
        }
        Ok(())
    }
}

/// A message that is being written to a place with room for it.
pub(crate) struct Message<'a> {
    room: &'a mut [u8],
    len: usize,
}

impl<'a> Message<'a> {
    pub(crate) fn new(room: &'a mut [u8]) -> Message<'a> {
        Message { room, len: 0 }
    }

    /// The bytes that were wanted, whether there was room or not.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn push(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(place) = self.room.get_mut(self.len..end) {
            place.copy_from_slice(bytes);
        }
        self.len = end;
    }
}

impl Write for Message<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        match u32::from(c).checked_sub(BYTE).map(u8::try_from) {
            Some(Ok(byte)) => self.push(&[byte]),
            _ => self.push(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(message: fmt::Arguments<'_>) -> Vec<u8> {
        let mut measured = Message::new(&mut []);
        measured.write_fmt(message).unwrap();
        let mut room = vec![0; measured.len()];
        let mut text = Message::new(&mut room);
        text.write_fmt(message).unwrap();
        assert_eq!(text.len(), room.len());
        room
    }

    #[test]
    fn a_message_is_as_long_as_what_is_in_it() {
        let name = "n".repeat(10_000);
        let whole = written(format_args!(
            "Invalid name {} ({})",
            Shown(name.as_bytes()),
            7
        ));
        assert_eq!(whole, format!("Invalid name {name} (7)").into_bytes());
    }

    #[test]
    fn bytes_that_are_no_text_stay_as_they_are() {
        for bytes in [
            &b"\xc4\xe3\xba\xc3"[..],
            b"\xffa\x80",
            "\u{10ff80}".as_bytes(),
            b"\xf4\x8f\xbe",
            b"a\0b",
        ] {
            assert_eq!(
                written(format_args!("<{}>", Shown(bytes))),
                [b"<", bytes, b">"].concat()
            );
        }
    }
}
