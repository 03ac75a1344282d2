//! Addresses in arguments: `"host:port"`, `"[ipv6]:port"`, or a host and a port of its own.

use std::ffi::CStr;

use libc::c_int;
use skynet_support::State;
use skynet_support::state::Shown;

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

/// Reads the address at `index` and the port behind it, if there is one. Raises for what is none; needs room for a value, which may
/// hold the host.
pub fn check(state: State<'_>, index: c_int) -> (&CStr, c_int) {
    let text = state.check_text(index);
    if !state.is_none_or_nil(index + 1) {
        return (text, state.check_integer(index + 1) as c_int);
    }
    let text = text.to_bytes();
    match split(text) {
        Ok((host, port)) => (state.push_c_string(host), port.into()),
        Err(Bad::Address) => state.error_with(format_args!("Invalid address {}.", Shown(text))),
        Err(Bad::Port) => {
            state.error_with(format_args!("Invalid port in address {}.", Shown(text)))
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
