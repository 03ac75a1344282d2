//! DES (FIPS 46-3), block by block (ECB), with a padding that tells the length of the text.
//!
//! The crate `des` follows the standard bit by bit and takes three times as long as the usual implementations; games
//! send much through this cipher. Here the result of each S-box is looked up in the form in which the next round needs it.

mod padding;
mod tables;

pub use padding::Padding;
use tables::{BOXES, ROUND_KEY, gather, spread};

/// Bytes of a block and of a key.
pub const BLOCK: usize = 8;

/// The keys of the sixteen rounds.
pub struct Des([u64; 16]);

impl Des {
    /// A cipher that encrypts. The lowest bit of each byte of the key is not used.
    pub fn encryptor(key: &[u8; BLOCK]) -> Self {
        const MASK: u64 = (1 << 28) - 1;
        // Permuted choice 1: the columns of the key, from its last byte to its first.
        let [a, b, c, d, e, f, g, _] = columns(*key).map(u64::from);
        let mut left = a << 20 | b << 12 | c << 4 | d >> 4;
        let mut right = g << 20 | f << 12 | e << 4 | d & 15;
        let mut keys = [0; 16];
        for (round, key) in keys.iter_mut().enumerate() {
            let steps = if matches!(round, 0 | 1 | 8 | 15) {
                1
            } else {
                2
            };
            left = (left << steps | left >> (28 - steps)) & MASK;
            right = (right << steps | right >> (28 - steps)) & MASK;
            let halves = left << 28 | right;
            for (part, table) in ROUND_KEY.iter().enumerate() {
                *key ^= table[(halves >> (7 * part)) as usize & 127];
            }
        }
        Self(keys)
    }

    /// A cipher that decrypts what [`Des::encryptor`] encrypts with the same key.
    pub fn decryptor(key: &[u8; BLOCK]) -> Self {
        let mut cipher = Self::encryptor(key);
        cipher.0.reverse();
        cipher
    }

    /// One block.
    pub fn block(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let [block] = self.blocks([block]);
        block
    }

    /// `N` blocks side by side: each waits for its own look-ups only, so that two take little longer than one.
    fn blocks<const N: usize>(&self, blocks: [[u8; BLOCK]; N]) -> [[u8; BLOCK]; N] {
        let mut left = [0; N];
        let mut right = [0; N];
        for i in 0..N {
            let [a, b, c, d, e, f, g, h] = columns(blocks[i]);
            left[i] = spread(u32::from_be_bytes([b, d, f, h]));
            right[i] = spread(u32::from_be_bytes([a, c, e, g]));
        }
        for keys in self.0.chunks_exact(2) {
            for i in 0..N {
                left[i] ^= mix(right[i] ^ keys[0]);
            }
            for i in 0..N {
                right[i] ^= mix(left[i] ^ keys[1]);
            }
        }
        let mut results = [[0; BLOCK]; N];
        for i in 0..N {
            // The halves are not exchanged after the last round.
            let [b, d, f, h] = gather(right[i]).to_be_bytes();
            let [a, c, e, g] = gather(left[i]).to_be_bytes();
            results[i] = rows([a, b, c, d, e, f, g, h]);
        }
        results
    }

    /// Whole blocks of `text`, into `output`, which is as long.
    fn whole(&self, text: &[[u8; BLOCK]], output: &mut [[u8; BLOCK]]) {
        let (pairs, rest) = text.as_chunks::<2>();
        let (pairs_out, rest_out) = output.as_chunks_mut::<2>();
        for (pair, output) in pairs.iter().zip(pairs_out) {
            *output = self.blocks(*pair);
        }
        for (block, output) in rest.iter().zip(rest_out) {
            *output = self.block(*block);
        }
    }
}

/// The function f of the standard, on spread halves; the key has been added.
#[inline(always)]
fn mix(spread: u64) -> u64 {
    let mut result = 0;
    for (number, table) in BOXES.iter().enumerate() {
        result ^= table[(spread >> (8 * number)) as usize & 63];
    }
    result
}

