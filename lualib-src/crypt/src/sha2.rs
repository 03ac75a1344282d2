//! The Lua module `skynet.sha2`: SHA-256, HMAC with it, and keys from passwords, as the log-in of databases needs them.
//! None of its functions yields; each raises an error for an argument that is no string.

use skynet_support::{Entry, State, lua_functions, lua_module};
use std::ffi::CStr;

use ::sha2::{Digest, Sha256};
use hmac::digest::block_api::EagerHash;
use hmac::{Hmac, KeyInit, Mac};
use libc::c_int;
use sha1::Sha1;

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"sha256" => sha256,
    c"hmac_sha256" => hmac_sha256,
    c"pbkdf2_sha1" => pbkdf2_sha1,
    c"pbkdf2_sha256" => pbkdf2_sha256,
});

/// Above this an iteration count is taken for an attack: it would keep a thread busy for minutes.
const MAX_ITERATIONS: i64 = 10_000_000;

const BAD_KEY: &CStr = c"Invalid key size";

lua_module!(unsafe luaopen_skynet_sha2 => FUNCTIONS);

/// `sha256(text)`: 32 bytes, FIPS 180-4.
fn sha256(state: State<'_>) -> c_int {
    state.push_bytes(&Sha256::digest(state.check_bytes(1)));
    1
}

/// `hmac_sha256(key, text)`: 32 bytes, RFC 2104 with SHA-256.
fn hmac_sha256(state: State<'_>) -> c_int {
    let (key, text) = (state.check_bytes(1), state.check_bytes(2));
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else {
        state.error(BAD_KEY);
    };
    state.push_bytes(&mac.chain_update(text).finalize().into_bytes());
    1
}

/// `pbkdf2_sha1(password, salt, iterations)`: 20 bytes, RFC 8018 with HMAC-SHA-1.
fn pbkdf2_sha1(state: State<'_>) -> c_int {
    derived::<Sha1, 20>(state)
}

/// `pbkdf2_sha256(password, salt, iterations)`: 32 bytes, RFC 8018 with HMAC-SHA-256.
fn pbkdf2_sha256(state: State<'_>) -> c_int {
    derived::<Sha256, 32>(state)
}

fn derived<H: EagerHash, const SIZE: usize>(state: State<'_>) -> c_int
where
    Hmac<H>: Mac + KeyInit + Clone,
{
    let (password, salt) = (state.check_bytes(1), state.check_bytes(2));
    let iterations = state.check_integer(3);
    if !(1..=MAX_ITERATIONS).contains(&iterations) {
        state.error_with(format_args!("bad number of iterations: {}", iterations));
    }
    match pbkdf2::<H, SIZE>(password, salt, iterations as u32) {
        Some(key) => state.push_bytes(&key),
        None => state.error(BAD_KEY),
    }
    1
}

/// The first block of PBKDF2, which is as long as the hash. None for a password that the hash does not take.
fn pbkdf2<H: EagerHash, const SIZE: usize>(
    password: &[u8],
    salt: &[u8],
    iterations: u32,
) -> Option<[u8; SIZE]>
where
    Hmac<H>: Mac + KeyInit + Clone,
{
    let keyed = <Hmac<H> as KeyInit>::new_from_slice(password).ok()?;
    let mut key = [0; SIZE];
    let mut round = keyed
        .clone()
        .chain_update(salt)
        .chain_update(1u32.to_be_bytes())
        .finalize()
        .into_bytes();
    key.copy_from_slice(&round);
    for _ in 1..iterations {
        round = keyed.clone().chain_update(&round).finalize().into_bytes();
        for (byte, more) in key.iter_mut().zip(&round) {
            *byte ^= more;
        }
    }
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn keys_from_passwords_are_those_of_the_rfcs() {
        // RFC 6070.
        let key = pbkdf2::<Sha1, 20>(b"password", b"salt", 4096);
        assert_eq!(
            hex(&key.expect("a key")),
            "4b007901b765489abead49d926f721d065a429c1"
        );
        // RFC 7914 §11, the first half.
        let key = pbkdf2::<Sha256, 32>(b"passwd", b"salt", 1);
        assert_eq!(
            hex(&key.expect("a key")),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
        );
    }
}
