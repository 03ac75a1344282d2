//! A session as a userdata: what `newtls` returns. None of its methods yields or touches a socket.

use std::ffi::CStr;

use libc::c_int;
use skynet_support::state::Shown;
use skynet_support::{Entry, State, lua_functions};

use crate::context;
use crate::lua::{self, Kind, fail, guarded};
use crate::session::Session;

impl Kind for Session {
    const NAME: &'static CStr = c"_TLS_CONTEXT_METATABLE_";
    const METHODS: &'static [Entry] = lua_functions!(unsafe {
        c"close" => close,
        c"finished" => finished,
        c"handshake" => handshake,
        c"read" => read,
        c"write" => write,
        c"set_ext_host_name" => set_ext_host_name,
        c"close_notify" => close_notify,
        c"ended" => ended,
        c"alpn" => alpn,
        c"server_name" => server_name,
        c"__gc" => close,
    });
}

/// `newtls(method, ctx [, host])`: a connection, as "client" or "server". A client may name its server here.
pub fn newtls(state: State<'_>) -> c_int {
    let method = match state.is_none_or_nil(1) {
        true => b"nil",
        false => state.check_bytes(1),
    };
    let settings = context::check(state, 2);
    let client = match method {
        b"client" => true,
        b"server" => false,
        _ => {
            let method = Shown(method);
            state.error_with(format_args!("invalid method:{method} e.g[server, client]"));
        }
    };
    if client && !state.is_none_or_nil(3) {
        state.check_bytes(3);
    }
    let host = state.to_bytes(3).filter(|_| client);
    let place = lua::create::<Session>(state);
    let result = guarded(|| {
        if !client {
            return Ok(Box::new(Session::server(settings)?));
        }
        let mut session = Session::client(settings)?;
        // What is no name is not sent; verification complains of it later.
        session.set_host(host.and_then(|host| std::str::from_utf8(host).ok()));
        Ok(Box::new(session))
    });
    match result {
        // SAFETY: the userdata is on the stack, and takes it over.
        Ok(session) => unsafe { place.write(Box::into_raw(session)) },
        Err(problem) => fail(state, problem),
    }
    1
}

/// `tls:close()`: ends the use of the object, without a word to the peer. May be repeated.
fn close(state: State<'_>) -> c_int {
    let place = lua::place::<Session>(state, 1);
    if place.is_null() {
        state.error(c"need tls context");
    }
    // SAFETY: of `newtls`.
    unsafe { lua::close(place) };
    0
}

/// The session at 1, or an error.
fn check(state: State<'_>) -> &mut Session {
    let place = lua::place::<Session>(state, 1);
    // SAFETY: null, or of `newtls`. The userdata is an argument, and nothing here runs Lua code while the reference is used.
    match unsafe { place.as_ref().map(|place| place.as_mut()) } {
        Some(Some(session)) => session,
        Some(None) => state.error(c"context is closed"),
        None => state.error(c"need tls context"),
    }
}

/// Pushes what has to be sent. It is forgotten only once it is there.
fn push_output(state: State<'_>, session: &mut Session) {
    state.push_bytes(session.output());
    session.sent();
}

/// `tls:finished()`: whether the handshake is.
fn finished(state: State<'_>) -> c_int {
    state.push_boolean(check(state).finished());
    1
}

/// `tls:handshake([received])`: goes on with the handshake. Returns what to send, or nothing. A client's first call needs
/// nothing received. The last step of a handshake may have something to send too. Raises an error when the handshake fails,
/// or has finished before.
fn handshake(state: State<'_>) -> c_int {
    let session = check(state);
    let received = state.to_bytes(2).unwrap_or_default();
    if let Err(problem) = guarded(|| session.handshake(received)) {
        fail(state, problem);
    }
    if session.output().is_empty() {
        return 0;
    }
    push_output(state, session);
    1
}

/// `tls:read([received])`: decrypts; returns all bytes that are complete, maybe none. Raises an error when what was received
/// cannot be TLS of the peer's.
fn read(state: State<'_>) -> c_int {
    let session = check(state);
    let received = state.to_bytes(2).unwrap_or_default();
    if let Err(problem) = guarded(|| session.read(received)) {
        fail(state, problem);
    }
    state.push_bytes(session.plain());
    session.taken();
    1
}

/// `tls:write([plain])`: encrypts; returns what to send, with all that waited to be sent, maybe nothing (an empty string).
/// Raises an error before the handshake has finished, unless there is nothing to encrypt.
fn write(state: State<'_>) -> c_int {
    let session = check(state);
    let plain = state.to_bytes(2).unwrap_or_default();
    if let Err(problem) = guarded(|| session.write(plain)) {
        fail(state, problem);
    }
    push_output(state, session);
    1
}

/// `tls:set_ext_host_name(host)`: names a client's server, before the handshake. Returns 1, or 0 when this cannot be done.
fn set_ext_host_name(state: State<'_>) -> c_int {
    let session = check(state);
    let set = match state.to_bytes(2).map(std::str::from_utf8) {
        Some(Ok(host)) => session.set_host(Some(host)),
        Some(Err(_)) => false,
        None => session.set_host(None),
    };
    state.push_integer(set.into());
    1
}

/// `tls:ended()`: whether the peer has said that nothing follows what was read. Its transport may stay open.
fn ended(state: State<'_>) -> c_int {
    state.push_boolean(check(state).ended());
    1
}

/// `tls:close_notify()`: returns what to send before the transport is closed, so that the peer knows that nothing is missing.
fn close_notify(state: State<'_>) -> c_int {
    let session = check(state);
    let result = guarded(|| {
        session.close_notify();
        Ok(())
    });
    if let Err(problem) = result {
        fail(state, problem);
    }
    push_output(state, session);
    1
}

/// Pushes a string, or nil.
fn push_optional(state: State<'_>, text: Option<&[u8]>) {
    match text {
        Some(text) => state.push_bytes(text),
        None => state.push_nil(),
    }
}

/// `tls:alpn()`: the protocol that both sides agreed on, or nil.
fn alpn(state: State<'_>) -> c_int {
    push_optional(state, check(state).protocol());
    1
}

/// `tls:server_name()`: the name that the client asked for (SNI), or nil; on a client always nil.
fn server_name(state: State<'_>) -> c_int {
    let session = check(state);
    push_optional(state, session.asked_for().map(str::as_bytes));
    1
}
