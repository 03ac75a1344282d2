//! Which strings a document takes.

/// Whether `text` is UTF-8. The halves of surrogate pairs, each in three bytes, are let through: MongoDB has them from
/// drivers that do.
pub fn is_valid(text: &[u8]) -> bool {
    text.is_ascii() || is_unicode(text)
}

#[cold]
fn is_unicode(mut text: &[u8]) -> bool {
    while let Err(error) = std::str::from_utf8(text) {
        match text[error.valid_up_to()..] {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, ref rest @ ..] => text = rest,
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn unicode_and_surrogates_are_valid_and_nothing_else_is() {
        let valid: [&[u8]; 6] = [
            b"",
            b"plain",
            "h\u{e9}\u{20ac}\u{10ffff}".as_bytes(),
            b"\xed\xa0\x80\xed\xb0\x80x",
            b"x\xed\xbf\xbf",
            b"with\0zero",
        ];
        assert!(valid.iter().all(|text| is_valid(text)));
        let invalid: [&[u8]; 8] = [
            b"\x80",
            b"a\xc3",
            b"\xc0\x80",
            b"\xe0\x80\x80",
            b"\xf4\x90\x80\x80",
            b"\xf8\x88\x80\x80\x80",
            b"\xed\xa0",
            b"\xff",
        ];
        assert!(!invalid.iter().any(|text| is_valid(text)));
    }
}
