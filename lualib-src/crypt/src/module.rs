//! The functions that Lua sees. None of them yields; each raises an error for an argument that is no string.

use hmac::{Hmac, KeyInit, Mac};
use libc::c_int;
use mlua_sys::lua_Integer;
use sha1::{Digest, Sha1};
use skynet_support::bytes::push_written;
use skynet_support::{Entry, State, lua_functions, lua_module};

use crate::des::{self, Padding};
use crate::exchange;
use crate::mix::{self, Word};
use crate::random;
use crate::text;

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"hashkey" => hashkey,
    c"randomkey" => randomkey,
    c"desencode" => desencode,
    c"desdecode" => desdecode,
    c"hexencode" => hexencode,
    c"hexdecode" => hexdecode,
    c"hmac64" => hmac64,
    c"hmac64_md5" => hmac64_md5,
    c"dhexchange" => dhexchange,
    c"dhsecret" => dhsecret,
    c"base64encode" => base64encode,
    c"base64decode" => base64decode,
    c"sha1" => sha1,
    c"hmac_sha1" => hmac_sha1,
    c"hmac_hash" => hmac_hash,
    c"xor_str" => xor_str,
});

lua_module!(unsafe luaopen_skynet_crypt => fn open);
// The same under a client's name for it.
lua_module!(unsafe luaopen_client_crypt => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    state.push_module(FUNCTIONS);
    state.create_table(0, Padding::NAMES.len() as c_int);
    for (name, padding) in Padding::NAMES {
        state.push_integer(padding as lua_Integer);
        state.set_field(-2, name);
    }
    state.set_field(-2, c"padding");
    1
}

/// `hashkey(text)`: 8 bytes, skynet's hash of the text.
fn hashkey(state: State<'_>) -> c_int {
    state.push_bytes(&mix::hash(state.check_bytes(1)));
    1
}

/// `randomkey()`: 8 random bytes from the system, not all of them 0.
fn randomkey(state: State<'_>) -> c_int {
    let Some(mut key) = random::word() else {
        state.error(c"no random numbers from the system");
    };
    // The key exchange has no use for 0.
    if key == [0; 8] {
        key[0] = 1;
    }
    state.push_bytes(&key);
    1
}

/// The arguments key, text and padding of the two functions of DES.
fn des_arguments<'a>(
    state: State<'a>,
    valid: fn(usize) -> bool,
) -> (&'a [u8; des::BLOCK], &'a [u8], Padding) {
    let key = state.check_bytes(1);
    let Some(key) = key.as_array() else {
        state.error_with(format_args!("Invalid key size {}, need 8 bytes", key.len()));
    };
    let text = state.check_bytes(2);
    if !valid(text.len()) {
        state.error_with(format_args!("Invalid des crypt text length {}", text.len()));
    }
    let number = state.opt_integer(3, Padding::Iso7816 as lua_Integer);
    let Some(padding) = Padding::from_number(number) else {
        state.error_with(format_args!("Invalid padding mode {}", number));
    };
    (key, text, padding)
}

/// `desencode(key, text [, padding])`: the text encrypted (DES, ECB). The key has 8 bytes; the padding is one of
/// `crypt.padding`, iso7816_4 when absent.
fn desencode(state: State<'_>) -> c_int {
    let (key, text, padding) = des_arguments(state, |_| true);
    push_written(state, des::encoded_len(text.len()), |output| {
        des::encode(key, text, padding, output);
        Some(output.len())
    });
    1
}

/// `desdecode(key, text [, padding])`: what [`desencode`] encrypted. Raises an error when the text is not a number of
/// whole blocks, or does not end with that padding.
fn desdecode(state: State<'_>) -> c_int {
    let (key, text, padding) =
        des_arguments(state, |len| len > 0 && len.is_multiple_of(des::BLOCK));
    let decoded = push_written(state, text.len(), |output| {
        des::decode(key, text, padding, output)
    });
    if decoded.is_none() {
        state.error(c"Invalid des crypt text");
    }
    1
}

/// `hexencode(bytes)`: two digits for each byte, in lower case.
fn hexencode(state: State<'_>) -> c_int {
    let bytes = state.check_bytes(1);
    push_written(state, bytes.len() * 2, |output| {
        text::hex_encode(bytes, output);
        Some(output.len())
    });
    1
}

/// `hexdecode(text)`: the bytes. Raises an error for anything but pairs of digits in lower case.
fn hexdecode(state: State<'_>) -> c_int {
    let digits = state.check_bytes(1);
    if !digits.len().is_multiple_of(2) {
        state.error_with(format_args!("Invalid hex text size {}", digits.len()));
    }
    let decoded = push_written(state, digits.len() / 2, |output| {
        text::hex_decode(digits, output).map(|()| output.len())
    });
    if decoded.is_none() {
        state.error(c"Invalid hex text");
    }
    1
}

