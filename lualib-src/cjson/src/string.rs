//! Strings: reading them out of a text, and writing them into one.

use skynet_support::buffer::Buffer;

use crate::scan::{Problem, Scanner};

/// A word of eight bytes that are all `byte`.
const fn all(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The highest bit of the lowest byte of `word` that is zero, and perhaps of bytes above it.
#[inline(always)]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(all(1)) & !word & all(0x80)
}

/// Where the first quote, backslash or zero byte is from `at` on; the length of the text if there is none.
#[inline(always)]
pub fn plain_end(text: &[u8], mut at: usize) -> usize {
    while let Some(word) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let found = zeros(word ^ all(b'"')) | zeros(word ^ all(b'\\')) | zeros(word);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = text.get(at) {
        if matches!(byte, b'"' | b'\\' | 0) {
            break;
        }
        at += 1;
    }
    at
}

/// Where the parts of a string go.
pub trait Sink {
    /// `text[start..end]`.
    fn run(&mut self, text: &[u8], start: usize, end: usize);
    /// What an escape stands for.
    fn escape(&mut self, bytes: &[u8]);
}

/// For a string that is only checked.
pub struct Nowhere;

impl Sink for Nowhere {
    fn run(&mut self, _: &[u8], _: usize, _: usize) {}
    fn escape(&mut self, _: &[u8]) {}
}

/// Reads the rest of a string, from behind its first quote to behind its last one, and passes it to `sink` in parts.
#[inline(always)]
pub fn unescape(scanner: &mut Scanner, sink: &mut impl Sink) -> Result<(), Problem> {
    let text = scanner.text;
    loop {
        let end = plain_end(text, scanner.at);
        sink.run(text, scanner.at, end);
        scanner.at = end;
        let problem = |text| Err(Problem { text, at: end });
        match text.get(end) {
            Some(b'"') => {
                scanner.at += 1;
                return Ok(());
            }
            Some(b'\\') => {}
            // The end, or a zero, which no text has.
            _ => return problem(c"unexpected end of string"),
        }
        let byte = match text.get(end + 1) {
            Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let Some((character, len)) = unicode_escape(&text[end..]) else {
                    return problem(c"invalid unicode escape code");
                };
                sink.escape(character.encode_utf8(&mut [0; 4]).as_bytes());
                scanner.at += len;
                continue;
            }
            _ => return problem(c"invalid escape code"),
        };
        sink.escape(&[byte]);
        scanner.at += 2;
    }
}

/// The character of `\uXXXX`, or of two of them that are a surrogate pair, and the length of that.
fn unicode_escape(text: &[u8]) -> Option<(char, usize)> {
    const LEN: usize = 6;
    let first = code_unit(text)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, LEN));
    }
    let second = code_unit(text.get(LEN..)?)?;
    let mut pair = char::decode_utf16([first, second]);
    pair.next()?.ok().map(|character| (character, 2 * LEN))
}

/// XXXX of `\uXXXX`.
fn code_unit(text: &[u8]) -> Option<u16> {
    let [b'\\', b'u', digits @ ..] = text else {
        return None;
    };
    digits
        .first_chunk::<4>()?
        .iter()
        .try_fold(0, |unit, &byte| {
            let digit = char::from(byte).to_digit(16)?;
            Some(unit << 4 | digit as u16)
        })
}

/// Which bytes are written as what.
#[derive(Clone, Copy)]
pub struct Escapes {
    /// For each byte the letter behind its backslash, `u` for a number, 0 for the byte itself.
    letters: &'static [u8; 256],
    /// A slash if that is escaped, otherwise a byte that is escaped anyway.
    slash: u8,
}

const PLAIN: [u8; 256] = {
    let mut letters = [0; 256];
    let mut byte = 0;
    while byte < b' ' {
        letters[byte as usize] = b'u';
        byte += 1;
    }
    letters[0x7f] = b'u';
    letters[8] = b'b';
    letters[12] = b'f';
    letters[b'\n' as usize] = b'n';
    letters[b'\r' as usize] = b'r';
    letters[b'\t' as usize] = b't';
    letters[b'"' as usize] = b'"';
    letters[b'\\' as usize] = b'\\';
    letters
};

const WITH_SLASH: [u8; 256] = {
    let mut letters = PLAIN;
    letters[b'/' as usize] = b'/';
    letters
};

impl Escapes {
    pub fn new(slash: bool) -> Escapes {
        if slash {
            Escapes {
                letters: &WITH_SLASH,
                slash: b'/',
            }
        } else {
            Escapes {
                letters: &PLAIN,
                slash: b'"',
            }
        }
    }

