//! The functions that Lua sees. None of them yields; each raises an error for an argument that is no string.

use hmac::{Hmac, KeyInit, Mac};
use libc::c_int;
use mlua_sys::{
    lua_Integer, lua_State, lua_createtable, lua_pushinteger, lua_setfield, luaL_error,
    luaL_optinteger,
};
use sha1::{Digest, Sha1};
use skynet_support::bytes::{argument, push, push_written};
use skynet_support::{Entry, check_version, register};

use crate::des::{self, Padding};
use crate::exchange;
use crate::mix::{self, Word};
use crate::random;
use crate::text;

const FUNCTIONS: &[Entry] = &[
    (c"hashkey", hashkey),
    (c"randomkey", randomkey),
    (c"desencode", desencode),
    (c"desdecode", desdecode),
    (c"hexencode", hexencode),
    (c"hexdecode", hexdecode),
    (c"hmac64", hmac64),
    (c"hmac64_md5", hmac64_md5),
    (c"dhexchange", dhexchange),
    (c"dhsecret", dhsecret),
    (c"base64encode", base64encode),
    (c"base64decode", base64decode),
    (c"sha1", sha1),
    (c"hmac_sha1", hmac_sha1),
    (c"hmac_hash", hmac_hash),
    (c"xor_str", xor_str),
];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_crypt(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int + 1);
        register(state, FUNCTIONS, 0);
        lua_createtable(state, 0, Padding::NAMES.len() as c_int);
        for (name, padding) in Padding::NAMES {
            lua_pushinteger(state, padding as lua_Integer);
            lua_setfield(state, -2, name.as_ptr());
        }
        lua_setfield(state, -2, c"padding".as_ptr());
    }
    1
}

/// Opens the same module under a client's name for it.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_client_crypt(state: *mut lua_State) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { luaopen_skynet_crypt(state) }
}

/// `hashkey(text)`: 8 bytes, skynet's hash of the text.
unsafe extern "C-unwind" fn hashkey(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push(state, &mix::hash(argument(state, 1))) };
    1
}

/// `randomkey()`: 8 random bytes from the system, not all of them 0.
unsafe extern "C-unwind" fn randomkey(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let Some(mut key) = random::word() else {
            return luaL_error(state, c"no random numbers from the system".as_ptr());
        };
        // The key exchange has no use for 0.
        if key == [0; 8] {
            key[0] = 1;
        }
        push(state, &key);
    }
    1
}

/// The arguments key, text and padding of the two functions of DES.
unsafe fn des_arguments<'a>(
    state: *mut lua_State,
    valid: fn(usize) -> bool,
) -> (&'a [u8; des::BLOCK], &'a [u8], Padding) {
    // SAFETY: called by Lua; the key is used only if it has its size, and errors do not return.
    unsafe {
        let key = argument(state, 1);
        if key.len() != des::BLOCK {
            let len = key.len() as c_int;
            luaL_error(state, c"Invalid key size %d, need 8 bytes".as_ptr(), len);
        }
        let text = argument(state, 2);
        if !valid(text.len()) {
            let len = text.len() as c_int;
            luaL_error(state, c"Invalid des crypt text length %d".as_ptr(), len);
        }
        let number = luaL_optinteger(state, 3, Padding::Iso7816 as lua_Integer);
        let Some(padding) = Padding::from_number(number) else {
            luaL_error(state, c"Invalid padding mode %I".as_ptr(), number);
            unreachable!()
        };
        (&*key.as_ptr().cast(), text, padding)
    }
}

/// `desencode(key, text [, padding])`: the text encrypted (DES, ECB). The key has 8 bytes; the padding is one of
/// `crypt.padding`, iso7816_4 when absent.
unsafe extern "C-unwind" fn desencode(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let (key, text, padding) = des_arguments(state, |_| true);
        push_written(state, des::encoded_len(text.len()), |output| {
            des::encode(key, text, padding, output);
            Some(output.len())
        });
    }
    1
}

/// `desdecode(key, text [, padding])`: what [`desencode`] encrypted. Raises an error when the text is not a number of
/// whole blocks, or does not end with that padding.
unsafe extern "C-unwind" fn desdecode(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let (key, text, padding) =
            des_arguments(state, |len| len > 0 && len.is_multiple_of(des::BLOCK));
        let decoded = push_written(state, text.len(), |output| {
            des::decode(key, text, padding, output)
        });
        if decoded.is_none() {
            return luaL_error(state, c"Invalid des crypt text".as_ptr());
        }
    }
    1
}

/// `hexencode(bytes)`: two digits for each byte, in lower case.
unsafe extern "C-unwind" fn hexencode(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let bytes = argument(state, 1);
        push_written(state, bytes.len() * 2, |output| {
            text::hex_encode(bytes, output);
            Some(output.len())
        });
    }
    1
}

