//! Settings as a userdata: what `newctx` returns.

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{LUA_TBOOLEAN, lua_type};
use mlua_sys::{
    lua_State, lua_gettop, lua_isnoneornil, lua_toboolean, luaL_checklstring, luaL_error,
};
use skynet_support::bytes::argument;

use crate::lua::{self, Kind, fail, guarded, path, string};
use crate::settings::{Authorities, Settings};

const KIND: Kind = Kind {
    name: c"_TLS_SSLCTX_METATABLE_",
    methods: &[
        (c"set_ciphers", set_ciphers),
        (c"set_cert", set_cert),
        (c"set_verify", set_verify),
        (c"set_alpn", set_alpn),
    ],
    collect,
};

/// `newctx()`: settings for connections.
pub unsafe extern "C-unwind" fn newctx(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing raises once there is an object.
    unsafe {
        let place = lua::create::<Settings>(state, &KIND);
        match guarded(|| Ok(Box::new(Settings::new()))) {
            Ok(settings) => place.write(Box::into_raw(settings)),
            Err(problem) => return fail(state, problem),
        }
    }
    1
}

unsafe extern "C-unwind" fn collect(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua::close(lua::place::<Settings>(state, 1, &KIND)) };
    0
}

/// The settings at `index`, or an error.
///
/// # Safety
/// Called by a function that Lua called. Lua runs one function at a time on them.
pub unsafe fn check(state: *mut lua_State, index: c_int) -> *mut Settings {
    // SAFETY: as the caller promises; the error does not return.
    unsafe {
        let place = lua::place::<Settings>(state, index, &KIND);
        if place.is_null() || (*place).is_null() {
            luaL_error(state, c"need sslctx".as_ptr());
        }
        *place
    }
}

/// Argument `index` as a string, or an error with `missing`.
unsafe fn needed<'a>(state: *mut lua_State, index: c_int, missing: &CStr) -> &'a [u8] {
    // SAFETY: called by Lua; the error does not return.
    unsafe {
        string(state, index).unwrap_or_else(|| {
            luaL_error(state, missing.as_ptr());
            unreachable!()
        })
    }
}

/// `ctx:set_cert(chain, key [, host])`: PEM files with the certificates to show, the own one first, and its private key.
/// With a host only clients that ask for this name get to see them. Raises an error when they cannot be used.
unsafe extern "C-unwind" fn set_cert(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a problem goes to `fail`.
    unsafe {
        let settings = check(state, 1);
        let chain = needed(state, 2, c"need certfile");
        let key = needed(state, 3, c"need private key");
        let host = string(state, 4);
        let result = guarded(|| {
            let host = host.map(String::from_utf8_lossy);
            (*settings).set_identity(path(chain), path(key), host.as_deref())
        });
        match result {
            Ok(()) => 0,
            Err(problem) => fail(state, problem),
        }
    }
}

/// `ctx:set_ciphers(list)`: restricts the cipher suites to those named, with colons between them. Raises an error when none
/// of them can be used.
unsafe extern "C-unwind" fn set_ciphers(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a problem goes to `fail`.
    unsafe {
        let settings = check(state, 1);
        let list = needed(state, 2, c"need cipher list");
        match guarded(|| (*settings).set_suites(&String::from_utf8_lossy(list))) {
            Ok(()) => 0,
            Err(problem) => fail(state, problem),
        }
    }
}

/// `ctx:set_verify(authorities [, any_name])`: verifies servers (chain, name, time), and demands certificates of clients.
/// `authorities` is a PEM file, or true for those that the system trusts; false or nil: verifies no peer. With `any_name` the
/// name does not matter. Raises an error when none can be used.
unsafe extern "C-unwind" fn set_verify(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a problem goes to `fail`.
    unsafe {
        let settings = check(state, 1);
        let authorities = if lua_isnoneornil(state, 2) != 0 {
            None
        } else if lua_type(state, 2) == LUA_TBOOLEAN {
            (lua_toboolean(state, 2) != 0).then_some(Authorities::System)
        } else {
            Some(Authorities::File(path(argument(state, 2))))
        };
        let names = lua_toboolean(state, 3) == 0;
        match guarded(|| (*settings).set_authorities(authorities, names)) {
            Ok(()) => 0,
            Err(problem) => fail(state, problem),
        }
    }
}

/// `ctx:set_alpn(protocol, ...)`: the protocols to offer or to accept, the best first; none: the matter is not mentioned.
unsafe extern "C-unwind" fn set_alpn(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; all arguments are known to be strings once there is a list.
    unsafe {
        let settings = check(state, 1);
        let top = lua_gettop(state);
        for index in 2..=top {
            let mut len = 0;
            luaL_checklstring(state, index, &mut len);
            if !(1..=255).contains(&len) {
                return luaL_error(state, c"a protocol has 1 to 255 bytes".as_ptr());
            }
        }
        let result = guarded(|| {
            let names = (2..=top).filter_map(|index| string(state, index));
            (*settings).set_protocols(names.map(<[u8]>::to_vec).collect());
            Ok(())
        });
        match result {
            Ok(()) => 0,
            Err(problem) => fail(state, problem),
        }
    }
}
