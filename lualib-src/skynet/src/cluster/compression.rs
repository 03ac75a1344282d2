//! Compressed packets, between nodes that have told each other that they know them.
//!
//! A packet of the side that asks becomes one of kind [`COMPRESSED`]: that byte, the size of the packet that it stands for as
//! two bytes, and a block of LZ4. Of an answer the session stays in front. A packet is small ([`CAPACITY`]), so what a peer
//! makes a node unpack is, too, and the parts of a large message are held to what it has announced as ever.

use libc::c_int;
use skynet_support::State;

use super::packet::CAPACITY;

/// The kind of such a packet, on both sides.
pub const COMPRESSED: u8 = 16;

const LENGTH: usize = 2;
const SESSION: usize = 4;
/// Kind and size.
const HEAD: usize = 3;
/// Room for a block that LZ4 could not make smaller.
const ROOM: usize = LENGTH + SESSION + HEAD + CAPACITY + CAPACITY / 8 + 64;

/// The packet, with its length, that stands for `packet`, whose first `kept` bytes stay as they are; nothing unless it is
/// smaller by an eighth.
fn pack<'a>(packet: &[u8], kept: usize, room: &'a mut [u8; ROOM]) -> Option<&'a [u8]> {
    let (front, rest) = packet.split_at_checked(kept)?;
    let size = u16::try_from(rest.len()).ok()?;
    if rest.len() > CAPACITY {
        return None;
    }
    let start = LENGTH + kept + HEAD;
    let len = start + lz4_flex::block::compress_into(rest, &mut room[start..]).ok()?;
    if len + packet.len() / 8 > packet.len() + LENGTH {
        return None;
    }
    room[..LENGTH].copy_from_slice(&u16::try_from(len - LENGTH).ok()?.to_be_bytes());
    room[LENGTH..LENGTH + kept].copy_from_slice(front);
    room[LENGTH + kept] = COMPRESSED;
    room[start - 2..start].copy_from_slice(&size.to_le_bytes());
    Some(&room[..len])
}

/// Bytes that a packet stands for.
pub struct Unpacked {
    bytes: [u8; CAPACITY],
}

impl Unpacked {
    /// Room for them.
    #[allow(clippy::new_without_default)] // never moved: 32 KiB
    pub fn new() -> Unpacked {
        Unpacked {
            bytes: [0; CAPACITY],
        }
    }

    /// What stands behind the kind of a compressed packet; nothing if that makes no sense.
    pub fn unpack(&mut self, body: &[u8]) -> Option<&[u8]> {
        let (size, block) = body.split_first_chunk()?;
        let size = usize::from(u16::from_le_bytes(*size));
        let room = self.bytes.get_mut(..size)?;
        let len = lz4_flex::block::decompress_into(block, room).ok()?;
        (len == size).then(|| &self.bytes[..size])
    }
}

/// `compress(packet [, is_answer])`: a packet with its length, compressed; the same one if that does not make it smaller.
pub fn compress(state: State<'_>) -> c_int {
    let mut room = [0; ROOM];
    let packet = state.check_bytes(1).get(LENGTH..).unwrap_or_default();
    let kept = if state.to_boolean(2) { SESSION } else { 0 };
    match pack(packet, kept, &mut room) {
        Some(bytes) => state.push_bytes(bytes),
        None => state.push_copy(1),
    }
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(packet: &[u8], kept: usize) -> Option<Vec<u8>> {
        pack(packet, kept, &mut [0; ROOM]).map(<[u8]>::to_vec)
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        for size in [100, 5000, CAPACITY] {
            for kept in [0, SESSION] {
                let packet: Vec<u8> = (0..size).map(|n| (n / 50) as u8).collect();
                let bytes = packed(&packet, kept).expect("it can be made smaller");
                assert_eq!(
                    usize::from(u16::from_be_bytes([bytes[0], bytes[1]])),
                    bytes.len() - LENGTH
                );
                assert!(bytes.len() < packet.len());
                assert_eq!(&bytes[LENGTH..LENGTH + kept], &packet[..kept]);
                assert_eq!(bytes[LENGTH + kept], COMPRESSED);
                let mut unpacked = Unpacked::new();
                assert_eq!(
                    unpacked.unpack(&bytes[LENGTH + kept + 1..]),
                    Some(&packet[kept..])
                );
            }
        }
    }

    #[test]
    fn what_cannot_be_made_smaller_stays() {
        let mut seed = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        })
        .take(5000)
        .collect();
        assert_eq!(packed(&noise, 0), None);
        assert_eq!(packed(&[], 0), None);
        assert_eq!(packed(b"abc", SESSION), None);
        assert_eq!(packed(&vec![0; CAPACITY + 1], 0), None);
    }

    #[test]
    fn blocks_that_make_no_sense_are_refused() {
        let mut unpacked = Unpacked::new();
        assert_eq!(unpacked.unpack(b""), None);
        assert_eq!(unpacked.unpack(b"\x05"), None);
        assert_eq!(
            unpacked.unpack(b"\xff\xff\0"),
            None,
            "larger than any packet"
        );
        assert_eq!(unpacked.unpack(b"\x05\0\x50abcd"), None, "ends too soon");
        assert_eq!(
            unpacked.unpack(b"\x02\0\x50abcde"),
            None,
            "is more than it says"
        );
        assert_eq!(
            unpacked.unpack(b"\x06\0\x50abcde"),
            None,
            "is less than it says"
        );
        assert_eq!(unpacked.unpack(b"\x05\0\x50abcde"), Some(&b"abcde"[..]));
    }
}
