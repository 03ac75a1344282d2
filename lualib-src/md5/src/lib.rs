//! The Lua module `md5.core`: MD5 sums, and a stream cipher made of them.

pub mod stream;

use skynet_support::{Entry, State, lua_functions, lua_module};
use std::ffi::CStr;
use std::time::{SystemTime, UNIX_EPOCH};

use libc::c_int;
use md5::{Digest, Md5};
use mlua_sys::lua_CFunction;
use skynet_support::bytes::push_written;

use stream::{BLOCK, KEY, Stream, split};

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[(c"md5.core", luaopen_md5_core)];

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"sum" => sum,
    c"exor" => exor,
    c"crypt" => crypt,
    c"decrypt" => decrypt,
});

/// What the module says of itself.
const ABOUT: [(&CStr, &CStr); 3] = [
    (
        c"_COPYRIGHT",
        c"Copyright (C) 2026 The skynet in Rust authors",
    ),
    (c"_VERSION", c"MD5 1.2"),
    (c"_DESCRIPTION", c"Basic cryptographic facilities"),
];

lua_module!(unsafe luaopen_md5_core => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    state.push_module(FUNCTIONS);
    for (name, text) in ABOUT {
        state.push_text(text);
        state.set_field(-2, name);
    }
    1
}

/// `sum(text)`: its MD5, 16 bytes.
fn sum(state: State<'_>) -> c_int {
    state.push_bytes(&Md5::digest(state.check_bytes(1)));
    1
}

/// `exor(a, b)`: each byte of a, exclusive or that of b. Raises an error unless both are equally long.
fn exor(state: State<'_>) -> c_int {
    let (a, b) = (state.check_bytes(1), state.check_bytes(2));
    if a.len() != b.len() {
        state.argument_error(2, c"lengths must be equal");
    }
    push_written(state, a.len(), |output| {
        for ((output, a), b) in output.iter_mut().zip(a).zip(b) {
            *output = a ^ b;
        }
        Some(output.len())
    });
    1
}

/// The stream for the key, argument 2.
fn stream(state: State<'_>, seed: &[u8]) -> Stream {
    let Some(stream) = Stream::new(state.check_bytes(2), seed) else {
        state.error_with(format_args!("key too long (> {})", KEY));
    };
    stream
}

/// `crypt(text, key [, seed])`: the text hidden by the key, of 256 bytes at most, and the seed, of 16 bytes at most, in front
/// of it. Without a seed the time is taken. Texts with the same key and seed give each other away.
fn crypt(state: State<'_>) -> c_int {
    let text = state.check_bytes(1);
    let now = now();
    let seed: &[u8] = if state.is_none(3) {
        &now
    } else {
        state.check_bytes(3)
    };
    if seed.len() > BLOCK {
        state.error_with(format_args!("seed too long (> {})", BLOCK));
    }
    let mut stream = stream(state, seed);
    state.push_bytes(&[seed.len() as u8]);
    state.push_bytes(seed);
    push_written(state, text.len(), |output| {
        stream.hide(text, output);
        Some(output.len())
    });
    state.concat(3);
    1
}

/// Seconds since 1970.
fn now() -> [u8; 8] {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| time.as_secs()).to_ne_bytes()
}

/// `decrypt(text, key)`: what [`crypt`] hid. With another key the result is noise.
fn decrypt(state: State<'_>) -> c_int {
    let Some((seed, hidden)) = split(state.check_bytes(1)) else {
        state.argument_error(1, c"invalid cyphered string");
    };
    let mut stream = stream(state, seed);
    push_written(state, hidden.len(), |output| {
        stream.find(hidden, output);
        Some(output.len())
    });
    1
}
