//! What of a text gets into the log. Parts of it may come from strangers, in the text of an error above all: they must not
//! write lines of other services, nor steer the terminal of the operator who reads the log, nor make `grep` take it for a
//! binary file.

use std::io::Write;

const ESCAPE: u8 = 0x1b;
/// Begins the control characters from U+0080 to U+009F in UTF-8, which some terminals obey, and other characters.
const LATIN: u8 = 0xc2;

/// Adds a line as it is to be read: control characters as `\x1b`, but for tabs, colours, and a CR at its end.
pub fn show(output: &mut Vec<u8>, line: &[u8]) {
    let mut rest = line;
    while let Some(at) = rest.iter().position(|byte| is_special(*byte)) {
        output.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        let plain = plain(rest);
        if plain > 0 {
            output.extend_from_slice(&rest[..plain]);
            rest = &rest[plain..];
            continue;
        }
        let count = if rest[0] == LATIN { 2 } else { 1 };
        for byte in &rest[..count] {
            // Writing to a Vec does not fail.
            let _ = write!(output, "\\x{byte:02x}");
        }
        rest = &rest[count..];
    }
    output.extend_from_slice(rest);
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

fn is_special(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f || byte == LATIN
}

/// How many bytes from a special one on may stand as they are; 0: it may not.
fn plain(rest: &[u8]) -> usize {
    match rest {
        [b'\r'] => 1,
        [ESCAPE, ..] => colour(rest),
        [LATIN, 0x80..=0x9f, ..] => 0,
        [LATIN, ..] => 1,
        _ => 0,
    }
}

/// The length of a sequence that sets a colour (`ESC [ 31 m`), as the lines of errors have; 0: none begins here.
fn colour(rest: &[u8]) -> usize {
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

/// Whether a further line of a message could be taken for a line of its own, of any service.
pub fn looks_like_a_head(line: &[u8]) -> bool {
    let mut rest = line;
    loop {
        let stamp = |byte: &&u8| byte.is_ascii_digit() || b"/:. ".contains(byte);
        let passed = match rest.iter().take_while(stamp).count() {
            0 => colour(rest),
            digits => digits,
        };
        rest = &rest[passed..];
        if passed == 0 || rest.starts_with(b"[:") {
            return rest.starts_with(b"[:");
        }
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
            "\u{a9} \u{df}\u{20ac}\u{4e2d}",
            "a line of a protocol\r",
        ] {
            assert_eq!(shown(line.as_bytes()), line.as_bytes());
        }
        assert_eq!(shown(b"\xff\xc2"), b"\xff\xc2");
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
        ] {
            assert_eq!(shown(line.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn heads_are_known_behind_colours_and_stamps() {
        for line in [
            "[:00000001] x",
            "29/11/26 10:00:00.00 [:1",
            "\x1b[0m[:",
            "\x1b[m1\x1b[0m [:",
        ] {
            assert!(looks_like_a_head(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "\t[:1",
            "x [:1",
            "\x1b[2J[:1",
            "[C]: in ?",
            "12:30",
            "\x1b[31m",
        ] {
            assert!(!looks_like_a_head(line.as_bytes()), "{line}");
        }
    }
}
