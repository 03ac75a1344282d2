//! The bytes that a socket has received and its service has not read yet.

use std::collections::VecDeque;

use crate::block::{Block, OutOfMemory};

/// The longest separator whose search is continued where it stopped.
const SEPARATOR: usize = 4;

/// A search that found nothing: no match begins in the first `until` bytes.
#[derive(Default, Clone, Copy)]
struct Searched {
    separator: [u8; SEPARATOR],
    len: usize,
    until: usize,
}

/// Blocks in the order of arrival.
#[derive(Default)]
pub struct Received {
    blocks: VecDeque<Block>,
    /// Bytes of the first block that have been read.
    offset: usize,
    size: usize,
    searched: Searched,
}

/// Room for blocks that an empty buffer keeps.
const KEEP: usize = 32;

impl Received {
    /// Bytes that can be read.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Appends a block; it is dropped when there is no memory.
    pub fn push(&mut self, block: Block) -> Result<(), OutOfMemory> {
        if block.is_empty() {
            return Ok(());
        }
        self.blocks.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.size += block.len();
        self.blocks.push_back(block);
        Ok(())
    }

    /// The parts of what can be read, in order.
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut offset = self.offset;
        self.blocks
            .iter()
            .map(move |block| &block.bytes()[std::mem::take(&mut offset)..])
    }

    /// The first `count` bytes if they are in one piece.
    pub fn piece(&self, count: usize) -> Option<&[u8]> {
        match self.blocks.front() {
            Some(block) => block.bytes()[self.offset..].get(..count),
            None => (count == 0).then_some(&[]),
        }
    }

    /// Copies the first `count` bytes to `to`.
    ///
    /// # Safety
    /// There are as many, and `to` has room for them.
    pub unsafe fn copy(&self, count: usize, to: *mut u8) {
        let mut done = 0;
        for part in self.parts() {
            let some = part.len().min(count - done);
            // SAFETY: at most `count` bytes in all; Lua's memory does not overlap a block.
            unsafe { to.add(done).copy_from_nonoverlapping(part.as_ptr(), some) };
            done += some;
            if done == count {
                return;
            }
        }
    }

    /// Forgets the first `count` bytes, all of them if there are fewer.
    pub fn consume(&mut self, count: usize) {
        let mut left = count;
        while let Some(block) = self.blocks.front() {
            let some = block.len() - self.offset;
            if left < some {
                self.offset += left;
                self.size -= left;
                break;
            }
            left -= some;
            self.size -= some;
            self.offset = 0;
            self.blocks.pop_front();
        }
        self.searched.until = self.searched.until.saturating_sub(count);
        if self.blocks.is_empty() && self.blocks.capacity() > KEEP {
            self.blocks = VecDeque::new();
        }
    }

    /// Number of bytes in front of the first `separator`. Searching again for the same one after more bytes have come
    /// does not begin at the front.
    pub fn find(&mut self, separator: &[u8]) -> Option<usize> {
        if self.size == 0 {
            return None;
        }
        let Some(&first) = separator.first() else {
            return Some(0);
        };
        let known = self.searched;
        let from = if known.separator.get(..known.len) == Some(separator) {
            known.until
        } else {
            0
        };
        let found = self.search(from, first, separator);
        if found.is_none() && separator.len() <= SEPARATOR {
            let mut copy = [0; SEPARATOR];
            copy[..separator.len()].copy_from_slice(separator);
            self.searched = Searched {
                separator: copy,
                len: separator.len(),
                until: (self.size + 1).saturating_sub(separator.len()),
            };
        }
        found
    }

    /// `from`: where the search begins. `first`: the first byte of `separator`.
    fn search(&self, from: usize, first: u8, separator: &[u8]) -> Option<usize> {
        let last = self.size.checked_sub(separator.len())?;
        // Position of the part's first byte.
        let mut position = 0;
        for (index, part) in self.parts().enumerate() {
            let mut at = from.saturating_sub(position).min(part.len());
            while let Some(next) = find_byte(&part[at..], first) {
                at += next;
                if position + at > last {
                    return None;
                }
                if self.matches(index, &part[at..], separator) {
                    return Some(position + at);
                }
                at += 1;
            }
            position += part.len();
        }
        None
    }

    /// Whether `separator` begins at the beginning of `rest`, the end of block `index`. There are bytes enough.
    fn matches(&self, index: usize, rest: &[u8], separator: &[u8]) -> bool {
        let mut left = separator;
        let mut part = rest;
        let mut following = self.blocks.range(index + 1..);
        loop {
            let some = part.len().min(left.len());
            if part[..some] != left[..some] {
                return false;
            }
            left = &left[some..];
            if left.is_empty() {
                return true;
            }
            match following.next() {
                Some(block) => part = block.bytes(),
                None => return false,
            }
        }
    }
}

