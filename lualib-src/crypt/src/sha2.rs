//! The Lua module `skynet.sha2`: SHA-256, HMAC with it, and keys from passwords, as the log-in of databases needs them.
//! None of its functions yields; each raises an error for an argument that is no string.

use std::ffi::CStr;

use ::sha2::{Digest, Sha256};
use hmac::digest::block_api::EagerHash;
use hmac::{Hmac, KeyInit, Mac};
use libc::c_int;
use mlua_sys::{lua_State, lua_createtable, luaL_checkinteger, luaL_error};
use sha1::Sha1;
use skynet_support::bytes::{argument, push};
use skynet_support::{Entry, check_version, register};

const FUNCTIONS: &[Entry] = &[
    (c"sha256", sha256),
    (c"hmac_sha256", hmac_sha256),
    (c"pbkdf2_sha1", pbkdf2_sha1),
    (c"pbkdf2_sha256", pbkdf2_sha256),
];

/// Above this an iteration count is taken for an attack: it would keep a thread busy for minutes.
const MAX_ITERATIONS: i64 = 10_000_000;

const BAD_KEY: &CStr = c"Invalid key size";

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_sha2(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// `sha256(text)`: 32 bytes, FIPS 180-4.
unsafe extern "C-unwind" fn sha256(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push(state, &Sha256::digest(argument(state, 1))) };
    1
}

/// `hmac_sha256(key, text)`: 32 bytes, RFC 2104 with SHA-256.
unsafe extern "C-unwind" fn hmac_sha256(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; hashes have no destructor.
    unsafe {
        let (key, text) = (argument(state, 1), argument(state, 2));
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else {
            return luaL_error(state, BAD_KEY.as_ptr());
        };
        push(state, &mac.chain_update(text).finalize().into_bytes());
    }
    1
}

/// `pbkdf2_sha1(password, salt, iterations)`: 20 bytes, RFC 8018 with HMAC-SHA-1.
unsafe extern "C-unwind" fn pbkdf2_sha1(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { derived::<Sha1, 20>(state) }
}

/// `pbkdf2_sha256(password, salt, iterations)`: 32 bytes, RFC 8018 with HMAC-SHA-256.
unsafe extern "C-unwind" fn pbkdf2_sha256(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { derived::<Sha256, 32>(state) }
}

unsafe fn derived<H: EagerHash, const SIZE: usize>(state: *mut lua_State) -> c_int
where
    Hmac<H>: Mac + KeyInit + Clone,
{
    // SAFETY: called by a function that Lua called; hashes have no destructor.
    unsafe {
        let (password, salt) = (argument(state, 1), argument(state, 2));
        let iterations = luaL_checkinteger(state, 3);
        if !(1..=MAX_ITERATIONS).contains(&iterations) {
            return luaL_error(state, c"bad number of iterations: %I".as_ptr(), iterations);
        }
        match pbkdf2::<H, SIZE>(password, salt, iterations as u32) {
            Some(key) => push(state, &key),
            None => return luaL_error(state, BAD_KEY.as_ptr()),
        }
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