    /// Whether one of the bytes is escaped: without branches, which the compiler makes vectors of.
    #[inline(always)]
    fn any(self, bytes: &[u8]) -> bool {
        let escaped = |byte: u8| {
            (byte < b' ') | (byte == b'"') | (byte == b'\\') | (byte == 0x7f) | (byte == self.slash)
        };
        bytes.iter().fold(false, |any, &byte| any | escaped(byte))
    }
}

/// Bytes that are looked at together.
const BLOCK: usize = 16;

/// Appends `text` with quotes.
#[inline(always)]
pub fn write(out: &mut Buffer, text: &[u8], escapes: Escapes) {
    out.room(text.len() + 2);
    out.put([b'"']);
    let mut at = 0;
    // Blocks without an escape from `at` on are copied at once.
    let mut end = 0;
    while let Some(block) = text.get(end..).and_then(|rest| rest.first_chunk::<BLOCK>()) {
        if escapes.any(block) {
            out.extend(&text[at..end]);
            write_escaped(out, block, escapes);
            at = end + BLOCK;
        }
        end += BLOCK;
    }
    if escapes.any(&text[end..]) {
        out.extend(&text[at..end]);
        write_escaped(out, &text[end..], escapes);
    } else {
        out.extend(&text[at..]);
    }
    out.put([b'"']);
}

/// Appends a block with its escapes, without quotes.
fn write_escaped(out: &mut Buffer, block: &[u8], escapes: Escapes) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    const LONGEST: usize = 6;
    out.room(LONGEST * block.len());
    for &byte in block {
        match escapes.letters[usize::from(byte)] {
            0 => out.put([byte]),
            b'u' => {
                let [high, low] = [byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)]);
                out.put([b'\\', b'u', b'0', b'0', high, low]);
            }
            letter => out.put([b'\\', letter]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<u8>, Problem> {
        let mut scanner = Scanner {
            text,
            at: 1,
            comments: false,
            invalid_numbers: false,
        };
        struct Parts(Vec<u8>);
        impl Sink for Parts {
            fn run(&mut self, text: &[u8], start: usize, end: usize) {
                self.0.extend_from_slice(&text[start..end]);
            }
            fn escape(&mut self, bytes: &[u8]) {
                self.0.extend_from_slice(bytes);
            }
        }
        let mut string = Parts(Vec::new());
        unescape(&mut scanner, &mut string)?;
        let Parts(string) = string;
        assert_eq!(scanner.at, text.len());
        Ok(string)
    }

    #[test]
    fn the_end_is_found_wherever_it_is() {
        for len in 0..40 {
            for end in [b'"', b'\\', 0] {
                let mut text = vec![0x80 | b'"'; len];
                text.push(end);
                text.extend_from_slice(b"\"\\\0xxxxxxxxxx");
                assert_eq!(plain_end(&text, 0), len);
                assert_eq!(plain_end(&text[..len], 0), len);
            }
        }
    }

    #[test]
    fn escapes_become_what_they_stand_for() {
        let text = br#""a\"\\\/\b\f\n\r\t\u0041\u00e9\u20AC\ud83d\ude00z""#;
        let string = "a\"\\/\u{8}\u{c}\n\r\tA\u{e9}\u{20ac}\u{1f600}z";
        assert_eq!(read(text), Ok(string.as_bytes().to_vec()));
        assert_eq!(read(br#""\u0000""#), Ok(vec![0]));
        assert_eq!(read(b"\"\xff\x80\""), Ok(vec![0xff, 0x80]));
    }

    #[test]
    fn what_is_wrong_in_a_string_is_found_with_its_place() {
        let cases: [(&[u8], _, _); 12] = [
            (b"\"abc", c"unexpected end of string", 4),
            (b"\"a\0c\"", c"unexpected end of string", 2),
            (b"\"a\\", c"invalid escape code", 2),
            (b"\"a\\x\"", c"invalid escape code", 2),
            (b"\"\\u12\"", c"invalid unicode escape code", 1),
            (b"\"\\u12", c"invalid unicode escape code", 1),
            (b"\"\\u12g4\"", c"invalid unicode escape code", 1),
            (b"\"\\ud800\"", c"invalid unicode escape code", 1),
            (b"\"\\udc00\"", c"invalid unicode escape code", 1),
            (b"\"\\ud800\\u0041\"", c"invalid unicode escape code", 1),
            (b"\"\\ud800\\ud800\"", c"invalid unicode escape code", 1),
            (b"\"\\ud800x\\udc00\"", c"invalid unicode escape code", 1),
        ];
        for (input, text, at) in cases {
            assert_eq!(read(input), Err(Problem { text, at }));
        }
    }
}
