//! Addresses in arguments: `"host:port"`, `"[ipv6]:port"`, or a host and a port of its own.

use std::ffi::CStr;

use libc::{c_char, c_int};
use mlua_sys::{
    lua_State, lua_isnoneornil, lua_pushlstring, luaL_checkinteger, luaL_checklstring, luaL_error,
};

/// Why a text is no address.
#[derive(Debug, PartialEq)]
enum Bad {
    Address,
    Port,
}

/// Host and port of a text. A `[` anywhere means IPv6.
fn split(text: &[u8]) -> Result<(&[u8], u16), Bad> {
    let position = |bytes: &[u8], byte| bytes.iter().position(|&b| b == byte);
    let (host, rest) = match position(text, b'[') {
        Some(open) => {
            let inner = &text[open + 1..];
            let close = position(inner, b']').ok_or(Bad::Address)?;
            (&inner[..close], &inner[close..])
        }
        None => {
            let colon = position(text, b':').ok_or(Bad::Address)?;
            (&text[..colon], &text[colon..])
        }
    };
    let colon = position(rest, b':').ok_or(Bad::Address)?;
    let port = rest[colon + 1..].trim_ascii_start();
    let port = str::from_utf8(port).ok().and_then(|port| port.parse().ok());
    port.map(|port| (host, port)).ok_or(Bad::Port)
}

/// Reads the address at `index` and the port behind it, if there is one: a C string that lives as long as the stack of
/// this call, and the port.
///
/// # Safety
/// Called by Lua; the stack has room for one more value. Nothing with a destructor is alive.
pub unsafe fn check(state: *mut lua_State, index: c_int) -> (*const c_char, c_int) {
    // SAFETY: as the caller promises; Lua's strings end with a NUL.
    unsafe {
        let text = luaL_checklstring(state, index, std::ptr::null_mut());
        if lua_isnoneornil(state, index + 1) == 0 {
            return (text, luaL_checkinteger(state, index + 1) as c_int);
        }
        match split(CStr::from_ptr(text).to_bytes()) {
            Ok((host, port)) => {
                let host = lua_pushlstring(state, host.as_ptr().cast(), host.len());
                (host, port.into())
            }
            Err(bad) => {
                let reason = match bad {
                    Bad::Address => c"Invalid address %s.",
                    Bad::Port => c"Invalid port in address %s.",
                };
                luaL_error(state, reason.as_ptr(), text);
                (text, 0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_split_at_the_port() {
        for (text, host, port) in [
            ("127.0.0.1:80", "127.0.0.1", 80),
            ("name: 0", "name", 0),
            (":65535", "", 65535),
            ("[::1]:8080", "::1", 8080),
            ("tcp:[::]x:1", "::", 1),
        ] {
            assert_eq!(split(text.as_bytes()), Ok((host.as_bytes(), port)));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "host", "[::1", "[::1]", "]:1[", "[::1]80"] {
            assert_eq!(split(text.as_bytes()), Err(Bad::Address), "{text}");
        }
        for text in [
            "host:",
            "host:x",
            "host:1x",
            "host:65536",
            "host:-1",
            "a:1:2",
            "[::1]: ",
        ] {
            assert_eq!(split(text.as_bytes()), Err(Bad::Port), "{text}");
        }
    }
}
