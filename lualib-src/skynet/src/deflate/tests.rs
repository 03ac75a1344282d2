use std::cell::Cell;

use super::*;

/// Numbers without a pattern, the same in each run.
struct Noise(Cell<u64>);

impl Noise {
    fn next(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        x
    }

    /// Text of words, with more or less to be saved.
    fn text(&self, len: usize, words: u64) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < len {
            let word = self.next() % words;
            text.extend_from_slice(word.wrapping_mul(0x9e37_79b9).to_string().as_bytes());
        }
        text.truncate(len);
        text
    }
}

/// A message, made with pieces of output of `room` bytes.
fn compress(compressor: &mut Compressor, mut text: &[u8], keep: bool, room: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut output = vec![MaybeUninit::uninit(); room];
    compressor.begin();
    loop {
        let step = compressor.step(text, &mut output).expect("it is open");
        bytes.extend(written(&output, step));
        text = &text[step.read..];
        if !step.more {
            break;
        }
    }
    compressor.end(keep);
    assert!(bytes.ends_with(&TAIL));
    bytes.truncate(bytes.len() - TAIL.len());
    bytes
}

fn written(output: &[MaybeUninit<u8>], step: Step) -> Vec<u8> {
    let bytes = output[..step.written].iter();
    // SAFETY: the step says so.
    bytes.map(|byte| unsafe { byte.assume_init() }).collect()
}

/// The text of parts of a message, in pieces of output of `room` bytes.
fn decompress<'a>(
    decompressor: &mut Decompressor,
    parts: impl Iterator<Item = &'a [u8]>,
    keep: bool,
    room: usize,
) -> Result<Vec<u8>, Corrupt> {
    let mut text = Vec::new();
    let mut output = vec![MaybeUninit::uninit(); room];
    for mut part in parts {
        loop {
            let step = decompressor.step(part, &mut output)?;
            text.extend(written(&output, step));
            part = &part[step.read..];
            if !step.more {
                break;
            }
        }
        assert!(part.is_empty());
    }
    decompressor.end(keep)?;
    Ok(text)
}

fn open(level: c_int, window_bits: c_int) -> (Compressor, Decompressor) {
    let (mut compressor, mut decompressor) = (Compressor::closed(), Decompressor::closed());
    assert!(compressor.open(level, window_bits) && decompressor.open());
    (compressor, decompressor)
}

fn end((mut compressor, mut decompressor): (Compressor, Decompressor)) {
    compressor.close();
    decompressor.close();
}

#[test]
fn messages_come_back_in_whatever_pieces() {
    let noise = Noise(Cell::new(88172645463325252));
    for level in [1, 2, 6, 9] {
        for window_bits in WINDOW_BITS {
            let (mut compressor, mut decompressor) = open(level, window_bits);
            for round in 0..12 {
                let keep = round % 5 != 4;
                let len = (noise.next() % 100_000) as usize + 1;
                let text = noise.text(len, 1 << (round * 3));
                let room = ROOM + (noise.next() % 5000) as usize;
                let bytes = compress(&mut compressor, &text, keep, room);
                let part = 1 + (noise.next() % 3000) as usize;
                let room = 1 + (noise.next() % 3000) as usize;
                let back = decompress(&mut decompressor, bytes.chunks(part), keep, room);
                assert!(back.as_ref() == Ok(&text), "{level} {window_bits} {round}");
            }
            end((compressor, decompressor));
        }
    }
}

#[test]
fn what_is_kept_makes_the_next_message_smaller() {
    let text = br#"{"player":"Alice","level":3,"position":[12,40]}"#;
    let mut sizes = Vec::new();
    for keep in [false, true] {
        let (mut compressor, mut decompressor) = open(6, 15);
        for _ in 0..2 {
            let bytes = compress(&mut compressor, text, keep, 1000);
            let parts = std::iter::once(&bytes[..]);
            let back = decompress(&mut decompressor, parts, keep, 1000);
            assert_eq!(back.as_deref(), Ok(&text[..]));
            sizes.push(bytes.len());
        }
        end((compressor, decompressor));
    }
    assert_eq!((sizes[0], sizes[0]), (sizes[1], sizes[2]));
    assert!(sizes[3] < 10, "{sizes:?}");
}

