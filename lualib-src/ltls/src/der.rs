//! Just enough DER to find the public key of a certificate.
//!
//! The library's own parser refuses what old tools write (X.509 version 1, extensions it does not know). Without
//! verification none of that matters: only the key does.

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`, the version.
const VERSION: u8 = 0xa0;

/// The DER of the field `subjectPublicKeyInfo` (RFC 5280 §4.1). None when the bytes are no certificate.
pub fn public_key_info(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (signed, _) = element(certificate.content, SEQUENCE)?;
    let mut fields = signed.content;
    if let Some((_, rest)) = element(fields, VERSION) {
        fields = rest;
    }
    // Serial number; then algorithm, issuer, validity and subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        fields = element(fields, tag)?.1;
    }
    Some(element(fields, SEQUENCE)?.0.whole)
}

struct Element<'a> {
    whole: &'a [u8],
    content: &'a [u8],
}

/// The first element of `input`, which has to have that tag, and what follows it.
fn element(input: &[u8], tag: u8) -> Option<(Element<'_>, &[u8])> {
    let (&[found, first], _) = input.split_first_chunk()?;
    let (start, len) = match first {
        0..=0x7f => (2, usize::from(first)),
        // Two or three bytes of length are plenty.
        0x81..=0x83 => {
            let bytes = input.get(2..2 + usize::from(first & 0x7f))?;
            let len = bytes
                .iter()
                .fold(0, |len, &byte| len << 8 | usize::from(byte));
            (2 + bytes.len(), len)
        }
        _ => return None,
    };
    let (whole, rest) = input.split_at_checked(start + len)?;
    let content = &whole[start..];
    (found == tag).then_some((Element { whole, content }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_found_with_and_without_a_version() {
        let body = b"\x02\x01\x07\x30\x00\x30\x01a\x30\x00\x30\x00\x30\x03key\x30\x00";
        for version in [&b""[..], b"\xa0\x03\x02\x01\x02"] {
            let fields = [version, body].concat();
            let signed = [&[SEQUENCE, fields.len() as u8], &fields[..]].concat();
            let certificate = [&[SEQUENCE, 0x81, signed.len() as u8], &signed[..]].concat();
            assert_eq!(public_key_info(&certificate), Some(&b"\x30\x03key"[..]));
            for len in 0..certificate.len() {
                assert_eq!(public_key_info(&certificate[..len]), None);
            }
        }
    }
}