/// `hexdecode(text)`: the bytes. Raises an error for anything but pairs of digits in lower case.
unsafe extern "C-unwind" fn hexdecode(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let digits = argument(state, 1);
        if !digits.len().is_multiple_of(2) {
            let len = digits.len() as c_int;
            return luaL_error(state, c"Invalid hex text size %d".as_ptr(), len);
        }
        let decoded = push_written(state, digits.len() / 2, |output| {
            text::hex_decode(digits, output).map(|()| output.len())
        });
        if decoded.is_none() {
            return luaL_error(state, c"Invalid hex text".as_ptr());
        }
    }
    1
}

/// Argument `index` as 8 bytes, or an error with `problem`.
unsafe fn word(state: *mut lua_State, index: c_int, problem: &std::ffi::CStr) -> Word {
    // SAFETY: called by Lua; the error does not return.
    unsafe {
        let Some(&word) = argument(state, index).as_array() else {
            luaL_error(state, problem.as_ptr());
            unreachable!()
        };
        word
    }
}

/// The two arguments of 8 bytes that many functions take.
unsafe fn two_words(state: *mut lua_State) -> (Word, Word) {
    // SAFETY: called by Lua.
    unsafe {
        let x = word(state, 1, c"Invalid uint64 x");
        (x, word(state, 2, c"Invalid uint64 y"))
    }
}

/// `hmac64(x, y)`: 8 bytes of two times 8 bytes, by MD5's rounds without its padding.
unsafe extern "C-unwind" fn hmac64(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let (text, key) = two_words(state);
        push(state, &mix::hmac(text, key));
    }
    1
}

/// `hmac64_md5(x, y)`: 8 bytes of two times 8 bytes, by MD5.
unsafe extern "C-unwind" fn hmac64_md5(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let (text, key) = two_words(state);
        push(state, &mix::hmac_md5(text, key));
    }
    1
}

/// `hmac_hash(key, text)`: [`hmac64`] of the text's [`hashkey`] and a key of 8 bytes.
unsafe extern "C-unwind" fn hmac_hash(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let key = word(state, 1, c"Invalid uint64 key");
        let text = mix::hash(argument(state, 2));
        push(state, &mix::hmac(text, key));
    }
    1
}

/// `dhexchange(secret)`: what the other side gets to see of 8 secret bytes that are not all 0.
unsafe extern "C-unwind" fn dhexchange(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let secret = u64::from_le_bytes(word(state, 1, c"Invalid dh uint64 key"));
        if secret == 0 {
            return luaL_error(state, c"Can't be 0".as_ptr());
        }
        push(
            state,
            &exchange::power(exchange::BASE, secret).to_le_bytes(),
        );
    }
    1
}

/// `dhsecret(theirs, secret)`: the 8 bytes that both sides find, of what the other side sent and the own secret.
unsafe extern "C-unwind" fn dhsecret(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let (theirs, secret) = two_words(state);
        let (theirs, secret) = (u64::from_le_bytes(theirs), u64::from_le_bytes(secret));
        if theirs == 0 || secret == 0 {
            return luaL_error(state, c"Can't be 0".as_ptr());
        }
        push(state, &exchange::power(theirs, secret).to_le_bytes());
    }
    1
}

/// `base64encode(bytes)`: text of RFC 4648 §4.
unsafe extern "C-unwind" fn base64encode(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let bytes = argument(state, 1);
        push_written(state, text::base64_len(bytes.len()), |output| {
            text::base64_encode(bytes, output);
            Some(output.len())
        });
    }
    1
}

/// `base64decode(text)`: the bytes. Passes over what is not base64 inside of a group of four characters, and does without
/// the last `=`; raises an error for a group that says nothing.
unsafe extern "C-unwind" fn base64decode(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let encoded = argument(state, 1);
        let len = text::base64_decoded_len(encoded.len());
        let decoded = push_written(state, len, |output| text::base64_decode(encoded, output));
        if decoded.is_none() {
            return luaL_error(state, c"Invalid base64 text".as_ptr());
        }
    }
    1
}

/// `sha1(text)`: 20 bytes.
unsafe extern "C-unwind" fn sha1(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push(state, &Sha1::digest(argument(state, 1))) };
    1
}

/// `hmac_sha1(key, text)`: 20 bytes, RFC 2104 with SHA-1.
unsafe extern "C-unwind" fn hmac_sha1(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; hashes have no destructor.
    unsafe {
        let (key, text) = (argument(state, 1), argument(state, 2));
        let Ok(mac) = Hmac::<Sha1>::new_from_slice(key) else {
            return luaL_error(state, c"Invalid key size".as_ptr());
        };
        let sum = mac.chain_update(text).finalize().into_bytes();
        push(state, &sum);
    }
    1
}

/// `xor_str(text, key)`: each byte of the text, exclusive or the byte of the key at that place; the key begins again after
/// its end.
unsafe extern "C-unwind" fn xor_str(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let (text, key) = (argument(state, 1), argument(state, 2));
        if key.is_empty() {
            return luaL_error(state, c"Can't xor empty string".as_ptr());
        }
        push_written(state, text.len(), |output| {
            for (output, text) in output.chunks_mut(key.len()).zip(text.chunks(key.len())) {
                for (i, output) in output.iter_mut().enumerate() {
                    *output = text[i] ^ key[i];
                }
            }
            Some(output.len())
        });
    }
    1
}
