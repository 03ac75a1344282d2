//! `skynet.crypt` and `md5.core`: the decoders of base64, hexadecimal digits, DES texts with their padding, and of texts that
//! `md5.crypt` hid. What is decoded never takes more than the place that was asked for, and good text comes back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use skynet_crypt::des::{self, Padding};
use skynet_crypt::{mix, text};
// Linked for Lua, which the modules are made for.
use skynet_fuzz as _;
use skynet_md5::stream::{Stream, split};

fuzz_target!(|data: &[u8]| {
    let mut bytes = vec![0; text::base64_decoded_len(data.len())];
    if let Some(len) = text::base64_decode(data, &mut bytes) {
        let bytes = &bytes[..len];
        let mut again = vec![0; text::base64_len(len)];
        text::base64_encode(bytes, &mut again);
        let mut decoded = vec![0; text::base64_decoded_len(again.len())];
        let len = text::base64_decode(&again, &mut decoded).expect("what was encoded");
        assert_eq!(&decoded[..len], bytes);
    }

    let even = &data[..data.len() & !1];
    let mut bytes = vec![0; even.len() / 2];
    if text::hex_decode(even, &mut bytes).is_some() {
        let mut again = vec![0; even.len()];
        text::hex_encode(&bytes, &mut again);
        assert_eq!(again, even);
    }

    let Some((key, rest)) = data.split_first_chunk() else {
        return;
    };
    let blocks = &rest[..rest.len() & !7];
    for padding in [Padding::Iso7816, Padding::Pkcs7] {
        let mut plain = vec![0; blocks.len()];
        if let Some(len) = des::decode(key, blocks, padding, &mut plain) {
            let mut again = vec![0; des::encoded_len(len)];
            des::encode(key, &plain[..len], padding, &mut again);
            assert_eq!(again, blocks);
        }
    }
    mix::hash(rest);

    if let Some((seed, hidden)) = split(rest) {
        let mut stream = Stream::new(key, seed).expect("a short key");
        let mut plain = vec![0; hidden.len()];
        stream.find(hidden, &mut plain);
        let mut stream = Stream::new(key, seed).expect("a short key");
        let mut again = vec![0; hidden.len()];
        stream.hide(&plain, &mut again);
        assert_eq!(again, hidden);
    }
});
