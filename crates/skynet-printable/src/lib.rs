//! Texts that have parts of strangers: they must not steer the terminal of whoever reads them, pass for something else, nor make
//! `grep` take a log for a binary file.
//!
//! What is shown as `\x1b`: control characters, those from U+0080 to U+009F in UTF-8 too, which some terminals obey, and the
//! characters that make a part of a line run the other way round (U+202A to U+202E, U+2066 to U+2069).

use std::borrow::Cow;
use std::io::Write;

const ESCAPE: u8 = 0x1b;
/// Begins the control characters from U+0080 to U+009F in UTF-8, and other characters.
const LATIN: u8 = 0xc2;
/// Begins the characters of direction in UTF-8, and other characters.
const GENERAL: u8 = 0xe2;

/// Adds a line as it is to be read: tabs, colours and a CR at its end stay. Returns whether a colour is set at its end; `None`: as
/// at its begin.
pub fn show(output: &mut Vec<u8>, line: &[u8]) -> Option<bool> {
    let mut is_coloured = None;
    let mut rest = line;
    while let Some(at) = rest.iter().position(|byte| is_special(*byte)) {
        output.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let plain = plain(rest);
        if plain > 0 {
            if rest[0] == ESCAPE {
                is_coloured = Some(!matches!(&rest[2..plain - 1], b"" | b"0"));
            }
            output.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
            continue;
        }
        let count = match rest[0] {
            LATIN => 2,
            GENERAL => 3,
            _ => 1,
        };
        for byte in &rest[..count] {
            // Writing to a Vec does not fail.
            let _ = write!(output, "\\x{byte:02x}");
        }
        rest = &rest[count..];
    }
    output.extend_from_slice(rest);
    is_coloured
}

/// The text as a terminal may get it: line ends and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    lines(text, |output, line| {
        // Not `without_colours`: who reads this sees what was there.
        for part in line.split_inclusive(|byte| *byte == ESCAPE) {
            match part.split_last() {
                Some((&ESCAPE, before)) => {
                    show(output, before);
                    output.extend_from_slice(b"\\x1b");
                }
                _ => _ = show(output, part),
            }
        }
        if output.last() == Some(&b'\r') {
            output.pop();
            output.extend_from_slice(b"\\x0d");
        }
    })
}

/// The same, and colours stay as well; none is set at the end.
pub fn coloured(text: &str) -> Cow<'_, str> {
    let mut is_coloured = false;
    let shown = lines(text, |output, line| {
        is_coloured = show(output, line).unwrap_or(is_coloured);
    });
    if is_coloured {
        return Cow::Owned(shown.into_owned() + "\x1b[0m");
    }
    shown
}

/// The same in one line: a name, for instance.
pub fn one_line(text: &str) -> Cow<'_, str> {
    match printable(text) {
        shown if shown.contains(['\n', '\t']) => {
            Cow::Owned(shown.replace('\n', "\\x0a").replace('\t', "\\x09"))
        }
        shown => shown,
    }
}

fn lines(text: &str, mut show: impl FnMut(&mut Vec<u8>, &[u8])) -> Cow<'_, str> {
    if !text.bytes().any(|byte| is_special(byte) && byte != b'\n') {
        return Cow::Borrowed(text);
    }
    let mut output = Vec::with_capacity(text.len() + 16);
    for (number, line) in text.as_bytes().split(|byte| *byte == b'\n').enumerate() {
        if number > 0 {
            output.push(b'\n');
        }
        show(&mut output, line);
    }
    // What is left of a text in UTF-8 is whole characters.
    Cow::Owned(String::from_utf8_lossy(&output).into_owned())
}

/// A message without the sequences that set colours.
pub fn without_colours(message: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some(at) = rest.iter().position(|byte| *byte == ESCAPE) {
        plain.extend_from_slice(&rest[..at]);
        let length = colour(&rest[at..]);
        if length == 0 {
            plain.push(ESCAPE);
        }
        rest = &rest[at + length.max(1)..];
    }
    plain.extend_from_slice(rest);
    plain
}

/// Whether [`show`] would add the text as it is, and it is one line: most texts are. Looks at all bytes alike, so that it takes some of
/// them at once.
pub fn is_plain(text: &[u8]) -> bool {
    !text
        .iter()
        .fold(false, |special, byte| special | is_special(*byte))
}

