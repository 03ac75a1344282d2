//! `skynet.netpack`: streams of packets, cut anywhere, against the plain way to split them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skynet_luaclib::block::Block;
use skynet_luaclib::netpack::splitter::{Fed, Splitter};

const STREAMS: usize = 2;

/// All complete packets at the front of a stream.
fn packets(mut stream: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    while let Some((header, rest)) = stream.split_first_chunk::<2>()
        && let Some((packet, rest)) = rest.split_at_checked(u16::from_be_bytes(*header).into())
    {
        packets.push(packet.to_vec());
        stream = rest;
    }
    packets
}

// Each part: a byte for the stream and the length, and so many bytes.
fuzz_target!(|data: &[u8]| {
    let mut splitter = Splitter::default();
    let mut streams = [const { Vec::new() }; STREAMS];
    let mut seen = [const { Vec::new() }; STREAMS];
    let mut rest = data;
    while let Some((&head, after)) = rest.split_first() {
        let stream = usize::from(head) % STREAMS;
        let (part, after) = after.split_at(after.len().min(usize::from(head) / STREAMS));
        rest = after;
        streams[stream].extend_from_slice(part);
        let block = Block::copy_of(part).expect("memory");
        match splitter.feed(stream as i32, block).expect("memory") {
            Fed::Nothing => assert!(splitter.take().expect("memory").is_none()),
            Fed::One(packet) => seen[stream].push(packet.bytes().to_vec()),
            Fed::Queued => {
                while let Some((id, packet)) = splitter.take().expect("memory") {
                    seen[id as usize].push(packet.bytes().to_vec());
                }
            }
        }
    }
    for (stream, seen) in streams.iter().zip(seen) {
        assert_eq!(packets(stream), seen);
    }
});
