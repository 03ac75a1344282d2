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

/// What was sent on since the last look.
#[derive(Default)]
pub struct Turn {
    frames: u32,
    bytes: usize,
}

impl Turn {
    /// Counts a frame. Whether the turn is over.
    pub fn count(&mut self, bytes: usize) -> bool {
        self.frames += 1;
        self.bytes += bytes;
        self.frames >= FRAMES || self.bytes >= BYTES
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

/// What the gate has sent to one service and that one has not handled. The service says only how many messages it has
/// handled in all, so those of others count as well: never too many are seen here.
#[derive(Default)]
pub struct Flow {
    sent: u64,
    /// Messages that the service had handled when nothing of ours waited.
    base: u64,
}

impl Flow {
    /// So many have been sent.
    pub fn add(&mut self, count: u32) {
        self.sent += u64::from(count);
    }

    /// The messages that may still wait when the service has handled `handled` in all.
    pub fn waiting(&mut self, handled: u64) -> u64 {
        let done = handled.saturating_sub(self.base);
        if done >= self.sent {
            (self.sent, self.base) = (0, handled);
            return 0;
        }
        self.sent - done
    }

    /// For a service to which nothing was sent yet.
    pub fn new(handled: u64) -> Flow {
        Flow {
            sent: 0,
            base: handled,
        }
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
    }

    #[test]
    fn a_flow_knows_what_waits_at_least() {
        let mut flow = Flow::new(1000);
        let mut after = |more, handled| {
            flow.add(more);
            flow.waiting(handled)
        };
        assert_eq!(after(64, 1000), 64);
        assert_eq!(after(64, 1010), 118);
        assert_eq!(after(0, 1100), 28);
        assert_eq!(after(0, 5000), 0);
        assert_eq!(after(10, 5000), 10);
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
