//! What travels between two harbors: `length` (uint32, big endian, less than 16 MiB), payload, [`Cookie`].

use skynet_sys::block::{Block, NoMemory};

/// Bytes of a cookie on the wire.
pub const COOKIE: usize = 12;
/// Payload and cookie together may have so many bytes: the first byte of a length is 0.
pub const MAX_LENGTH: usize = 0x00ff_ffff;
/// A body takes memory in steps of this size at first, so that a length alone costs nothing.
const FIRST_STEP: usize = 64 * 1024;

/// From whom, to whom, and as what a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Handle of the sender, of any node.
    pub source: u32,
    /// The lower 24 bits of the receiver's handle: the receiving node puts its own id in front.
    pub destination: u32,
    /// `PTYPE_*`.
    pub ty: u8,
    /// Session of the message.
    pub session: i32,
}

impl Cookie {
    fn to_bytes(self) -> [u8; COOKIE] {
        let destination = u32::from(self.ty) << 24 | (self.destination & 0x00ff_ffff);
        let words = [self.source, destination, self.session as u32];
        let mut bytes = [0; COOKIE];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: [u8; COOKIE]) -> Cookie {
        let word = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Cookie {
            source: word(0),
            destination: word(4) & 0x00ff_ffff,
            ty: bytes[4],
            session: word(8) as i32,
        }
    }
}

/// Why a message cannot be sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// The receiver would close the connection.
    TooLarge,
    /// See [`NoMemory`].
    NoMemory,
}

/// The bytes of a message on the wire.
pub fn encode(payload: &[u8], cookie: Cookie) -> Result<Block, Unsendable> {
    let length = payload.len().saturating_add(COOKIE);
    if length > MAX_LENGTH {
        return Err(Unsendable::TooLarge);
    }
    let mut frame = Block::default();
    let write = |frame: &mut Block| {
        frame.reserve(4 + length)?;
        frame.extend(&(length as u32).to_be_bytes())?;
        frame.extend(payload)?;
        frame.extend(&cookie.to_bytes())
    };
    write(&mut frame).map_err(|NoMemory| Unsendable::NoMemory)?;
    Ok(frame)
}

/// Why the bytes of a connection make no sense; it has to be closed.
#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    /// 16 MiB or more are announced.
    TooLong,
    /// There is no room for a cookie.
    TooShort,
    /// See [`NoMemory`].
    NoMemory,
}

/// Takes the stream of one connection apart, however it is cut into pieces. The default is the beginning of a stream.
#[derive(Default)]
pub struct Decoder {
    header: [u8; 4],
    /// Bytes of `header` that are known.
    known: usize,
    body: Block,
    /// Bytes that the body will have; counts when the header is complete.
    length: usize,
}

impl Decoder {
    /// Bytes of a message that has not come as a whole.
    pub fn held(&self) -> usize {
        self.body.len()
    }

    /// Moves `bytes` on to the end of the next message, which is returned, or to their own end. After an error the
    /// decoder is of no use.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<(Block, Cookie)>, Malformed> {
        if self.known < self.header.len() {
            let part = take(bytes, self.header.len() - self.known);
            self.header[self.known..self.known + part.len()].copy_from_slice(part);
            self.known += part.len();
            if self.known < self.header.len() {
                return Ok(None);
            }
            self.length = u32::from_be_bytes(self.header) as usize;
            if self.length > MAX_LENGTH {
                return Err(Malformed::TooLong);
            }
            if self.length < COOKIE {
                return Err(Malformed::TooShort);
            }
        }
        let missing = self.length - self.body.len();
        let part = take(bytes, missing);
        // Twice what has come, but no more than will come.
        let step = missing.min((self.body.len() + part.len()).max(FIRST_STEP));
        let stored = self.body.reserve(step.max(part.len()));
        stored
            .and_then(|()| self.body.extend(part))
            .map_err(|NoMemory| Malformed::NoMemory)?;
        if self.body.len() < self.length {
            return Ok(None);
        }
        self.known = 0;
        Ok(Some(split(std::mem::take(&mut self.body))))
    }
}

