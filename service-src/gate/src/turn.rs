//! Clients that send faster than their agents work. After some frames a client's turn is over: the gate looks whether the
//! one who gets them keeps up. If not, the client is not read any more, and what had been read waits here, until that one
//! has caught up: so nothing is lost, and the client waits in its TCP. Nobody notices who is not behind.

use std::collections::VecDeque;

use skynet_sys::block::Block;

/// A turn has so many frames, or bytes.
const FRAMES: u32 = 64;
const BYTES: usize = 64 * 1024;
/// A service is behind with more messages waiting than that (fewer than those that the core calls an overload), ...
const MOST: usize = 700;
/// ... or with as many as have so many bytes, if they are like those of the turn.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Bytes that may wait to be read by a client before it is not read any more.
pub const MOST_UNREAD: u64 = 16 * 1024 * 1024;
/// Bytes of a client that wait here before it is not read any more.
pub const MOST_WAITING: usize = 64 * 1024;
/// Milliseconds between two looks at those who are behind: less than they need for what waits.
pub const RELIEF: u64 = 1;
/// So many of them are looked at in a millisecond, on average.
pub const LOOKS: u64 = 64;
/// Hundredths of a second after which a client has a turn although the one who gets its frames is behind, see
/// [`Flow::share`](crate::flow::Flow::share).
pub const PATIENCE: u64 = 50;

/// What was sent on since the last look.
#[derive(Default)]
pub struct Turn {
    frames: u32,
    bytes: usize,
    /// Frames that it may have when the one who gets them is behind.
    share: Option<u32>,
}

impl Turn {
    /// A turn of at most so many frames, of those that a service which is behind shares.
    pub fn shared(frames: u32) -> Turn {
        Turn {
            share: Some(frames),
            ..Turn::default()
        }
    }

    /// Whether it is one of those.
    pub fn is_shared(&self) -> bool {
        self.share.is_some()
    }

    /// Counts a frame. Whether the turn is over.
    pub fn count(&mut self, bytes: usize) -> bool {
        self.frames += 1;
        self.bytes += bytes;
        self.frames >= self.share.unwrap_or(FRAMES).min(FRAMES) || self.bytes >= BYTES
    }

    /// Frames.
    pub fn frames(&self) -> u32 {
        self.frames
    }

    /// Messages with which the one who gets such frames is behind.
    pub fn limit(&self) -> u64 {
        let average = self.bytes / self.frames.max(1) as usize;
        (MOST_BYTES / average.max(1)).clamp(FRAMES as usize, MOST) as u64
    }
}

/// A part of the stream, of which the first bytes are done.
pub struct Piece {
    block: Block,
    done: usize,
}

impl Piece {
    /// What has just come.
    pub fn new(block: Block) -> Piece {
        Piece { block, done: 0 }
    }

    /// What is not done.
    pub fn rest(&self) -> &[u8] {
        &self.block.bytes()[self.done..]
    }

    /// Only the last `rest` bytes are left.
    pub fn keep(&mut self, rest: usize) {
        self.done = self.block.len() - rest;
    }
}

/// What a client has sent and that waits for its turn.
#[derive(Default)]
pub struct Waiting {
    pieces: VecDeque<Piece>,
    bytes: usize,
}

impl Waiting {
    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Something more has come.
    pub fn push(&mut self, piece: Piece) {
        self.bytes += piece.rest().len();
        self.pieces.push_back(piece);
    }

    /// Takes what has waited longest.
    pub fn pop(&mut self) -> Option<Piece> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.rest().len();
        Some(piece)
    }

    /// Puts back what is left of it.
    pub fn put_back(&mut self, piece: Piece) {
        if !piece.rest().is_empty() {
            self.bytes += piece.rest().len();
            self.pieces.push_front(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_ends_by_frames_or_bytes_and_large_frames_have_a_lower_limit() {
        let mut small = Turn::default();
        assert!((1..FRAMES).all(|_| !small.count(1)) && small.count(1));
        assert_eq!(small.limit(), MOST as u64);
        let mut large = Turn::default();
        assert!(large.count(BYTES));
        assert_eq!(large.limit(), (MOST_BYTES / BYTES) as u64);
        let mut shared = Turn::shared(2);
        assert!(shared.is_shared() && !shared.count(1) && shared.count(1));
    }

    #[test]
    fn what_waits_keeps_its_order() {
        let piece = |text: &[u8]| {
            let mut block = Block::default();
            block.extend(text).unwrap();
            Piece::new(block)
        };
        let mut waiting = Waiting::default();
        waiting.push(piece(b"first"));
        waiting.push(piece(b"second"));
        let mut first = waiting.pop().unwrap();
        first.keep(2);
        waiting.put_back(first);
        assert_eq!(waiting.bytes(), 8);
        assert_eq!(waiting.pop().unwrap().rest(), b"st");
        let mut second = waiting.pop().unwrap();
        second.keep(0);
        waiting.put_back(second);
        assert!(waiting.pop().is_none() && waiting.bytes() == 0);
    }
}
