//! `skynet.deflate.core`: messages of a stranger, two in a row, in pieces; and messages of ours, which have to come back.
#![no_main]

use std::mem::MaybeUninit;

use libfuzzer_sys::fuzz_target;
use skynet_luaclib::deflate::stream::{Compressor, Corrupt, Decompressor, ROOM, Step, TAIL};

/// What a message may become: no more is asked for, as the Lua layer does it.
const MOST: usize = 256 * 1024;

fn written(output: &[MaybeUninit<u8>], step: Step) -> impl Iterator<Item = u8> {
    // SAFETY: the step says that these are initialised; the sanitizer looks at it.
    output[..step.written]
        .iter()
        .map(|byte| unsafe { byte.assume_init() })
}

fn decompress(
    stream: &mut Decompressor,
    bytes: &[u8],
    part: usize,
    room: usize,
) -> Result<Vec<u8>, Corrupt> {
    let mut text = Vec::new();
    let mut output = vec![MaybeUninit::uninit(); room];
    for mut part in bytes.chunks(part) {
        loop {
            let step = stream.step(part, &mut output)?;
            assert!(step.read > 0 || step.written > 0 || !step.more);
            text.extend(written(&output, step));
            part = &part[step.read..];
            if text.len() > MOST {
                return Err(Corrupt);
            }
            if !step.more {
                break;
            }
        }
        assert!(part.is_empty());
    }
    stream.end(true)?;
    Ok(text)
}

fn compress(stream: &mut Compressor, mut text: &[u8], room: usize, keep: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut output = vec![MaybeUninit::uninit(); room];
    stream.begin();
    loop {
        let step = stream.step(text, &mut output).expect("it is open");
        bytes.extend(written(&output, step));
        text = &text[step.read..];
        if !step.more {
            break;
        }
    }
    stream.end(keep);
    bytes.truncate(bytes.len() - TAIL.len());
    bytes
}

fuzz_target!(|data: &[u8]| {
    let Some((&[a, b, c], rest)) = data.split_first_chunk() else {
        return;
    };
    let (part, room) = (1 + usize::from(a), 1 + usize::from(b) * 16);
    let first = &rest[..usize::from(c).min(rest.len())];

    let mut stream = Decompressor::closed();
    assert!(stream.open());
    if decompress(&mut stream, first, part, room).is_ok() {
        let _ = decompress(&mut stream, &rest[first.len()..], part, room);
    }
    stream.close();

    let (level, bits) = (1 + i32::from(a % 9), 9 + i32::from(b % 7));
    let mut compressor = Compressor::closed();
    assert!(compressor.open(level, bits) && stream.open());
    for text in [first, rest, first] {
        if text.is_empty() {
            continue;
        }
        let bytes = compress(&mut compressor, text, ROOM + room, c % 2 == 0);
        assert!(decompress(&mut stream, &bytes, part, room).as_deref() == Ok(text));
    }
    compressor.close();
    stream.close();
});
