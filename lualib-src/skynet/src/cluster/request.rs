//! `packrequest`, `packpush`, `packtrace`, `unpackrequest`: the side that asks, and what it sends.

use libc::c_int;
use mlua_sys::{LUA_OK, LUA_TLIGHTUSERDATA, LUA_TNUMBER, lua_Integer};
use skynet_support::state::Shown;
use skynet_support::{State, lua_function};

use super::compression::{COMPRESSED, Unpacked};
use super::packet::{Address, Malformed, PART, Packet, Request, parts, read_request};
use super::{add, assembly};
use crate::block::{Block, OutOfMemory};
use crate::{arguments, protect};

/// `packrequest(address, session, block, size)`: the packet, the next session, and for a large message a table of the
/// packets that have to follow. Frees the block, also when address or session are refused.
pub fn packrequest(state: State<'_>) -> c_int {
    pack(state, false)
}

/// `packpush(address, session, block, size)`: `packrequest` for a message without an answer. Only a large one uses up the
/// session.
pub fn packpush(state: State<'_>) -> c_int {
    pack(state, true)
}

fn pack(state: State<'_>, is_push: bool) -> c_int {
    let block = state.to_userdata(3);
    if block.is_null() {
        state.error(c"Invalid request message");
    }
    let Ok(size) = u32::try_from(state.check_integer(4)) else {
        state.argument_error(4, c"size out of range");
    };
    let session = state.check_integer(2) as c_int;
    // SAFETY: who calls gives the block away; each way out frees it once, before anything can raise.
    let free = || unsafe { libc::free(block) };
    if session <= 0 {
        free();
        state.error_with(format_args!("Invalid request session {session}"));
    }
    let to = if state.kind(1) == LUA_TNUMBER {
        Address::Number(state.to_integer(1) as u32)
    } else {
        let Some(name) = state.to_bytes(1) else {
            free();
            let kind = state.type_name(state.kind(1));
            state.error_with(format_args!("name is not a string, it's a {kind}"));
        };
        if !(1..=255).contains(&name.len()) {
            free();
            let name = Shown(name);
            state.error_with(format_args!(
                "name length is invalid, must be between 1 and 255 characters: {name}"
            ));
        }
        Address::Name(name)
    };
    // SAFETY: the block has so many bytes.
    let message = unsafe { arguments::bytes(block, size as usize) };
    let number = session as u32;
    let mut packet = Packet::new();
    if message.len() < PART {
        let bytes = packet.request(to, if is_push { 0 } else { number }, message);
        free();
        state.push_bytes(bytes);
    } else {
        let large = Large {
            head: packet.large_request(to, number, size, is_push),
            session: number,
            message,
        };
        // Both results are made under protection, so that the block is freed whatever happens.
        let made = |function| protect::call(state, function, &raw const large) == LUA_OK;
        let is_made = made(lua_function!(unsafe head_of)) && made(lua_function!(unsafe parts_of));
        free();
        if !is_made {
            state.raise();
        }
    }
    state.push_integer(session.checked_add(1).unwrap_or(1).into());
    if (size as usize) < PART {
        return 2;
    }
    state.insert(-2);
    3
}

/// A message that goes in parts.
struct Large<'a> {
    head: &'a [u8],
    session: u32,
    message: &'a [u8],
}

/// Pushes the packet that announces a [`Large`].
fn head_of(state: State<'_>) -> c_int {
    state.push_bytes(large(state).head);
    1
}

