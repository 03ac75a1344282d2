//! What clients send to a gate: a length of 2 or 4 bytes, the high one first, and as many bytes.

use skynet_sys::block::{Block, NoMemory};

/// A frame is shorter.
pub const LIMIT: usize = 0x0100_0000;
/// A body takes memory in steps of this size at first, so that a length alone costs nothing.
const FIRST_STEP: usize = 64 * 1024;

/// A frame without its length.
pub enum Frame<'a> {
    /// It came in one piece.
    Whole(&'a [u8]),
    /// It came in several.
    Collected(Block),
}

impl Frame<'_> {
    /// Number of bytes.
    pub fn size(&self) -> usize {
        match self {
            Frame::Whole(bytes) => bytes.len(),
            Frame::Collected(block) => block.len(),
        }
    }
}

/// Why a stream cannot be read any further.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// A frame of the limit's bytes or more is announced.
    TooLong,
    /// See [`NoMemory`].
    NoMemory,
}

/// Takes the stream of one client apart, however it is cut into pieces.
pub struct Decoder {
    /// Bytes of a length.
    width: usize,
    /// A frame is shorter.
    limit: usize,
    /// Bytes of the length that have come, and the number that they make.
    known: usize,
    length: usize,
    body: Block,
}

/// The first bytes, at most `count`.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (part, rest) = bytes.split_at(count.min(bytes.len()));
    *bytes = rest;
    part
}

impl Decoder {
    /// For lengths of `width` bytes, at most 4, and frames shorter than `limit`.
    pub fn new(width: usize, limit: usize) -> Decoder {
        Decoder {
            width,
            limit,
            known: 0,
            length: 0,
            body: Block::default(),
        }
    }

    /// Moves `bytes` on to the end of the next frame, which is returned, or to their own end. Frames of no bytes are left
    /// out. After an error the decoder is of no use.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Frame<'a>>, Broken> {
        loop {
            let header = take(bytes, self.width - self.known);
            self.known += header.len();
            for &byte in header {
                self.length = self.length << 8 | usize::from(byte);
            }
            if self.known < self.width {
                return Ok(None);
            }
            if self.length >= self.limit {
                return Err(Broken::TooLong);
            }
            if self.length > 0 {
                break;
            }
            self.known = 0;
        }
        let missing = self.length - self.body.len();
        let part = take(bytes, missing);
        let complete = part.len() == missing;
        let frame = if complete && self.body.is_empty() {
            Frame::Whole(part)
        } else {
            // Twice what has come, but no more than will come.
            let step = missing.min((self.body.len() + part.len()).max(FIRST_STEP));
            let stored = self.body.reserve(step.max(part.len()));
            stored
                .and_then(|()| self.body.extend(part))
                .map_err(|NoMemory| Broken::NoMemory)?;
            if !complete {
                return Ok(None);
            }
            Frame::Collected(std::mem::take(&mut self.body))
        };
        self.known = 0;
        self.length = 0;
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(decoder: &mut Decoder, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, Broken> {
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next(&mut bytes)? {
            frames.push(match frame {
                Frame::Whole(bytes) => bytes.to_vec(),
                Frame::Collected(block) => block.bytes().to_vec(),
            });
        }
        assert!(bytes.is_empty());
        Ok(frames)
    }

    #[test]
    fn frames_do_not_depend_on_how_the_stream_was_cut() {
        for width in [2, 4] {
            let mut stream = Vec::new();
            let mut expected = Vec::new();
            for size in [1, 0, 300, 0, 0, 2, 65535] {
                stream.extend(&(size as u32).to_be_bytes()[4 - width..]);
                stream.extend(vec![size as u8; size]);
                if size > 0 {
                    expected.push(vec![size as u8; size]);
                }
            }
            for piece in [1, 2, 3, 5, 301, 4096, stream.len()] {
                let mut decoder = Decoder::new(width, LIMIT);
                let frames = stream.chunks(piece).map(|part| all(&mut decoder, part));
                let frames: Vec<_> = frames.flat_map(Result::unwrap).collect();
                assert!(frames == expected, "pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_frame_that_would_be_too_long_is_refused_by_its_length() {
        for length in [0x0100_0000u32, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
            let result = all(&mut Decoder::new(4, LIMIT), &length.to_be_bytes());
            assert_eq!(result, Err(Broken::TooLong));
        }
        let length = 0x00ff_ffffu32.to_be_bytes();
        assert_eq!(all(&mut Decoder::new(4, LIMIT), &length), Ok(Vec::new()));
    }

    #[test]
    fn a_length_alone_takes_little_memory() {
        let mut decoder = Decoder::new(4, LIMIT);
        assert_eq!(all(&mut decoder, b"\x00\xff\xff\xff.."), Ok(Vec::new()));
        assert!(decoder.body.capacity() <= FIRST_STEP);
    }
}
