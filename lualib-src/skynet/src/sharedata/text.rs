//! Strings of shared data: stored once each, at addresses that do not change.

use std::alloc::{Layout, alloc, dealloc};
use std::collections::HashMap;
use std::ptr::{self, NonNull};
use std::slice;

use crate::block::OutOfMemory;

/// A string in a [`Texts`], which must outlive it: the address of its length, which the bytes follow.
#[derive(Clone, Copy)]
pub(super) struct Text(NonNull<usize>);

const HEAD: usize = size_of::<usize>();
const ALIGN: usize = align_of::<usize>();

impl Text {
    /// The bytes.
    ///
    /// # Safety
    /// The [`Texts`] that it comes from lives as long as the slice is used.
    #[inline]
    pub unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: contract of this function; so many bytes follow the length.
        unsafe { slice::from_raw_parts(self.0.add(1).cast().as_ptr(), self.0.read()) }
    }
}

/// Strings are put into blocks of this size; a longer one gets a block of its own.
const BLOCK: usize = 16 * 1024;

/// Memory of strings.
#[derive(Default)]
pub(super) struct Texts {
    blocks: Vec<(NonNull<u8>, Layout)>,
    /// Where the next string may begin in the last block, and how many bytes are left there.
    free: Option<NonNull<u8>>,
    left: usize,
}

impl Texts {
    /// Room for a string of `len` bytes: where its length is to be written.
    fn room(&mut self, len: usize) -> Result<NonNull<usize>, OutOfMemory> {
        let size = (HEAD + len).next_multiple_of(ALIGN);
        Ok(match self.free {
            Some(place) if size <= self.left => self.advance(place, size),
            _ if size > BLOCK / 4 => self.block(size)?.cast(),
            _ => {
                let place = self.block(BLOCK)?;
                self.left = BLOCK;
                self.advance(place, size)
            }
        })
    }

    fn advance(&mut self, place: NonNull<u8>, size: usize) -> NonNull<usize> {
        self.left -= size;
        // SAFETY: `size` bytes were left behind `place`.
        self.free = Some(unsafe { place.add(size) });
        place.cast()
    }

    fn block(&mut self, size: usize) -> Result<NonNull<u8>, OutOfMemory> {
        let layout = Layout::from_size_align(size, ALIGN).expect("a string that Lua could hold");
        self.blocks.try_reserve(1)?;
        // SAFETY: the size is not 0.
        let block = NonNull::new(unsafe { alloc(layout) }).ok_or(OutOfMemory)?;
        self.blocks.push((block, layout));
        Ok(block)
    }

    /// A copy of `bytes`.
    fn add(&mut self, bytes: &[u8]) -> Result<Text, OutOfMemory> {
        let place = self.room(bytes.len())?;
        // SAFETY: there is room for the length and the bytes.
        unsafe {
            place.write(bytes.len());
            ptr::copy_nonoverlapping(bytes.as_ptr(), place.add(1).cast().as_ptr(), bytes.len());
        }
        Ok(Text(place))
    }
}

impl Drop for Texts {
    fn drop(&mut self) {
        for (block, layout) in self.blocks.drain(..) {
            // SAFETY: allocated with this layout, and no text is left.
            unsafe { dealloc(block.as_ptr(), layout) };
        }
    }
}

/// Puts strings into a [`Texts`], equal ones once.
#[derive(Default)]
pub(super) struct Interner {
    texts: Texts,
    /// The keys are in `texts`.
    known: HashMap<&'static [u8], Text>,
}

impl Interner {
    pub fn text(&mut self, bytes: &[u8]) -> Result<Text, OutOfMemory> {
        if let Some(text) = self.known.get(bytes) {
            return Ok(*text);
        }
        self.known.try_reserve(1)?;
        let text = self.texts.add(bytes)?;
        // SAFETY: `known` is gone before the texts are.
        self.known.insert(unsafe { text.bytes() }, text);
        Ok(text)
    }

    pub fn finish(self) -> Texts {
        self.texts
    }
}

const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Both halves of the product, so that every bit of `word` reaches the lowest ones, which choose a bucket.
#[inline(always)]
fn mix(hash: u64, word: u64) -> u64 {
    let product = u128::from(hash ^ word) * u128::from(FACTOR);
    product as u64 ^ (product >> 64) as u64
}

#[inline(always)]
fn word<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word[..N].copy_from_slice(&bytes[at..at + N]);
    u64::from_le_bytes(word)
}

/// Hash of a key that is a string.
#[inline]
pub(super) fn hash_bytes(bytes: &[u8]) -> u32 {
    let len = bytes.len();
    let start = len as u64;
    let hash = if len >= 8 {
        let last = len - 8;
        let mut hash = start;
        let mut at = 0;
        while at < last {
            hash = mix(hash, word::<8>(bytes, at));
            at += 8;
        }
        mix(hash, word::<8>(bytes, last))
    } else if len >= 4 {
        mix(start, word::<4>(bytes, 0) << 32 | word::<4>(bytes, len - 4))
    } else if len > 0 {
        let ends = word::<1>(bytes, 0) << 16 | word::<1>(bytes, len / 2) << 8;
        mix(start, ends | word::<1>(bytes, len - 1))
    } else {
        0
    };
    hash as u32
}

/// Hash of a key that is a number.
#[inline]
pub(super) fn hash_integer(key: i64) -> u32 {
    mix(0, key as u64) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_strings_are_one_and_all_keep_their_bytes() {
        let mut interner = Interner::default();
        let samples: Vec<Vec<u8>> = (0..3000)
            .map(|n| format!("{n}").repeat(n % 40).into_bytes())
            .chain([vec![7; BLOCK], vec![8; BLOCK / 4 - 1], vec![0; 3]])
            .collect();
        let texts: Vec<Text> = samples
            .iter()
            .map(|it| interner.text(it).unwrap())
            .collect();
        let again: Vec<Text> = samples
            .iter()
            .map(|it| interner.text(it).unwrap())
            .collect();
        let _kept = interner.finish();
        for ((sample, text), same) in samples.iter().zip(texts).zip(again) {
            // SAFETY: the texts are kept.
            assert_eq!(unsafe { text.bytes() }, &sample[..]);
            assert_eq!(text.0, same.0);
        }
    }

    #[test]
    fn keys_that_differ_in_one_place_spread_over_the_buckets() {
        for prefix in ["", "k", "key", "skill_", "a_long_prefix_of_", "id_0000000"] {
            for suffix in ["", "_x", "_a_long_suffix"] {
                let mut buckets = [0; 128];
                for n in 0..100 {
                    let key = format!("{prefix}{n}{suffix}");
                    buckets[hash_bytes(key.as_bytes()) as usize % 128] += 1;
                }
                assert!(buckets.iter().max() <= Some(&7), "{prefix}N{suffix}");
            }
        }
        let mut buckets = [0; 128];
        for n in 0..100 {
            buckets[hash_integer(n * 1024) as usize % 128] += 1;
        }
        assert!(buckets.iter().max() <= Some(&7));
    }

    #[test]
    fn every_byte_counts_in_a_hash() {
        for len in 1..40 {
            let zero = vec![0; len];
            for at in 0..len {
                let mut other = zero.clone();
                other[at] = 1;
                assert_ne!(hash_bytes(&zero), hash_bytes(&other), "{len} {at}");
            }
        }
    }
}
