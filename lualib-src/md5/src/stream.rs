//! A stream cipher of MD5 (cipher feedback, CFB): what hides 16 bytes is the sum of the 16 hidden bytes before and the key.

use md5::{Digest, Md5};

/// Bytes that are hidden at once; also the longest seed.
pub const BLOCK: usize = 16;
/// The longest key.
pub const KEY: usize = 256;

/// The state: the last hidden bytes, then the key.
pub struct Stream {
    block: [u8; BLOCK + KEY],
    len: usize,
}

impl Stream {
    /// A stream that begins with `seed`. None when the key or the seed is too long.
    pub fn new(key: &[u8], seed: &[u8]) -> Option<Self> {
        let mut block = [0; BLOCK + KEY];
        block[..BLOCK].get_mut(..seed.len())?.copy_from_slice(seed);
        block[BLOCK..].get_mut(..key.len())?.copy_from_slice(key);
        let len = BLOCK + key.len();
        Some(Self { block, len })
    }

    /// Hides `plain` in `hidden`, which is as long.
    pub fn hide(&mut self, plain: &[u8], hidden: &mut [u8]) {
        for (plain, hidden) in plain.chunks(BLOCK).zip(hidden.chunks_mut(BLOCK)) {
            self.mix(plain, hidden);
            self.block[..hidden.len()].copy_from_slice(hidden);
        }
    }

    /// Finds in `plain`, which is as long, what `hidden` hides.
    pub fn find(&mut self, hidden: &[u8], plain: &mut [u8]) {
        for (hidden, plain) in hidden.chunks(BLOCK).zip(plain.chunks_mut(BLOCK)) {
            self.mix(hidden, plain);
            self.block[..hidden.len()].copy_from_slice(hidden);
        }
    }

    fn mix(&self, input: &[u8], output: &mut [u8]) {
        let sum = Md5::digest(&self.block[..self.len]);
        for ((output, input), sum) in output.iter_mut().zip(input).zip(sum) {
            *output = input ^ sum;
        }
    }
}

/// The parts of what `md5.crypt` returns: a byte with the length of the seed, the seed, and the hidden bytes. None when they
/// are not there, or no seed can be so long.
pub fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&len, rest) = text.split_first()?;
    let len = usize::from(len);
    if len > BLOCK {
        return None;
    }
    rest.split_at_checked(len)
}
