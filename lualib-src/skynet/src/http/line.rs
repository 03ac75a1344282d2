//! The lines of a header, as bytes (RFC 9112 §5, RFC 9110 §5.5).

/// A line of a header.
#[derive(Debug, PartialEq)]
pub enum Line<'a> {
    /// A field.
    Field {
        /// Not empty.
        name: &'a [u8],
        /// Without the blanks around it.
        value: &'a [u8],
    },
    /// The old way to continue a long value in the next line; without the blanks around it.
    More(&'a [u8]),
}

/// Who may have sent the lines.
#[derive(Clone, Copy, PartialEq)]
pub enum Sender {
    /// A client. What servers would understand in different ways is no field, for one may stand before the other.
    Client,
    /// A server: names that are no tokens, and blanks behind a name, are passed over as browsers do.
    Server,
}

fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|&byte| byte == wanted)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// `bytes` without the blanks at both ends.
fn trim(bytes: &[u8]) -> &[u8] {
    let Some(from) = bytes.iter().position(|&byte| !is_blank(byte)) else {
        return &[];
    };
    let to = bytes.iter().rposition(|&byte| !is_blank(byte));
    &bytes[from..to.map_or(from, |last| last + 1)]
}

/// Whether a byte may be in a token (RFC 9110 §5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether `bytes` may be written as a name: nothing that ends it sooner or later for other readers.
pub fn is_writable_name(bytes: &[u8]) -> bool {
    let ends = |&byte: &u8| byte <= b' ' || byte == b':' || byte == 0x7f;
    !bytes.is_empty() && !bytes.iter().any(ends)
}

/// Whether `bytes` may be written as a value: a value that may be read, without the end of a line.
pub fn is_writable_value(bytes: &[u8]) -> bool {
    is_value(bytes) && find(bytes, b'\n').is_none()
}

/// Whether `bytes` may be in a value: a lone CR, and NUL, are understood in too many ways.
fn is_value(bytes: &[u8]) -> bool {
    !bytes.iter().any(|&byte| byte == b'\r' || byte == 0)
}

/// The first line of `text` without its end, and what follows. LF alone ends a line too (RFC 9112 §2.2).
pub fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(end) = find(text, b'\n') else {
        return (text.strip_suffix(b"\r").unwrap_or(text), &[]);
    };
    let line = &text[..end];
    (line.strip_suffix(b"\r").unwrap_or(line), &text[end + 1..])
}

/// Where the empty line that ends a header begins, and what is behind it; None if there is none. The first line of
/// `text` is not empty.
pub fn end(text: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        from += find(&text[from..], b'\n')? + 1;
        match text[from..] {
            [b'\n', ..] => return Some((from, from + 1)),
            [b'\r', b'\n', ..] => return Some((from, from + 2)),
            _ => {}
        }
    }
}

/// What a line says; None if that is nothing.
pub fn parse(line: &[u8], sender: Sender) -> Option<Line<'_>> {
    if !is_value(line) {
        return None;
    }
    if line.first().is_some_and(|&byte| is_blank(byte)) {
        return Some(Line::More(trim(line)));
    }
    let colon = find(line, b':')?;
    let (mut name, value) = (&line[..colon], &line[colon + 1..]);
    let known = match sender {
        Sender::Client => name.iter().all(|&byte| is_token(byte)),
        Sender::Server => {
            name = trim(name);
            !name.iter().any(u8::is_ascii_control)
        }
    };
    (known && !name.is_empty()).then(|| Line::Field {
        name,
        value: trim(value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_a_line_feed() {
        assert_eq!(split(b"a\r\nb"), (&b"a"[..], &b"b"[..]));
        assert_eq!(split(b"a\nb"), (&b"a"[..], &b"b"[..]));
        assert_eq!(split(b"a\rb\r\r\n"), (&b"a\rb\r"[..], &b""[..]));
        assert_eq!(split(b"a\r"), (&b"a"[..], &b""[..]));
        assert_eq!(split(b"\r\n"), (&b""[..], &b""[..]));
        assert_eq!(split(b""), (&b""[..], &b""[..]));
    }

    #[test]
    fn a_header_ends_with_an_empty_line() {
        assert_eq!(end(b"a\r\n\r\nb"), Some((3, 5)));
        assert_eq!(end(b"a\n\nb"), Some((2, 3)));
        assert_eq!(end(b"a\n\r\n"), Some((2, 4)));
        assert_eq!(end(b"a\r\nb: c\r\n\n"), Some((9, 10)));
        for text in [&b""[..], b"a", b"a\n", b"a\r\n\r", b"a\r\r\n"] {
            assert_eq!(end(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_field_has_a_name() {
        let field = |name, value| Some(Line::Field { name, value });
        let both = |line, expected: Option<Line>| {
            assert_eq!(parse(line, Sender::Client), expected, "{line:?}");
            assert_eq!(parse(line, Sender::Server), expected, "{line:?}");
        };
        both(b"Host: a:1", field(b"Host", b"a:1"));
        both(b"x:", field(b"x", b""));
        both(b"x: \t ", field(b"x", b""));
        both(b"x:y z\t ", field(b"x", b"y z"));
        both(b"x:\xe4\x01", field(b"x", b"\xe4\x01"));
        for line in [
            &b""[..],
            b"x",
            b":x",
            b"a\rb:c",
            b"a:\rc",
            b"a:b\0",
            b"a\x01:b",
        ] {
            both(line, None);
        }
    }

    #[test]
    fn names_of_servers_need_not_be_tokens() {
        for (line, name) in [
            (&b"x : y"[..], &b"x"[..]),
            (b"a b:y", b"a b"),
            (b"\xff:y", b"\xff"),
        ] {
            assert_eq!(parse(line, Sender::Client), None, "{line:?}");
            let value = &b"y"[..];
            assert_eq!(
                parse(line, Sender::Server),
                Some(Line::Field { name, value })
            );
        }
    }

    #[test]
    fn a_line_that_begins_with_a_blank_continues() {
        assert_eq!(parse(b" a: b ", Sender::Client), Some(Line::More(b"a: b")));
        assert_eq!(parse(b"\t", Sender::Server), Some(Line::More(b"")));
        assert_eq!(parse(b" \0", Sender::Server), None);
    }
}
