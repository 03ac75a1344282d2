//! The Lua module `skynet.rsa`: encryption for the owner of a public key, as the log-in of databases needs it. There are no
//! private keys here.

use std::ffi::CStr;

use libc::c_int;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs8::DecodePublicKey;
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::{Oaep, PublicKey};
use sha1::Sha1;
use skynet_support::{State, lua_functions, lua_module};

use crate::Entry;

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {c"encrypt_oaep" => encrypt_oaep});

/// The longest result: as many bytes as the modulus of the key.
const MAX_MODULUS: usize = 1024;

lua_module!(unsafe luaopen_skynet_rsa => FUNCTIONS);

/// `encrypt_oaep(key, text)`: the text for the owner of a public key in PEM (`PUBLIC KEY` or `RSA PUBLIC KEY`), by RFC 8017
/// RSAES-OAEP with SHA-1. Does not yield. Raises an error for what is no key, and for a text that is longer than the modulus
/// without 42 bytes.
fn encrypt_oaep(state: State<'_>) -> c_int {
    let mut sealed = [0; MAX_MODULUS];
    let (key, text) = (state.check_bytes(1), state.check_bytes(2));
    match seal(key, text, &mut sealed) {
        Ok(len) => state.push_bytes(&sealed[..len]),
        Err(problem) => state.error(problem),
    }
    1
}

/// The system's random bytes.
struct System;

impl TryRng for System {
    type Error = std::io::Error;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        skynet_support::random::fill(bytes)
    }
}

impl TryCryptoRng for System {}

/// Encrypts into `sealed`; returns how many bytes count there.
fn seal(key: &[u8], text: &[u8], sealed: &mut [u8]) -> Result<usize, &'static CStr> {
    let pem = str::from_utf8(key).map_err(|_| c"rsa: the key is not PEM")?;
    let key = PublicKey::from_public_key_pem(pem.trim())
        .or_else(|_| PublicKey::from_pkcs1_pem(pem.trim()))
        .map_err(|_| c"rsa: no public key of RSA in PEM")?;
    let bytes = key
        .encrypt(&mut System, Oaep::<Sha1>::new(), text)
        .map_err(|_| c"rsa: the text is too long for the key")?;
    let place = sealed
        .get_mut(..bytes.len())
        .ok_or(c"rsa: the key is too long")?;
    place.copy_from_slice(&bytes);
    Ok(bytes.len())
}
