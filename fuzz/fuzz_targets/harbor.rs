//! The service `harbor`: streams from another node, cut anywhere, against the plain way to take them apart.
#![no_main]

use libc::c_int;
use libfuzzer_sys::fuzz_target;
use skynet_sys::block::Block;
use skynet_harbor::frame::{COOKIE, MAX_LENGTH};
use skynet_harbor::network::{Letter, Network, Node};
use skynet_seri::has_pointer;

/// Notes what is delivered.
#[derive(Default)]
struct Notes(Vec<(u32, u8, Vec<u8>)>);

impl Node for Notes {
    fn deliver(&mut self, to: u32, letter: Letter) -> bool {
        assert_eq!(to >> 24, 1, "a message for another node");
        self.0
            .push((letter.source, letter.ty, letter.payload.bytes().to_vec()));
        to % 2 == 0
    }
    fn fail(&mut self, _: u32, _: u32, _: c_int) {}
    fn tell(&mut self, _: &[u8]) {}
    fn log(&mut self, text: &str) {
        assert!(text.len() < 200);
    }
    fn start(&mut self, _: c_int) {}
    fn write(&mut self, _: c_int, _: Block) {}
    fn close(&mut self, _: c_int) {}
}

/// All messages at the front of a stream that may be delivered.
fn messages(mut stream: &[u8]) -> Vec<(u32, u8, Vec<u8>)> {
    let mut messages = Vec::new();
    while let Some((header, rest)) = stream.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*header) as usize;
        if !(COOKIE..=MAX_LENGTH).contains(&length) || rest.len() < length {
            break;
        }
        let (body, rest) = rest.split_at(length);
        let (payload, cookie) = body.split_at(length - COOKIE);
        let source = u32::from_be_bytes([cookie[0], cookie[1], cookie[2], cookie[3]]);
        if matches!(cookie[4], 4..=6) {
            break; // of this node alone: the connection ends
        }
        if !(matches!(cookie[4], 8..=11) && has_pointer(payload)) {
            messages.push((source, cookie[4], payload.to_vec()));
        }
        stream = rest;
    }
    messages
}

// Each part: a byte of length and so many bytes.
fuzz_target!(|data: &[u8]| {
    let mut network = Network::new(Notes::default(), 1);
    network.connect(1, 2, true);
    let mut stream = Vec::new();
    let mut rest = data;
    while let Some((&size, after)) = rest.split_first() {
        let (part, after) = after.split_at(after.len().min(size.into()));
        rest = after;
        stream.extend_from_slice(part);
        network.receive(2, part);
    }
    assert_eq!(messages(&stream), network.node.0);
});
