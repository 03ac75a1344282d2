//! Settings as a userdata: what `newctx` returns.

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::LUA_TBOOLEAN;
use skynet_support::{Entry, State, lua_functions};

use crate::lua::{self, Kind, fail, guarded, path};
use crate::settings::{Authorities, Settings};

impl Kind for Settings {
    const NAME: &'static CStr = c"_TLS_SSLCTX_METATABLE_";
    const METHODS: &'static [Entry] = lua_functions!(unsafe {
        c"set_ciphers" => set_ciphers,
        c"set_cert" => set_cert,
        c"set_verify" => set_verify,
        c"set_alpn" => set_alpn,
        c"__gc" => collect,
    });
}

/// `newctx()`: settings for connections.
pub fn newctx(state: State<'_>) -> c_int {
    let place = lua::create::<Settings>(state);
    match guarded(|| Ok(Box::new(Settings::new()))) {
        // SAFETY: the userdata is on the stack, and takes it over.
        Ok(settings) => unsafe { place.write(Box::into_raw(settings)) },
        Err(problem) => fail(state, problem),
    }
    1
}

fn collect(state: State<'_>) -> c_int {
    // SAFETY: of `newctx`.
    unsafe { lua::close(lua::place::<Settings>(state, 1)) };
    0
}

/// The settings at `index`, or an error.
pub fn check(state: State<'_>, index: c_int) -> &mut Settings {
    let place = lua::place::<Settings>(state, index);
    // SAFETY: null, or of `newctx`. The userdata is an argument, and nothing here runs Lua code while the reference is used.
    match unsafe { place.as_ref().and_then(|place| place.as_mut()) } {
        Some(settings) => settings,
        None => state.error(c"need sslctx"),
    }
}

/// Argument `index` as a string, or an error with `missing`.
fn needed<'a>(state: State<'a>, index: c_int, missing: &CStr) -> &'a [u8] {
    state
        .to_bytes(index)
        .unwrap_or_else(|| state.error(missing))
}

/// `ctx:set_cert(chain, key [, host])`: PEM files with the certificates to show, the own one first, and its private key.
/// With a host only clients that ask for this name get to see them. Raises an error when they cannot be used.
fn set_cert(state: State<'_>) -> c_int {
    let settings = check(state, 1);
    let chain = needed(state, 2, c"need certfile");
    let key = needed(state, 3, c"need private key");
    let host = state.to_bytes(4);
    let result = guarded(|| {
        let host = host.map(String::from_utf8_lossy);
        settings.set_identity(path(chain), path(key), host.as_deref())
    });
    match result {
        Ok(()) => 0,
        Err(problem) => fail(state, problem),
    }
}

/// `ctx:set_ciphers(list)`: restricts the cipher suites to those named, with colons between them. Raises an error when none
/// of them can be used.
fn set_ciphers(state: State<'_>) -> c_int {
    let settings = check(state, 1);
    let list = needed(state, 2, c"need cipher list");
    match guarded(|| settings.set_suites(&String::from_utf8_lossy(list))) {
        Ok(()) => 0,
        Err(problem) => fail(state, problem),
    }
}

/// `ctx:set_verify(authorities [, any_name])`: verifies servers (chain, name, time), and demands certificates of clients.
/// `authorities` is a PEM file, or true for those that the system trusts; false or nil: verifies no peer. With `any_name` the
/// name does not matter. Raises an error when none can be used.
fn set_verify(state: State<'_>) -> c_int {
    let settings = check(state, 1);
    let authorities = if state.is_none_or_nil(2) {
        None
    } else if state.kind(2) == LUA_TBOOLEAN {
        (state.to_boolean(2)).then_some(Authorities::System)
    } else {
        Some(Authorities::File(path(state.check_bytes(2))))
    };
    let names = !state.to_boolean(3);
    match guarded(|| settings.set_authorities(authorities, names)) {
        Ok(()) => 0,
        Err(problem) => fail(state, problem),
    }
}

/// `ctx:set_alpn(protocol, ...)`: the protocols to offer or to accept, the best first; none: the matter is not mentioned.
fn set_alpn(state: State<'_>) -> c_int {
    let settings = check(state, 1);
    let top = state.top();
    for index in 2..=top {
        if !(1..=255).contains(&state.check_bytes(index).len()) {
            state.error(c"a protocol has 1 to 255 bytes");
        }
    }
    let result = guarded(|| {
        let names = (2..=top).filter_map(|index| state.to_bytes(index));
        settings.set_protocols(names.map(<[u8]>::to_vec).collect());
        Ok(())
    });
    match result {
        Ok(()) => 0,
        Err(problem) => fail(state, problem),
    }
}
