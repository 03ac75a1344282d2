//! Bytes as text: base64 and hexadecimal digits.

/// The characters of base64 (RFC 4648 §4), by their six bits.
static ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Characters that [`base64_encode`] makes of `len` bytes.
pub const fn base64_len(len: usize) -> usize {
    len.div_ceil(3) * 4
}

/// Encodes with `=` up to a group of four. `output` has [`base64_len`] bytes.
pub fn base64_encode(bytes: &[u8], output: &mut [u8]) {
    let (whole, rest) = bytes.as_chunks();
    let (groups, _) = output.as_chunks_mut();
    for (bytes, group) in whole.iter().zip(groups.iter_mut()) {
        *group = four(*bytes);
    }
    if !rest.is_empty() {
        let mut last = [0; 3];
        last[..rest.len()].copy_from_slice(rest);
        let mut group = four(last);
        group[rest.len() + 1..].fill(b'=');
        groups[whole.len()] = group;
    }
}

/// Four characters for three bytes.
fn four([a, b, c]: [u8; 3]) -> [u8; 4] {
    let joined = u32::from_be_bytes([0, a, b, c]) as usize;
    let [first, second] = PAIRS[joined >> 12];
    let [third, fourth] = PAIRS[joined & 0xfff];
    [first, second, third, fourth]
}

/// Two characters at once, by twelve bits: twice as fast as one by one.
static PAIRS: [[u8; 2]; 1 << 12] = {
    let mut pairs = [[0; 2]; 1 << 12];
    let mut i = 0;
    while i < pairs.len() {
        pairs[i] = [ALPHABET[i >> 6], ALPHABET[i & 63]];
        i += 1;
    }
    pairs
};

/// Bytes that [`base64_decode`] needs, at most, for `len` characters.
pub const fn base64_decoded_len(len: usize) -> usize {
    len.div_ceil(4) * 3
}

/// In [`VALUES`], for `=`.
const PAD: u8 = 0x40;
/// In [`VALUES`], for a character that is passed over.
const OTHER: u8 = 0x80;

/// The six bits of each character.
static VALUES: [u8; 256] = {
    let mut values = [OTHER; 256];
    let mut i = 0;
    while i < ALPHABET.len() {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    values[b'=' as usize] = PAD;
    values
};

/// Decodes leniently: characters that mean nothing are passed over inside of a group of four, and the last group may lack
/// its `=`. Returns the number of bytes; None when a group has no meaning, also one of ignored characters only.
pub fn base64_decode(text: &[u8], output: &mut [u8]) -> Option<usize> {
    let mut written = 0;
    let mut rest = text;
    while !rest.is_empty() {
        if let Some((group, after)) = rest.split_first_chunk::<4>() {
            let six = group.map(|byte| VALUES[usize::from(byte)]);
            if six.iter().all(|&six| six < PAD) {
                output[written..written + 3].copy_from_slice(&three(six));
                written += 3;
                rest = after;
                continue;
            }
        }
        let (bytes, count, after) = uncommon_group(rest)?;
        output[written..written + count].copy_from_slice(&bytes[..count]);
        written += count;
        rest = after;
    }
    Some(written)
}

/// Three bytes of four times six bits.
fn three(six: [u8; 4]) -> [u8; 3] {
    let joined = six
        .iter()
        .fold(0, |joined, &six| joined << 6 | u32::from(six));
    let [_, a, b, c] = joined.to_be_bytes();
    [a, b, c]
}

/// A group with `=` or ignored characters, or the end of the text, in it: its bytes, how many they are, and what follows.
fn uncommon_group(text: &[u8]) -> Option<([u8; 3], usize, &[u8])> {
    let mut six = [PAD; 4];
    let mut found = 0;
    let mut read = 0;
    while found < 4 && read < text.len() {
        let value = VALUES[usize::from(text[read])];
        read += 1;
        if value != OTHER {
            six[found] = value;
            found += 1;
        }
    }
    let data = six.iter().position(|&value| value == PAD).unwrap_or(4);
    if data < 2 || six[data..].iter().any(|&value| value != PAD) {
        return None;
    }
    six[data..].fill(0);
    let bytes = three(six);
    // The bits that the last character has too many are zero.
    if bytes[data - 1..].iter().any(|&byte| byte != 0) && data < 4 {
        return None;
    }
    Some((bytes, data - 1, &text[read..]))
}

/// Two digits, in lower case, for each byte; `output` is twice as long.
pub fn hex_encode(bytes: &[u8], output: &mut [u8]) {
    let digit = |value: u8| value + if value < 10 { b'0' } else { b'a' - 10 };
    for (&byte, pair) in bytes.iter().zip(output.as_chunks_mut().0) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
}

/// Decodes pairs of digits in lower case; `output` is half as long. None when something else is in the text.
pub fn hex_decode(text: &[u8], output: &mut [u8]) -> Option<()> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    for (&[high, low], byte) in text.as_chunks().0.iter().zip(output) {
        *byte = value(high)? << 4 | value(low)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(text: &str) -> Option<Vec<u8>> {
        let mut output = vec![0; base64_decoded_len(text.len())];
        let len = base64_decode(text.as_bytes(), &mut output)?;
        output.truncate(len);
        Some(output)
    }

    #[test]
    fn base64_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        for len in 0..bytes.len() {
            let mut text = vec![0; base64_len(len)];
            base64_encode(&bytes[..len], &mut text);
            let text = String::from_utf8(text).unwrap();
            assert_eq!(decode(&text).as_deref(), Some(&bytes[..len]));
            let unpadded = text.trim_end_matches('=');
            assert_eq!(decode(unpadded).as_deref(), Some(&bytes[..len]));
        }
    }

    #[test]
    fn ignored_characters_belong_to_a_group() {
        assert_eq!(decode("\n YW\tJj").as_deref(), Some(&b"abc"[..]));
        assert_eq!(decode("YQ=="), decode("YQ=\n="));
        assert_eq!(decode("YQ==YWI=").as_deref(), Some(&b"aab"[..]));
        assert_eq!(decode("YWJj\n"), None);
    }

    #[test]
    fn groups_without_meaning_are_refused() {
        for text in ["A", "A===", "=AAA", "AA=A", "AB==", "AAB=", "====", "%"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
