//! The lines of a header, as bytes (RFC 9112 §5).

/// A line of a header.
#[derive(Debug, PartialEq)]
pub enum Line<'a> {
    /// A field.
    Field {
        /// Not empty.
        name: &'a [u8],
        /// Without the blanks in front.
        value: &'a [u8],
    },
    /// The old way to continue a long value in the next line; without the first blank.
    More(&'a [u8]),
}

fn find(bytes: &[u8], wanted: u8) -> Option<usize> {
    bytes.iter().position(|&byte| byte == wanted)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// Whether `bytes` would end a line.
pub fn breaks(bytes: &[u8]) -> bool {
    bytes.iter().any(|&byte| byte == b'\r' || byte == b'\n')
}

/// The first line of `text` without its end, and what follows.
pub fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let mut from = 0;
    while let Some(at) = find(&text[from..], b'\r') {
        let end = from + at;
        if text.get(end + 1) == Some(&b'\n') {
            return (&text[..end], &text[end + 2..]);
        }
        from = end + 1;
    }
    (text, &[])
}

/// What a line says; None if that is nothing.
pub fn parse(line: &[u8]) -> Option<Line<'_>> {
    if let Some((&first, more)) = line.split_first()
        && is_blank(first)
    {
        return Some(Line::More(more));
    }
    let colon = find(line, b':')?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if name.is_empty() || breaks(name) {
        return None;
    }
    let blanks = value.iter().take_while(|&&byte| is_blank(byte)).count();
    Some(Line::Field {
        name,
        value: &value[blanks..],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_with_both_bytes() {
        assert_eq!(split(b"a\r\nb"), (&b"a"[..], &b"b"[..]));
        assert_eq!(split(b"a\rb\nc\r\r\n"), (&b"a\rb\nc\r"[..], &b""[..]));
        assert_eq!(split(b"a\r"), (&b"a\r"[..], &b""[..]));
        assert_eq!(split(b"\r\n"), (&b""[..], &b""[..]));
        assert_eq!(split(b""), (&b""[..], &b""[..]));
    }

    #[test]
    fn a_field_has_a_name() {
        let field = |name, value| Some(Line::Field { name, value });
        assert_eq!(parse(b"Host: a:1"), field(&b"Host"[..], &b"a:1"[..]));
        assert_eq!(parse(b"x:"), field(b"x", b""));
        assert_eq!(parse(b"x: \t "), field(b"x", b""));
        assert_eq!(parse(b"x:y "), field(b"x", b"y "));
        for line in [&b""[..], b"x", b":x", b"a\rb:c", b"a\nb:c"] {
            assert_eq!(parse(line), None, "{line:?}");
        }
    }

    #[test]
    fn a_line_that_begins_with_a_blank_continues() {
        assert_eq!(parse(b" a: b"), Some(Line::More(b"a: b")));
        assert_eq!(parse(b"\t"), Some(Line::More(b"")));
    }
}
