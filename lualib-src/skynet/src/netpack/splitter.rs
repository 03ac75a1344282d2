//! Splits byte streams into packets: two bytes of length, the high one first, and as many bytes.
//!
//! What has come completely is not copied when it comes: the block waits in the queue, and a packet gets memory of its own
//! when it is taken. So a burst of small packets needs little more than its bytes, and as the one who takes a packet
//! usually frees it before the next, that memory is the same warm piece again and again.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use crate::block::{Block, OutOfMemory};

/// Bytes of a header.
pub const HEADER: usize = 2;

/// A packet of which something is missing.
enum Partial {
    /// Only the first byte of the length is known.
    Length(u8),
    /// What has come of the packet, in a block with room for all of it, and how long it will be.
    Body(Block, usize),
}

/// Complete packets with their headers, from `at` on up to `end`. There is one at least.
struct Frames {
    block: Block,
    at: usize,
    end: usize,
}

/// What waits to be taken.
enum Ready {
    Packet(Block),
    Frames(Frames),
}

/// What a block of bytes has brought.
pub enum Fed {
    /// No packet yet.
    Nothing,
    /// One packet, and nothing else.
    One(Block),
    /// Something to take from the queue.
    Queued,
}

/// Any number of streams, told apart by their numbers, and one queue of the packets that have come.
#[derive(Default)]
pub struct Splitter {
    partial: HashMap<i32, Partial, BuildHasherDefault<Spread>>,
    /// Where packets are being taken from; comes before `ready`.
    front: Option<(i32, Frames)>,
    ready: VecDeque<(i32, Ready)>,
}