fn find_byte(bytes: &[u8], byte: u8) -> Option<usize> {
    // SAFETY: searches inside of the slice.
    let found = unsafe { libc::memchr(bytes.as_ptr().cast(), byte.into(), bytes.len()) };
    (!found.is_null()).then(|| found as usize - bytes.as_ptr() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &[u8]) -> Block {
        Block::copy_of(text).unwrap()
    }

    fn received(parts: &[&[u8]]) -> Received {
        let mut received = Received::default();
        for part in parts {
            received.push(block(part)).unwrap();
        }
        received
    }

    fn take(received: &mut Received, count: usize) -> Vec<u8> {
        assert!(count <= received.size());
        let mut bytes = vec![0; count];
        // SAFETY: checked above.
        unsafe { received.copy(count, bytes.as_mut_ptr()) };
        if let Some(piece) = received.piece(count) {
            assert_eq!(piece, bytes);
        }
        received.consume(count);
        bytes
    }

    #[test]
    fn bytes_come_out_in_order_whatever_the_blocks_are() {
        let text = b"the quick brown fox";
        for width in 1..=text.len() {
            for step in 1..=text.len() {
                let parts: Vec<&[u8]> = text.chunks(width).collect();
                let mut received = received(&parts);
                let mut out = Vec::new();
                while received.size() > 0 {
                    let count = step.min(received.size());
                    out.extend(take(&mut received, count));
                }
                assert_eq!(out, text);
            }
        }
    }

    #[test]
    fn a_separator_is_found_across_blocks_where_a_search_of_the_whole_text_finds_it() {
        let text = b"a\r\r\nb\n\r\nc";
        for width in 1..=text.len() {
            for separator in [
                &b"\n"[..],
                b"\r\n",
                b"\r\r\n",
                b"c",
                b"x",
                b"\n\r\nc",
                b"b\n\r\nc!",
            ] {
                let expected = text.windows(separator.len()).position(|w| w == separator);
                let parts: Vec<&[u8]> = text.chunks(width).collect();
                assert_eq!(received(&parts).find(separator), expected, "{separator:?}");
            }
        }
    }

    #[test]
    fn a_search_continued_block_by_block_finds_what_a_new_one_finds() {
        let text = b"xx\r\r\n..\r\n";
        for width in 1..=text.len() {
            let mut received = Received::default();
            let mut seen = 0;
            for part in text.chunks(width) {
                received.push(block(part)).unwrap();
                seen += part.len();
                let expected = text[..seen].windows(2).position(|w| w == b"\r\n");
                assert_eq!(received.find(b"\r\n"), expected);
            }
        }
    }

    #[test]
    fn reading_or_another_separator_does_not_spoil_a_continued_search() {
        let mut received = received(&[b"abc", b"\r"]);
        assert_eq!(received.find(b"\r\n"), None);
        assert_eq!(received.find(b"b"), Some(1));
        assert_eq!(received.find(b"\r\n"), None);
        take(&mut received, 3);
        received.push(block(b"\n")).unwrap();
        assert_eq!(received.find(b"\r\n"), Some(0));
        take(&mut received, 2);
        assert_eq!(received.find(b"\r\n"), None);
    }

    #[test]
    fn an_empty_separator_is_in_front_of_any_byte() {
        assert_eq!(received(&[]).find(b""), None);
        assert_eq!(received(&[b"a"]).find(b""), Some(0));
    }
}