/// The argument that `pack` passes, and keeps.
fn large(state: State<'_>) -> &Large<'_> {
    // SAFETY: it is nobody's but `pack`'s to call the two functions that use this.
    unsafe { &*state.to_userdata(1).cast::<Large>() }
}

/// Pushes a table of the parts of a [`Large`].
fn parts_of(state: State<'_>) -> c_int {
    let large = large(state);
    let count = large.message.len().div_ceil(PART);
    state.create_table(c_int::try_from(count).unwrap_or(0), 0);
    for (n, (part, last)) in parts(large.message).enumerate() {
        let mut packet = Packet::new();
        add(state, n + 1, packet.request_part(large.session, part, last));
    }
    1
}

/// `packtrace(tag)`: the packet that gives the next request a trace tag.
pub fn packtrace(state: State<'_>) -> c_int {
    let tag = state.check_bytes(1);
    if tag.len() > PART {
        state.error_with(format_args!("trace tag is too long : {}", tag.len()));
    }
    state.push_bytes(Packet::new().trace(tag));
    1
}

/// `unpackrequest(block, size [, assemblies])` or `unpackrequest(text)`: what a packet says, in this order; a message is a new
/// block of the caller's. A part of a message that `assemblies` has, by its session, is added to that: there is nil in its place.
///
/// | packet | results |
/// |---|---|
/// | a request | address, session, message, size |
/// | a push | address, 0, message, size, nil, true |
/// | a large one begins | address, session, nil, size, true, whether it is a push |
/// | a part | false, session, message, size, whether more follow |
/// | a trace tag | the tag |
pub fn unpackrequest(state: State<'_>) -> c_int {
    let packet = if state.kind(1) == LUA_TLIGHTUSERDATA {
        let Ok(size) = usize::try_from(state.check_integer(2)) else {
            state.argument_error(2, c"negative size");
        };
        // SAFETY: who passes an address and a size says that so many bytes are there.
        unsafe { arguments::bytes(state.to_userdata(1), size) }
    } else {
        state.check_bytes(1)
    };
    match packet.split_first() {
        Some((&COMPRESSED, body)) => {
            let mut unpacked = Unpacked::new();
            match unpacked.unpack(body) {
                Some(packet) => read(state, packet),
                None => state.error(c"Invalid compressed packet"),
            }
        }
        _ => read(state, packet),
    }
}

/// A packet that is not compressed.
fn read(state: State<'_>, packet: &[u8]) -> c_int {
    match read_request(packet) {
        Ok(request) => results(state, request),
        Err(malformed) => refuse(state, malformed, packet.len()),
    }
}

fn results(state: State<'_>, request: Request) -> c_int {
    match request {
        Request::Whole {
            to,
            session,
            message,
        } => {
            push_address(state, to);
            state.push_integer(session.into());
            push_message(state, message);
            if session != 0 {
                return 4;
            }
            state.push_nil();
            state.push_boolean(true);
            6
        }
        Request::Begin {
            to,
            session,
            size,
            push,
        } => {
            push_address(state, to);
            state.push_integer(session.into());
            state.push_nil();
            state.push_integer(size.into());
            state.push_boolean(true);
            state.push_boolean(push);
            6
        }
        Request::Part {
            session,
            part,
            more,
        } => {
            let added = match assembly::find(state, 3, session) {
                Some(assembly) => assembly.add(part),
                None => Ok(false),
            };
            state.push_boolean(false);
            state.push_integer(session.into());
            match added {
                Ok(false) => push_message(state, part),
                Ok(true) => {
                    state.push_nil();
                    state.push_integer(part.len() as lua_Integer);
                }
                Err(OutOfMemory) => state.error(c"not enough memory"),
            }
            state.push_boolean(more);
            5
        }
        Request::Trace(tag) => {
            state.push_bytes(tag);
            1
        }
    }
}

fn push_address(state: State<'_>, address: Address) {
    match address {
        Address::Number(handle) => state.push_integer(handle.into()),
        Address::Name(name) => state.push_bytes(name),
    }
}

/// Pushes a copy of the bytes, and their number. Raises only when there is no memory for them.
fn push_message(state: State<'_>, bytes: &[u8]) {
    match Block::copy_of(bytes).map(Block::into_raw) {
        Ok((block, size)) => {
            state.push_light(block);
            state.push_integer(size as lua_Integer);
        }
        Err(OutOfMemory) => {
            state.error(c"not enough memory");
        }
    }
}

fn refuse(state: State<'_>, malformed: Malformed, len: usize) -> ! {
    match malformed {
        Malformed::Empty => state.error(c"Invalid req package. size == 0"),
        Malformed::Short => state.error_with(format_args!("Invalid cluster message (size={len})")),
        Malformed::NotThirteen => state.error_with(format_args!(
            "Invalid cluster message size {len} (multi req must be 13)"
        )),
        Malformed::Part => state.error(c"Invalid cluster multi part message"),
        Malformed::Kind(kind) => {
            let kind = kind as i8; // signed, as ever
            state.error_with(format_args!("Invalid req package type {kind}"))
        }
    }
}