/// The eight columns of a block seen as a square of bits, each from the last byte to the first (the most significant bit
/// belongs to the last byte). The initial permutation takes the even columns and then the odd ones.
#[inline(always)]
fn columns(block: [u8; BLOCK]) -> [u8; BLOCK] {
    transpose(u64::from_le_bytes(block)).to_be_bytes()
}

/// The block that has these [`columns`].
#[inline(always)]
fn rows(columns: [u8; BLOCK]) -> [u8; BLOCK] {
    transpose(u64::from_be_bytes(columns)).to_le_bytes()
}

/// Exchanges the rows (bytes) and columns of a square of bits.
#[inline(always)]
const fn transpose(mut square: u64) -> u64 {
    let change = (square ^ square >> 7) & 0x00aa_00aa_00aa_00aa;
    square ^= change ^ change << 7;
    let change = (square ^ square >> 14) & 0x0000_cccc_0000_cccc;
    square ^= change ^ change << 14;
    let change = (square ^ square >> 28) & 0x0000_0000_f0f0_f0f0;
    square ^ change ^ change << 28
}

/// Bytes that [`encode`] makes of a text of `len` bytes: at least one byte of padding, up to the end of its block.
pub const fn encoded_len(len: usize) -> usize {
    len / BLOCK * BLOCK + BLOCK
}

/// Encrypts `text` into `output`, of [`encoded_len`] bytes.
pub fn encode(key: &[u8; BLOCK], text: &[u8], padding: Padding, output: &mut [u8]) {
    let cipher = Des::encryptor(key);
    let (whole, tail) = text.as_chunks();
    let (output, _) = output.as_chunks_mut();
    let (body, last) = output.split_at_mut(whole.len());
    cipher.whole(whole, body);
    last[0] = cipher.block(padding.add(tail));
}

/// Decrypts `text`, a whole number of blocks, into `output`, which is as long. Returns the length without its padding,
/// or None where there is no valid padding.
pub fn decode(
    key: &[u8; BLOCK],
    text: &[u8],
    padding: Padding,
    output: &mut [u8],
) -> Option<usize> {
    let (text, _) = text.as_chunks();
    let (blocks, _) = output.as_chunks_mut();
    Des::decryptor(key).whole(text, blocks);
    let padded = padding.find(blocks.last()?)?;
    Some(blocks.len() * BLOCK - padded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::des::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

    /// Numbers that look random, the same in each run (splitmix64).
    fn numbers() -> impl Iterator<Item = u64> {
        let mut state = 0u64;
        std::iter::repeat_with(move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut value = state;
            value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            value ^ value >> 31
        })
    }

    #[test]
    fn blocks_are_those_of_another_implementation() {
        let mut numbers = numbers();
        for _ in 0..2000 {
            let key = numbers.next().unwrap().to_ne_bytes();
            let block = numbers.next().unwrap().to_ne_bytes();
            let other = ::des::Des::new(&key.into());
            let mut expected = block.into();
            other.encrypt_block(&mut expected);
            assert_eq!(Des::encryptor(&key).block(block), expected.0);
            let mut expected = block.into();
            other.decrypt_block(&mut expected);
            assert_eq!(Des::decryptor(&key).block(block), expected.0);
        }
    }

    #[test]
    fn texts_of_any_length_come_back() {
        let key = *b"\x01secret!";
        for padding in [Padding::Iso7816, Padding::Pkcs7] {
            for len in 0..100 {
                let text: Vec<u8> = (0..len as u8).collect();
                let mut encoded = vec![0; encoded_len(len)];
                encode(&key, &text, padding, &mut encoded);
                let mut decoded = vec![0; encoded.len()];
                let found = decode(&key, &encoded, padding, &mut decoded);
                assert_eq!(found, Some(len));
                assert_eq!(decoded[..len], text);
            }
        }
    }

    #[test]
    fn halves_come_back_from_their_spread_form() {
        for number in numbers().take(100) {
            assert_eq!(gather(spread(number as u32)), number as u32);
        }
    }
}
