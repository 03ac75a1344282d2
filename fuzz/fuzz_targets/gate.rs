//! The service `gate`: streams of frames, cut anywhere, against the plain way to split them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skynet_gate::frame::{Decoder, Frame, LIMIT};

/// All complete frames at the front of a stream, but for empty ones; and none behind one that is too long.
fn frames(mut stream: &[u8], width: usize) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    while let Some((header, rest)) = stream.split_at_checked(width) {
        let length = header.iter().fold(0, |n, &b| n << 8 | usize::from(b));
        let Some((frame, rest)) = rest.split_at_checked(length).filter(|_| length < LIMIT) else {
            break;
        };
        if length > 0 {
            frames.push(frame.to_vec());
        }
        stream = rest;
    }
    frames
}

// The first byte says which kind of length; each part is a byte of length and so many bytes.
fuzz_target!(|data: &[u8]| {
    let Some((&kind, mut rest)) = data.split_first() else {
        return;
    };
    let width = if kind % 2 == 0 { 2 } else { 4 };
    let mut decoder = Decoder::new(width, LIMIT);
    let mut stream = Vec::new();
    let mut seen = Vec::new();
    'parts: while let Some((&size, after)) = rest.split_first() {
        let (mut part, after) = after.split_at(after.len().min(size.into()));
        rest = after;
        stream.extend_from_slice(part);
        loop {
            match decoder.next(&mut part) {
                Ok(Some(Frame::Whole(bytes))) => seen.push(bytes.to_vec()),
                Ok(Some(Frame::Collected(block))) => seen.push(block.bytes().to_vec()),
                Ok(None) => break,
                Err(_) => break 'parts,
            }
        }
        assert!(part.is_empty());
    }
    assert_eq!(frames(&stream, width), seen);
});
