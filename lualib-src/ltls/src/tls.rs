//! A session as a userdata: what `newtls` returns. None of its methods yields or touches a socket.

use libc::c_int;
use mlua_sys::{
    lua_State, lua_isnoneornil, lua_pushboolean, lua_pushinteger, lua_pushnil, luaL_checklstring,
    luaL_error, luaL_optlstring,
};
use skynet_support::bytes::push;

use crate::context;
use crate::lua::{self, Kind, fail, guarded, string};
use crate::session::Session;

const KIND: Kind = Kind {
    name: c"_TLS_CONTEXT_METATABLE_",
    methods: &[
        (c"close", close),
        (c"finished", finished),
        (c"handshake", handshake),
        (c"read", read),
        (c"write", write),
        (c"set_ext_host_name", set_ext_host_name),
        (c"close_notify", close_notify),
        (c"ended", ended),
        (c"alpn", alpn),
        (c"server_name", server_name),
    ],
    collect: close,
};

/// `newtls(method, ctx [, host])`: a connection, as "client" or "server". A client may name its server here.
pub unsafe extern "C-unwind" fn newtls(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; nothing raises once there is an object; a problem goes to `fail`.
    unsafe {
        let mut len = 0;
        let method = luaL_optlstring(state, 1, c"nil".as_ptr(), &mut len);
        let settings = context::check(state, 2);
        let client = match std::slice::from_raw_parts(method.cast::<u8>(), len) {
            b"client" => true,
            b"server" => false,
            _ => {
                let text = c"invalid method:%s e.g[server, client]";
                return luaL_error(state, text.as_ptr(), method);
            }
        };
        if client && lua_isnoneornil(state, 3) == 0 {
            luaL_checklstring(state, 3, &mut len);
        }
        let host = string(state, 3).filter(|_| client);
        let place = lua::create::<Session>(state, &KIND);
        let result = guarded(|| {
            let settings = &mut *settings;
            if !client {
                return Ok(Box::new(Session::server(settings)?));
            }
            let mut session = Session::client(settings)?;
            // What is no name is not sent; verification complains of it later.
            session.set_host(host.and_then(|host| std::str::from_utf8(host).ok()));
            Ok(Box::new(session))
        });
        match result {
            Ok(session) => place.write(Box::into_raw(session)),
            Err(problem) => return fail(state, problem),
        }
    }
    1
}

/// `tls:close()`: ends the use of the object, without a word to the peer. May be repeated.
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let place = lua::place::<Session>(state, 1, &KIND);
        if place.is_null() {
            return luaL_error(state, c"need tls context".as_ptr());
        }
        lua::close(place);
    }
    0
}

/// The session at 1, or an error.
unsafe fn check(state: *mut lua_State) -> *mut Session {
    // SAFETY: called by Lua; errors do not return. Lua runs one function at a time on the session.
    unsafe {
        let place = lua::place::<Session>(state, 1, &KIND);
        if place.is_null() {
            luaL_error(state, c"need tls context".as_ptr());
        }
        if (*place).is_null() {
            luaL_error(state, c"context is closed".as_ptr());
        }
        *place
    }
}

/// Pushes what has to be sent. It is forgotten only once it is there.
unsafe fn push_output(state: *mut lua_State, session: *mut Session) {
    // SAFETY: called by Lua; the bytes do not change until they are copied.
    unsafe {
        push(state, (*session).output());
        (*session).sent();
    }
}

/// `tls:finished()`: whether the handshake is.
unsafe extern "C-unwind" fn finished(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushboolean(state, (*check(state)).finished().into()) };
    1
}

/// `tls:handshake([received])`: goes on with the handshake. Returns what to send, or nothing. A client's first call needs
/// nothing received. The last step of a handshake may have something to send too. Raises an error when the handshake fails,
/// or has finished before.
unsafe extern "C-unwind" fn handshake(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a problem goes to `fail`.
    unsafe {
        let session = check(state);
        let received = string(state, 2).unwrap_or_default();
        if let Err(problem) = guarded(|| (*session).handshake(received)) {
            return fail(state, problem);
        }
        if (*session).output().is_empty() {
            return 0;
        }
        push_output(state, session);
    }
    1
}

/// `tls:read([received])`: decrypts; returns all bytes that are complete, maybe none. Raises an error when what was received
/// cannot be TLS of the peer's.
unsafe extern "C-unwind" fn read(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a problem goes to `fail`.
    unsafe {
        let session = check(state);
        let received = string(state, 2).unwrap_or_default();
        if let Err(problem) = guarded(|| (*session).read(received)) {
            return fail(state, problem);
        }
        push(state, (*session).plain());
        (*session).taken();
    }
    1
}

/// `tls:write([plain])`: encrypts; returns what to send, with all that waited to be sent, maybe nothing (an empty string).
/// Raises an error before the handshake has finished, unless there is nothing to encrypt.
unsafe extern "C-unwind" fn write(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a problem goes to `fail`.
    unsafe {
        let session = check(state);
        let plain = string(state, 2).unwrap_or_default();
        if let Err(problem) = guarded(|| (*session).write(plain)) {
            return fail(state, problem);
        }
        push_output(state, session);
    }
    1
}

/// `tls:set_ext_host_name(host)`: names a client's server, before the handshake. Returns 1, or 0 when this cannot be done.
unsafe extern "C-unwind" fn set_ext_host_name(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let session = check(state);
        let set = match string(state, 2).map(std::str::from_utf8) {
            Some(Ok(host)) => (*session).set_host(Some(host)),
            Some(Err(_)) => false,
            None => (*session).set_host(None),
        };
        lua_pushinteger(state, set.into());
    }
    1
}

/// `tls:ended()`: whether the peer has said that nothing follows what was read. Its transport may stay open.
unsafe extern "C-unwind" fn ended(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushboolean(state, (*check(state)).ended().into()) };
    1
}

/// `tls:close_notify()`: returns what to send before the transport is closed, so that the peer knows that nothing is missing.
unsafe extern "C-unwind" fn close_notify(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a problem goes to `fail`.
    unsafe {
        let session = check(state);
        let result = guarded(|| {
            (*session).close_notify();
            Ok(())
        });
        if let Err(problem) = result {
            return fail(state, problem);
        }
        push_output(state, session);
    }
    1
}

/// Pushes a string, or nil.
unsafe fn push_optional(state: *mut lua_State, text: Option<&[u8]>) {
    // SAFETY: called by Lua.
    unsafe {
        match text {
            Some(text) => push(state, text),
            None => lua_pushnil(state),
        }
    }
}

/// `tls:alpn()`: the protocol that both sides agreed on, or nil.
unsafe extern "C-unwind" fn alpn(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { push_optional(state, (*check(state)).protocol()) };
    1
}

/// `tls:server_name()`: the name that the client asked for (SNI), or nil; on a client always nil.
unsafe extern "C-unwind" fn server_name(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let session = check(state);
        push_optional(state, (*session).asked_for().map(str::as_bytes));
    }
    1
}
