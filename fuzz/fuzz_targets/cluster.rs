//! `skynet.cluster.core`: packets of both sides. What is read is written again, and has to be read the same. What is unpacked is
//! as long as it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skynet_luaclib::cluster::compression::Unpacked;
use skynet_luaclib::cluster::packet::{
    Content, PART, Packet, Request, answer, read_answer, read_request,
};

/// The packet without its length, as a peer would get it.
fn body(bytes: &[u8]) -> &[u8] {
    let (header, body) = bytes.split_first_chunk().expect("a length");
    assert_eq!(usize::from(u16::from_be_bytes(*header)), body.len());
    body
}

fuzz_target!(|data: &[u8]| {
    // The length of a packet has 16 bits.
    let data = &data[..data.len().min(0xffff)];
    if let Some(unpacked) = Unpacked::new().unpack(data) {
        assert_eq!(unpacked.len(), usize::from(u16::from_le_bytes([data[0], data[1]])));
    }
    if let Ok(request) = read_request(data) {
        let mut packet = Packet::new();
        let written = match request {
            Request::Whole {
                to,
                session,
                message,
            } if message.len() < PART => packet.request(to, session, message),
            Request::Begin {
                to,
                session,
                size,
                push,
            } => packet.large_request(to, session, size, push),
            Request::Part {
                session,
                part,
                more,
            } if part.len() <= PART => packet.request_part(session, part, !more),
            Request::Trace(tag) if tag.len() <= PART => packet.trace(tag),
            _ => return,
        };
        assert_eq!(read_request(body(written)), Ok(request));
    }
    if let Some((session, content)) = read_answer(data) {
        let size;
        let (kind, bytes) = match content {
            Content::Error(bytes) => (answer::ERROR, bytes),
            Content::Last(bytes) => (answer::LAST, bytes),
            Content::Part(bytes) => (answer::PART, bytes),
            Content::Begin(number) => {
                size = number.to_le_bytes();
                (answer::BEGIN, &size[..])
            }
        };
        if bytes.len() <= PART {
            let mut packet = Packet::new();
            let written = packet.answer(session, kind, bytes);
            assert_eq!(read_answer(body(written)), Some((session, content)));
        }
    }
});
