//! The Lua module `md5.core`: MD5 sums, and a stream cipher made of them.

pub mod stream;

use std::ffi::CStr;
use std::time::{SystemTime, UNIX_EPOCH};

use libc::c_int;
use md5::{Digest, Md5};
use mlua_sys::{
    lua_CFunction, lua_State, lua_concat, lua_createtable, lua_isnone, lua_pushstring,
    lua_setfield, luaL_argerror, luaL_error,
};
use skynet_support::bytes::{argument, push, push_written};
use skynet_support::{Entry, check_version, register};

use stream::{BLOCK, KEY, Stream, split};

/// What `require` opens: module name and opening function.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[(c"md5.core", luaopen_md5_core)];

const FUNCTIONS: &[Entry] = &[
    (c"sum", sum),
    (c"exor", exor),
    (c"crypt", crypt),
    (c"decrypt", decrypt),
];

/// What the module says of itself.
const ABOUT: [(&CStr, &CStr); 3] = [
    (
        c"_COPYRIGHT",
        c"Copyright (C) 2026 The skynet in Rust authors",
    ),
    (c"_VERSION", c"MD5 1.2"),
    (c"_DESCRIPTION", c"Basic cryptographic facilities"),
];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_md5_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, (FUNCTIONS.len() + ABOUT.len()) as c_int);
        register(state, FUNCTIONS, 0);
        for (name, text) in ABOUT {
            lua_pushstring(state, text.as_ptr());
            lua_setfield(state, -2, name.as_ptr());
        }
    }
    1
}

/// `sum(text)`: its MD5, 16 bytes.
unsafe extern "C-unwind" fn sum(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push(state, &Md5::digest(argument(state, 1))) };
    1
}

/// `exor(a, b)`: each byte of a, exclusive or that of b. Raises an error unless both are equally long.
unsafe extern "C-unwind" fn exor(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let (a, b) = (argument(state, 1), argument(state, 2));
        if a.len() != b.len() {
            return luaL_argerror(state, 2, c"lengths must be equal".as_ptr());
        }
        push_written(state, a.len(), |output| {
            for ((output, a), b) in output.iter_mut().zip(a).zip(b) {
                *output = a ^ b;
            }
            Some(output.len())
        });
    }
    1
}

/// The stream for the key, argument 2.
unsafe fn stream(state: *mut lua_State, seed: &[u8]) -> Stream {
    // SAFETY: called by Lua; the error does not return, and nothing has a destructor.
    unsafe {
        let Some(stream) = Stream::new(argument(state, 2), seed) else {
            luaL_error(state, c"key too long (> %d)".as_ptr(), KEY as c_int);
            unreachable!()
        };
        stream
    }
}

/// `crypt(text, key [, seed])`: the text hidden by the key, of 256 bytes at most, and the seed, of 16 bytes at most, in front
/// of it. Without a seed the time is taken. Texts with the same key and seed give each other away.
unsafe extern "C-unwind" fn crypt(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let text = argument(state, 1);
        let now = now();
        let seed: &[u8] = if lua_isnone(state, 3) != 0 {
            &now
        } else {
            argument(state, 3)
        };
        if seed.len() > BLOCK {
            return luaL_error(state, c"seed too long (> %d)".as_ptr(), BLOCK as c_int);
        }
        let mut stream = stream(state, seed);
        push(state, &[seed.len() as u8]);
        push(state, seed);
        push_written(state, text.len(), |output| {
            stream.hide(text, output);
            Some(output.len())
        });
        lua_concat(state, 3);
    }
    1
}

/// Seconds since 1970.
fn now() -> [u8; 8] {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| time.as_secs()).to_ne_bytes()
}

/// `decrypt(text, key)`: what [`crypt`] hid. With another key the result is noise.
unsafe extern "C-unwind" fn decrypt(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing has a destructor.
    unsafe {
        let Some((seed, hidden)) = split(argument(state, 1)) else {
            return luaL_argerror(state, 1, c"invalid cyphered string".as_ptr());
        };
        let mut stream = stream(state, seed);
        push_written(state, hidden.len(), |output| {
            stream.find(hidden, output);
            Some(output.len())
        });
    }
    1
}