/// Argument `index` as 8 bytes, or an error with `problem`.
fn word(state: State<'_>, index: c_int, problem: &std::ffi::CStr) -> Word {
    let Some(&word) = state.check_bytes(index).as_array() else {
        state.error(problem);
    };
    word
}

/// The two arguments of 8 bytes that many functions take.
fn two_words(state: State<'_>) -> (Word, Word) {
    let x = word(state, 1, c"Invalid uint64 x");
    (x, word(state, 2, c"Invalid uint64 y"))
}

/// `hmac64(x, y)`: 8 bytes of two times 8 bytes, by MD5's rounds without its padding.
fn hmac64(state: State<'_>) -> c_int {
    let (text, key) = two_words(state);
    state.push_bytes(&mix::hmac(text, key));
    1
}

/// `hmac64_md5(x, y)`: 8 bytes of two times 8 bytes, by MD5.
fn hmac64_md5(state: State<'_>) -> c_int {
    let (text, key) = two_words(state);
    state.push_bytes(&mix::hmac_md5(text, key));
    1
}

/// `hmac_hash(key, text)`: [`hmac64`] of the text's [`hashkey`] and a key of 8 bytes.
fn hmac_hash(state: State<'_>) -> c_int {
    let key = word(state, 1, c"Invalid uint64 key");
    let text = mix::hash(state.check_bytes(2));
    state.push_bytes(&mix::hmac(text, key));
    1
}

/// `dhexchange(secret)`: what the other side gets to see of 8 secret bytes that are not all 0.
fn dhexchange(state: State<'_>) -> c_int {
    let secret = u64::from_le_bytes(word(state, 1, c"Invalid dh uint64 key"));
    if secret == 0 {
        state.error(c"Can't be 0");
    }
    state.push_bytes(&exchange::power(exchange::BASE, secret).to_le_bytes());
    1
}

/// `dhsecret(theirs, secret)`: the 8 bytes that both sides find, of what the other side sent and the own secret.
fn dhsecret(state: State<'_>) -> c_int {
    let (theirs, secret) = two_words(state);
    let (theirs, secret) = (u64::from_le_bytes(theirs), u64::from_le_bytes(secret));
    if theirs == 0 || secret == 0 {
        state.error(c"Can't be 0");
    }
    state.push_bytes(&exchange::power(theirs, secret).to_le_bytes());
    1
}

/// `base64encode(bytes)`: text of RFC 4648 §4.
fn base64encode(state: State<'_>) -> c_int {
    let bytes = state.check_bytes(1);
    push_written(state, text::base64_len(bytes.len()), |output| {
        text::base64_encode(bytes, output);
        Some(output.len())
    });
    1
}

/// `base64decode(text)`: the bytes. Passes over what is not base64 inside of a group of four characters, and does without
/// the last `=`; raises an error for a group that says nothing.
fn base64decode(state: State<'_>) -> c_int {
    let encoded = state.check_bytes(1);
    let len = text::base64_decoded_len(encoded.len());
    let decoded = push_written(state, len, |output| text::base64_decode(encoded, output));
    if decoded.is_none() {
        state.error(c"Invalid base64 text");
    }
    1
}

/// `sha1(text)`: 20 bytes.
fn sha1(state: State<'_>) -> c_int {
    state.push_bytes(&Sha1::digest(state.check_bytes(1)));
    1
}

/// `hmac_sha1(key, text)`: 20 bytes, RFC 2104 with SHA-1.
fn hmac_sha1(state: State<'_>) -> c_int {
    let (key, text) = (state.check_bytes(1), state.check_bytes(2));
    let Ok(mac) = Hmac::<Sha1>::new_from_slice(key) else {
        state.error(c"Invalid key size");
    };
    let sum = mac.chain_update(text).finalize().into_bytes();
    state.push_bytes(&sum);
    1
}

/// `xor_str(text, key)`: each byte of the text, exclusive or the byte of the key at that place; the key begins again after
/// its end.
fn xor_str(state: State<'_>) -> c_int {
    let (text, key) = (state.check_bytes(1), state.check_bytes(2));
    if key.is_empty() {
        state.error(c"Can't xor empty string");
    }
    push_written(state, text.len(), |output| {
        for (output, text) in output.chunks_mut(key.len()).zip(text.chunks(key.len())) {
            for (i, output) in output.iter_mut().enumerate() {
                *output = text[i] ^ key[i];
            }
        }
        Some(output.len())
    });
    1
}
