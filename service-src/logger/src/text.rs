//! How lines of the log begin, and what could be taken for one. Parts of a message may come from strangers, in the text of an error above all: they
//! must not write lines of other services.

use skynet_printable::colour;

/// How a line of the service begins: its handle.
pub fn head(source: u32) -> [u8; 12] {
    let mut head = *b"[:00000000] ";
    for (place, digit) in head[2..10].iter_mut().enumerate() {
        *digit = b"0123456789abcdef"[(source >> (28 - 4 * place) & 15) as usize];
    }
    head
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

    #[test]
    fn a_head_has_all_digits_of_the_handle() {
        for source in [0, 0xa, 0x0100_00ff, 0x89ab_cdef, u32::MAX] {
            assert_eq!(head(source), format!("[:{source:08x}] ").as_bytes());
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
