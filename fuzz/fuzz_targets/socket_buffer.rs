//! The receive buffer of `skynet.socketdriver`: what is read from it, against a plain `Vec`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skynet_luaclib::block::Block;
use skynet_luaclib::socketdriver::received::Received;

const SEPARATORS: [&[u8]; 4] = [b"\n", b"\r\n", b"aab", b"\r\n\r\n\r"];

// Each step: a byte that says what to do with which number.
fuzz_target!(|data: &[u8]| {
    let mut received = Received::default();
    let mut plain: Vec<u8> = Vec::new();
    let mut rest = data;
    while let Some((&step, after)) = rest.split_first() {
        rest = after;
        let number = usize::from(step / 4);
        match step % 4 {
            0 | 1 => {
                let (part, after) = rest.split_at(rest.len().min(number));
                rest = after;
                plain.extend_from_slice(part);
                received
                    .push(Block::copy_of(part).expect("memory"))
                    .expect("memory");
            }
            2 => {
                let count = number.min(plain.len());
                let mut bytes = vec![0; count];
                // SAFETY: there are as many.
                unsafe { received.copy(count, bytes.as_mut_ptr()) };
                if let Some(piece) = received.piece(count) {
                    assert_eq!(piece, bytes);
                }
                received.consume(count);
                assert!(plain.drain(..count).eq(bytes));
            }
            _ => {
                let separator = SEPARATORS[number % SEPARATORS.len()];
                let expected = plain.windows(separator.len()).position(|w| w == separator);
                assert_eq!(received.find(separator), expected);
            }
        }
        assert_eq!(received.size(), plain.len());
    }
});