/// The distances of a message that has fixed or stored blocks only would take a decoder to read; instead, what a small
/// window does not reach is repeated: a longer window saves it.
#[test]
fn windows_are_as_small_as_agreed() {
    let noise = Noise(Cell::new(362436069));
    for level in [1, 2, 6, 9] {
        for window_bits in WINDOW_BITS {
            let distance = 1 << window_bits;
            let once: Vec<u8> = (0..distance).map(|_| noise.next() as u8).collect();
            let text = [&once[..], &once[..]].concat();
            let mut compressor = Compressor::closed();
            assert!(compressor.open(level, window_bits));
            let bytes = compress(&mut compressor, &text, true, 100_000);
            assert!(
                bytes.len() >= text.len(),
                "{level} {window_bits}: {} of {}",
                bytes.len(),
                text.len()
            );
            compressor.close();
        }
    }
    for (level, window_bits) in [(0, 15), (10, 15), (6, 8), (6, 16)] {
        assert!(!Compressor::closed().open(level, window_bits));
    }
}

/// Examples of RFC 7692 §7.2.3.
#[test]
fn examples_of_the_standard_are_read() {
    let whole = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let again = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let stored = [
        0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00,
    ];
    let last = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
    let two = [
        0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00,
    ];
    let (mut compressor, mut decompressor) = open(6, 15);
    assert_eq!(compress(&mut compressor, b"Hello", true, 100), whole);
    assert_eq!(compress(&mut compressor, b"Hello", true, 100), again);
    // Behind a block that says it is the last one, the text before it may still be repeated.
    for message in [&whole[..], &again, &stored, &last, &again, &two, &again] {
        let parts = [&message[..3], &message[3..]].into_iter();
        let back = decompress(&mut decompressor, parts, true, 100);
        assert_eq!(back.as_deref(), Ok(&b"Hello"[..]), "{message:x?}");
    }
    let nothing = decompress(&mut decompressor, [&[0][..]].into_iter(), true, 100);
    assert_eq!(nothing.as_deref(), Ok(&b""[..]));
    // An empty last block.
    let last = decompress(&mut decompressor, [&[1][..]].into_iter(), true, 100);
    assert_eq!(last.as_deref(), Ok(&b""[..]));
    let back = decompress(&mut decompressor, [&again[..]].into_iter(), false, 100);
    assert_eq!(back.as_deref(), Ok(&b"Hello"[..]));
    // Nothing was kept.
    let back = decompress(&mut decompressor, [&again[..]].into_iter(), false, 100);
    assert_eq!(back, Err(Corrupt));
    end((compressor, decompressor));
}

#[test]
fn messages_that_are_cut_or_changed_are_errors() {
    let noise = Noise(Cell::new(521288629));
    let text = noise.text(300, 20);
    let (mut compressor, decompressor) = open(6, 15);
    let bytes = compress(&mut compressor, &text, false, 1000);
    for len in 0..bytes.len() {
        let mut decompressor = Decompressor::closed();
        assert!(decompressor.open());
        let cut = decompress(&mut decompressor, std::iter::once(&bytes[..len]), false, 50);
        assert_eq!(cut, Err(Corrupt), "{len}");
        decompressor.close();
    }
    end((compressor, decompressor));
}

#[test]
fn a_message_that_was_not_ended_is_forgotten() {
    let (mut compressor, mut decompressor) = open(6, 15);
    let mut output = [MaybeUninit::uninit(); 1000];
    compressor.begin();
    compressor.step(b"the other side never gets this", &mut output);
    let text = b"the other side never gets this, but gets that";
    let bytes = compress(&mut compressor, text, true, 1000);
    let back = decompress(&mut decompressor, [&bytes[..]].into_iter(), true, 1000);
    assert_eq!(back.as_deref(), Ok(&text[..]));
    end((compressor, decompressor));
}
