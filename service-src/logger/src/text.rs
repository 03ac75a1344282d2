//! What could be taken for a line of the log. Parts of a message may come from strangers, in the text of an error above all: they
//! must not write lines of other services.

use skynet_printable::colour;

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