/// The first bytes, at most `count`.
fn take<'a>(bytes: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (part, rest) = bytes.split_at(count.min(bytes.len()));
    *bytes = rest;
    part
}

/// Takes the cookie off a body, which has at least that many bytes.
fn split(mut body: Block) -> (Block, Cookie) {
    let end = body.len() - COOKIE;
    let mut cookie = [0; COOKIE];
    cookie.copy_from_slice(&body.bytes()[end..]);
    body.truncate(end);
    (body, Cookie::from_bytes(cookie))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: Cookie = Cookie {
        source: 0x0100_0009,
        destination: 5,
        ty: 10,
        session: 4,
    };

    /// Hexadecimal digits, spaces ignored.
    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u32> = text.chars().filter_map(|it| it.to_digit(16)).collect();
        let pairs = digits.chunks_exact(2);
        pairs.map(|it| (it[0] << 4 | it[1]) as u8).collect()
    }

    fn all(decoder: &mut Decoder, mut bytes: &[u8]) -> Result<Vec<(Vec<u8>, Cookie)>, Malformed> {
        let mut found = Vec::new();
        while let Some((payload, cookie)) = decoder.next(&mut bytes)? {
            found.push((payload.bytes().to_vec(), cookie));
        }
        assert!(bytes.is_empty());
        Ok(found)
    }

    #[test]
    fn messages_have_the_bytes_that_other_nodes_read() {
        let call = encode(b"Aquestion", CALL).unwrap();
        let expected = hex("00000015 41 7175657374696f6e 01000009 0a000005 00000004");
        assert_eq!(call.bytes(), expected);
        let error = Cookie {
            source: 0x0100_abcd,
            destination: 0x0200_0005,
            ty: 7,
            session: 0x4e,
        };
        let expected = hex("0000000c 0100abcd 07000005 0000004e");
        assert_eq!(encode(b"", error).unwrap().bytes(), expected);
    }

    #[test]
    fn a_stream_may_be_cut_anywhere() {
        let mut stream = Vec::new();
        let reply = Cookie {
            session: -2,
            ty: 1,
            ..CALL
        };
        for (payload, cookie) in [(&b"first"[..], CALL), (b"", reply), (&[7; 70_000], CALL)] {
            stream.extend_from_slice(encode(payload, cookie).unwrap().bytes());
        }
        let whole = all(&mut Decoder::default(), &stream).unwrap();
        assert_eq!(whole.len(), 3);
        assert_eq!(whole[0], (b"first".to_vec(), CALL));
        assert_eq!(whole[1], (Vec::new(), reply));
        assert_eq!(whole[2].0, [7; 70_000]);
        for size in [1, 3, 16, 4096] {
            let mut decoder = Decoder::default();
            let pieces: Vec<_> = stream
                .chunks(size)
                .flat_map(|piece| all(&mut decoder, piece).unwrap())
                .collect();
            assert!(pieces == whole, "pieces of {size}");
        }
    }

    #[test]
    fn lengths_out_of_range_are_errors() {
        let decode = |text| all(&mut Decoder::default(), &hex(text));
        assert_eq!(decode("01000000"), Err(Malformed::TooLong));
        assert_eq!(decode("ffffffff"), Err(Malformed::TooLong));
        assert_eq!(decode("0000000b"), Err(Malformed::TooShort));
        assert_eq!(decode("00000000 00"), Err(Malformed::TooShort));
        assert_eq!(decode("00ffffff"), Ok(Vec::new()));
        let large = vec![0; MAX_LENGTH - COOKIE + 1];
        assert_eq!(encode(&large, CALL).err(), Some(Unsendable::TooLarge));
        assert!(encode(&large[1..], CALL).is_ok());
    }

    #[test]
    fn a_length_alone_takes_little_memory() {
        let mut decoder = Decoder::default();
        assert_eq!(all(&mut decoder, &hex("00ffffff 00")), Ok(Vec::new()));
        assert!(decoder.body.capacity() <= FIRST_STEP);
    }
}