/// The hash of a stream's number: those of sockets count up, and no peer chooses them.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte) ^ self.0);
        }
    }

    fn write_i32(&mut self, number: i32) {
        self.write_u64(number as u64);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Room that an empty queue keeps.
const KEEP: usize = 64;

/// The length in the first two of `bytes`.
fn length(bytes: &[u8]) -> Option<usize> {
    let header = bytes.first_chunk::<HEADER>()?;
    Some(u16::from_be_bytes(*header).into())
}

/// The packet, if `bytes` are exactly one with its header.
pub fn single(bytes: &[u8]) -> Option<&[u8]> {
    (length(bytes)? == bytes.len() - HEADER).then(|| &bytes[HEADER..])
}

impl Splitter {
    /// Goes on with stream `id`.
    pub fn feed(&mut self, id: i32, block: Block) -> Result<Fed, OutOfMemory> {
        if !self.partial.is_empty()
            && let Some(partial) = self.partial.remove(&id)
        {
            return self.proceed(id, partial, block);
        }
        if let Some(packet) = single(block.bytes()) {
            return Block::copy_of(packet).map(Fed::One);
        }
        Ok(match self.split(id, block, 0)? {
            true => Fed::Queued,
            false => Fed::Nothing,
        })
    }

    /// Goes on with a packet that has begun.
    fn proceed(&mut self, id: i32, partial: Partial, block: Block) -> Result<Fed, OutOfMemory> {
        let bytes = block.bytes();
        let mut at = 0;
        let (mut packet, size) = match partial {
            Partial::Body(packet, size) => (packet, size),
            Partial::Length(high) => {
                let Some(&low) = bytes.first() else {
                    self.keep(id, partial)?;
                    return Ok(Fed::Nothing);
                };
                at = 1;
                let size = u16::from_be_bytes([high, low]).into();
                (Block::with_capacity(size)?, size)
            }
        };
        let some = (bytes.len() - at).min(size - packet.len());
        // SAFETY: the block has room for `size` bytes.
        unsafe { packet.append(&bytes[at..at + some]) };
        at += some;
        if packet.len() < size {
            self.keep(id, Partial::Body(packet, size))?;
            return Ok(Fed::Nothing);
        }
        if at == bytes.len() {
            return Ok(Fed::One(packet));
        }
        self.queue(id, Ready::Packet(packet))?;
        self.split(id, block, at)?;
        Ok(Fed::Queued)
    }

    /// Queues the complete packets of `block` from `at` on and keeps what follows them. Whether there was one.
    fn split(&mut self, id: i32, block: Block, at: usize) -> Result<bool, OutOfMemory> {
        let bytes = block.bytes();
        let mut end = at;
        while let Some(size) = length(&bytes[end..])
            && bytes.len() - end - HEADER >= size
        {
            end += HEADER + size;
        }
        match (&bytes[end..], length(&bytes[end..])) {
            ([], _) => {}
            (rest, None) => self.keep(id, Partial::Length(rest[0]))?,
            (rest, Some(size)) => {
                let mut packet = Block::with_capacity(size)?;
                // SAFETY: fewer than `size` bytes follow the header, or it would be a complete packet.
                unsafe { packet.append(&rest[HEADER..]) };
                self.keep(id, Partial::Body(packet, size))?;
            }
        }
        if end > at {
            self.queue(id, Ready::Frames(Frames { block, at, end }))?;
        }
        Ok(end > at)
    }

    fn keep(&mut self, id: i32, partial: Partial) -> Result<(), OutOfMemory> {
        self.partial.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.partial.insert(id, partial);
        Ok(())
    }

    fn queue(&mut self, id: i32, ready: Ready) -> Result<(), OutOfMemory> {
        self.ready.try_reserve(1).map_err(|_| OutOfMemory)?;
        self.ready.push_back((id, ready));
        Ok(())
    }

    /// The next packet and its stream.
    #[inline]
    pub fn take(&mut self) -> Result<Option<(i32, Block)>, OutOfMemory> {
        while self.front.is_none() {
            match self.shift() {
                None => return Ok(None),
                Some((id, Ready::Packet(packet))) => return Ok(Some((id, packet))),
                Some((id, Ready::Frames(frames))) => self.front = Some((id, frames)),
            }
        }
        let Some((id, Frames { block, at, end })) = &mut self.front else {
            return Ok(None);
        };
        let rest = &block.bytes()[*at..*end];
        let size = length(rest).unwrap_or_default();
        let packet = Block::copy_of(&rest[HEADER..HEADER + size])?;
        *at += HEADER + size;
        let taken = Ok(Some((*id, packet)));
        if at == end {
            self.front = None;
        }
        taken
    }

    fn shift(&mut self) -> Option<(i32, Ready)> {
        let first = self.ready.pop_front();
        if self.ready.is_empty() && self.ready.capacity() > KEEP {
            self.ready = VecDeque::new();
        }
        first
    }

    /// Forgets what has come of a packet that will never be complete.
    pub fn end(&mut self, id: i32) {
        self.partial.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All packets that the parts of one stream bring, and what is left incomplete.
    fn run(parts: &[&[u8]]) -> (Vec<Vec<u8>>, bool) {
        let mut splitter = Splitter::default();
        let mut packets = Vec::new();
        for part in parts {
            let block = Block::copy_of(part).unwrap();
            match splitter.feed(7, block).unwrap() {
                Fed::Nothing => assert!(splitter.take().unwrap().is_none()),
                Fed::One(packet) => packets.push(packet.bytes().to_vec()),
                Fed::Queued => {
                    let before = packets.len();
                    while let Some((id, packet)) = splitter.take().unwrap() {
                        assert_eq!(id, 7);
                        packets.push(packet.bytes().to_vec());
                    }
                    assert!(packets.len() > before);
                }
            }
        }
        (packets, !splitter.partial.is_empty())
    }

    #[test]
    fn the_packets_do_not_depend_on_how_the_stream_was_cut() {
        let mut stream = Vec::new();
        let mut expected = Vec::new();
        for size in [0, 1, 2, 3, 0, 0, 255, 256, 257, 1] {
            let packet: Vec<u8> = (0..size).map(|n| n as u8).collect();
            stream.extend((size as u16).to_be_bytes());
            stream.extend(&packet);
            expected.push(packet);
        }
        for width in 1..=stream.len() {
            let parts: Vec<&[u8]> = stream.chunks(width).collect();
            assert_eq!(run(&parts), (expected.clone(), false), "parts of {width}");
        }
        for cut in 1..stream.len() {
            let (front, back) = stream.split_at(cut);
            assert_eq!(
                run(&[front, back]),
                (expected.clone(), false),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn an_unfinished_packet_is_kept_until_its_stream_ends() {
        for unfinished in [&b"\x00"[..], b"\x00\x02", b"\x00\x02a"] {
            let mut stream = b"\x00\x01x".to_vec();
            stream.extend(unfinished);
            assert_eq!(run(&[&stream]), (vec![b"x".to_vec()], true));
        }
        let mut splitter = Splitter::default();
        let feed = |splitter: &mut Splitter, bytes: &[u8]| {
            let fed = splitter.feed(1, Block::copy_of(bytes).unwrap()).unwrap();
            assert!(matches!(fed, Fed::Nothing));
        };
        feed(&mut splitter, b"\x00\x05abc");
        splitter.end(1);
        feed(&mut splitter, b"\x00\x05abc");
    }

    #[test]
    fn streams_do_not_mix() {
        let mut splitter = Splitter::default();
        let mut feed = |id, bytes: &[u8]| splitter.feed(id, Block::copy_of(bytes).unwrap());
        feed(1, b"\x00\x02a").unwrap();
        feed(2, b"\x00\x02x").unwrap();
        assert!(matches!(feed(1, b"b").unwrap(), Fed::One(packet) if packet.bytes() == b"ab"));
        assert!(matches!(feed(2, b"y\x00\x00").unwrap(), Fed::Queued));
        let mut packets = Vec::new();
        while let Some((id, packet)) = splitter.take().unwrap() {
            packets.push((id, packet.bytes().to_vec()));
        }
        assert_eq!(packets, [(2, b"xy".to_vec()), (2, Vec::new())]);
    }
}