fn is_special(byte: u8) -> bool {
    ((byte < b' ') & (byte != b'\t')) | (byte == 0x7f) | (byte == LATIN) | (byte == GENERAL)
}

/// How many bytes from a special one on may stand as they are; 0: it may not.
fn plain(rest: &[u8]) -> usize {
    match rest {
        [b'\r'] => 1,
        [ESCAPE, ..] => colour(rest),
        [LATIN, 0x80..=0x9f, ..] => 0,
        [GENERAL, 0x80, 0xaa..=0xae, ..] | [GENERAL, 0x81, 0xa6..=0xa9, ..] => 0,
        [LATIN | GENERAL, ..] => 1,
        _ => 0,
    }
}

/// The length of a sequence that sets a colour (`ESC [ 31 m`), as the lines of errors have; 0: none begins here.
pub fn colour(rest: &[u8]) -> usize {
    let Some(parameters) = rest.strip_prefix(&[ESCAPE, b'[']) else {
        return 0;
    };
    let length = parameters
        .iter()
        .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
        .count();
    if parameters.get(length) == Some(&b'm') {
        length + 3
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &[u8]) -> Vec<u8> {
        let mut output = Vec::new();
        show(&mut output, line);
        output
    }

    #[test]
    fn texts_colours_and_tabs_stay() {
        for line in [
            "",
            "text\tand more",
            "error : \x1b[31mred\x1b[0m",
            "\x1b[1;38;5;9mx\x1b[m",
            "\u{a9} \u{df}\u{20ac}\u{4e2d} \u{201c}\u{2026}\u{201d} \u{2260}",
            "a line of a protocol\r",
        ] {
            assert_eq!(shown(line.as_bytes()), line.as_bytes());
        }
        assert_eq!(shown(b"\xff\xc2\xe2\x80"), b"\xff\xc2\xe2\x80");
    }

    #[test]
    fn what_steers_a_terminal_is_shown() {
        for (line, expected) in [
            ("\x1b[2J\x1b[1A", r"\x1b[2J\x1b[1A"),
            ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
            ("\x1b[31", r"\x1b[31"),
            ("a\rb\r", "a\\x0db\r"),
            ("\0\x08\x7f", r"\x00\x08\x7f"),
            ("\u{9b}2J\u{85}", r"\xc2\x9b2J\xc2\x85"),
            ("a\u{202e}b\u{2066}", r"a\xe2\x80\xaeb\xe2\x81\xa6"),
        ] {
            assert_eq!(shown(line.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn plain_texts_are_those_that_are_shown_as_one_line_as_they_are() {
        for text in [
            "",
            "LAUNCH snlua main",
            "tab\tand \u{4e2d}\u{6587}",
            "\u{df}",
        ] {
            assert!(is_plain(text.as_bytes()), "{text}");
            assert_eq!(shown(text.as_bytes()), text.as_bytes());
        }
        for text in [
            "a\nb",
            "\x07",
            "a\x7f",
            "red \x1b[31m",
            "\u{85}",
            "\u{202e}",
        ] {
            assert!(!is_plain(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_colour_that_stays_set_is_told() {
        for (line, expected) in [
            ("plain", None),
            ("\x1b[31mred", Some(true)),
            ("\x1b[8m", Some(true)),
            ("\x1b[31mred\x1b[0m", Some(false)),
            ("\x1b[31mred\x1b[m", Some(false)),
            ("\x1b[0;8mx", Some(true)),
        ] {
            assert_eq!(show(&mut Vec::new(), line.as_bytes()), expected, "{line:?}");
        }
    }

    #[test]
    fn texts_for_a_terminal_have_lines_and_nothing_else_that_moves() {
        assert_eq!(printable("a\tb\nc \u{4e2d}"), "a\tb\nc \u{4e2d}");
        assert_eq!(
            printable("\x1b[31mx\x1b[0m\r\n\u{9b}y\x1b"),
            "\\x1b[31mx\\x1b[0m\\x0d\n\\xc2\\x9by\\x1b"
        );
        assert_eq!(one_line("a\nb\tc\x07"), "a\\x0ab\\x09c\\x07");
    }

    #[test]
    fn colours_end_with_the_text() {
        assert_eq!(coloured("\x1b[31mx\n\x1b[2J"), "\x1b[31mx\n\\x1b[2J\x1b[0m");
        assert_eq!(coloured("\x1b[31mx\x1b[0m\ny"), "\x1b[31mx\x1b[0m\ny");
    }
}
