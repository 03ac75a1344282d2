//! Sending: `send`, `request`, `redirect`, `genid`.

use skynet_support::State;
use std::ffi::CStr;
use std::ptr;

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_TLIGHTUSERDATA, LUA_TNUMBER, LUA_TSTRING, lua_isyieldable, lua_pushthread, luaL_where,
};
use skynet_sys::{PTYPE_TAG_ALLOCSESSION, PTYPE_TAG_DONTCOPY, skynet_send, skynet_sendname};

use crate::service::service;

/// `send(address, type, session|nil, message [, size])`: the session, false when the message is too large, nothing when
/// there is no such service. Raises when there is no memory for the copy of a string. A nil session asks for a new one. A light
/// userdata is given away.
pub fn send(state: State<'_>) -> c_int {
    deliver(state, 0, 2, Some(3), 4)
}

/// `request(address, type, message [, size])`: `send` with a new session, for a caller that will park until the answer
/// comes. Raises where it could not park, before anything is sent: the answer would find the task that waits next.
pub fn request(state: State<'_>) -> c_int {
    // SAFETY: the state is the running one.
    if unsafe { lua_isyieldable(state.raw()) } == 0 {
        refuse(state);
    }
    deliver(state, 0, 2, None, 3)
}

#[cold]
fn refuse(state: State<'_>) -> ! {
    if state.kind(3) == LUA_TLIGHTUSERDATA {
        // SAFETY: who calls gives the block away, and it is freed nowhere else.
        unsafe { libc::free(state.to_userdata(3)) };
    }
    // SAFETY: there is room for two values. The function of the layer is at level 1, who has called it at 2.
    let is_main = unsafe {
        luaL_where(state.raw(), 2);
        lua_pushthread(state.raw()) != 0
    };
    state.pop(1);
    let text = if is_main {
        c"attempt to yield from outside a coroutine\n\t(what waits cannot be called outside of a task)"
    } else {
        c"attempt to yield across a C-call boundary\n\t(what waits cannot be called inside of a function that C calls)"
    };
    state.push_text(text);
    state.concat(2);
    state.raise()
}

/// `redirect(address, source, type, session|nil, message [, size])`: `send` in the name of `source`.
pub fn redirect(state: State<'_>) -> c_int {
    let source = state.check_integer(2) as u32;
    deliver(state, source, 3, Some(4), 5)
}

/// `genid()`: a new session.
pub fn genid(state: State<'_>) -> c_int {
    let context = service(state).context();
    // SAFETY: the invariant of `Service`; no message is sent.
    let session =
        unsafe { skynet_send(context, 0, 0, PTYPE_TAG_ALLOCSESSION, 0, ptr::null_mut(), 0) };
    state.push_integer(session.into());
    1
}

enum Destination<'a> {
    Handle(u32),
    Name(&'a CStr),
}

/// The session at `arg`; none: a new one is asked for.
fn session(state: State<'_>, arg: c_int) -> Option<c_int> {
    (!state.is_nil(arg)).then(|| state.check_integer(arg) as c_int)
}

/// `kind`, `session` (none: a new one) and `message` are indices. The address is the first that is looked at: the error of
/// a call without one names it.
fn deliver(
    state: State<'_>,
    source: u32,
    kind: c_int,
    session: Option<c_int>,
    message: c_int,
) -> c_int {
    let destination = match state.to_integer(1) as u32 {
        0 if state.kind(1) == LUA_TNUMBER => {
            state.error(c"Invalid service address 0");
        }
        0 => match state.to_text(1) {
            Some(name) => Destination::Name(name),
            None => {
                let kind = state.type_name(state.kind(1));
                state.error_with(format_args!(
                    "dest address type ({kind}) must be a string or number."
                ));
            }
        },
        handle => Destination::Handle(handle),
    };
    // Whether the core takes the message over, the message says below: a string would be freed twice.
    let mut ty = state.check_integer(kind) as c_int & !PTYPE_TAG_DONTCOPY;
    let session = session.and_then(|index| self::session(state, index));
    if session.is_none() {
        ty |= PTYPE_TAG_ALLOCSESSION;
    }
    let session = session.unwrap_or(0);
    let (message, size): (*mut c_void, usize) = match state.kind(message) {
        LUA_TSTRING => match state.to_bytes(message) {
            Some(text) if !text.is_empty() => (text.as_ptr().cast_mut().cast(), text.len()),
            _ => (ptr::null_mut(), 0),
        },
        LUA_TLIGHTUSERDATA => {
            // C's int on purpose: a negative size becomes one that the core refuses.
            let size = state.check_integer(message + 1) as c_int as usize;
            ty |= PTYPE_TAG_DONTCOPY;
            (state.to_userdata(message), size)
        }
        other => {
            let kind = state.type_name(other);
            state.error_with(format_args!("invalid param {kind}"));
        }
    };
    let context = service(state).context();
    // SAFETY: the invariant of `Service`. The bytes of a string are copied; who passes an address gives the block away.
    let sent = unsafe {
        match destination {
            Destination::Handle(handle) => {
                skynet_send(context, source, handle, ty, session, message, size)
            }
            Destination::Name(name) => {
                skynet_sendname(context, source, name.as_ptr(), ty, session, message, size)
            }
        }
    };
    match sent {
        // The core takes any size that a string can have, so that its copy is what there is no memory for.
        -2 if ty & PTYPE_TAG_DONTCOPY == 0 => state.error(c"not enough memory"),
        -2 => state.push_boolean(false),
        ..0 => return 0,
        _ => state.push_integer(sent.into()),
    }
    1
}
