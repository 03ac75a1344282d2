//! Skynet's own mixtures of 64 bits: quick, not secure. Login servers and their clients agree on them.

use md5::{Digest, Md5, block_api::compress};

/// 64 bits as they travel: least significant byte first.
pub type Word = [u8; 8];

/// The state of MD5 before its first block (RFC 1321 §3.3).
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Two hashes of 32 bits, D. J. Bernstein's and Justin Sobel's.
pub fn hash(text: &[u8]) -> Word {
    let mut bernstein = 5381_u32;
    let mut sobel = 1_315_423_911_u32;
    for &byte in text {
        let byte = u32::from(byte);
        bernstein = (bernstein << 5).wrapping_add(bernstein).wrapping_add(byte);
        sobel ^= (sobel << 5).wrapping_add(byte).wrapping_add(sobel >> 2);
    }
    join(bernstein, sobel)
}

/// The rounds of MD5 over one block, `key` and `text` four times, without the sum with the state before; its two halves
/// are then combined.
pub fn hmac(text: Word, key: Word) -> Word {
    let [text_low, text_high] = halves(text);
    let [key_low, key_high] = halves(key);
    let mut block = [0; 64];
    for part in block.as_chunks_mut::<16>().0 {
        part[..4].copy_from_slice(&text_high);
        part[4..8].copy_from_slice(&text_low);
        part[8..12].copy_from_slice(&key_high);
        part[12..].copy_from_slice(&key_low);
    }
    let mut state = START;
    compress(&mut state, &[block]);
    let [a, b, c, d] = std::array::from_fn(|i| state[i].wrapping_sub(START[i]));
    join(c ^ d, a ^ b)
}

/// MD5 of `text` and `key` three times; its two halves are then combined.
pub fn hmac_md5(text: Word, key: Word) -> Word {
    let mut md5 = Md5::new();
    for _ in 0..3 {
        md5.update(text);
        md5.update(key);
    }
    let sum: [u8; 16] = md5.finalize().into();
    std::array::from_fn(|i| sum[i] ^ sum[i + 8])
}

fn halves(word: Word) -> [[u8; 4]; 2] {
    let [a, b, c, d, e, f, g, h] = word;
    [[a, b, c, d], [e, f, g, h]]
}

fn join(low: u32, high: u32) -> Word {
    (u64::from(high) << 32 | u64::from(low)).to_le_bytes()
}
