//! `packrequest`, `packpush`, `packtrace`, `unpackrequest`: the side that asks, and what it sends.

use std::slice;

use libc::c_int;
use mlua_sys::{
    LUA_OK, LUA_TLIGHTUSERDATA, LUA_TNUMBER, lua_Integer, lua_State, lua_createtable, lua_error,
    lua_pushboolean, lua_pushinteger, lua_pushlightuserdata, lua_pushnil, lua_tointegerx,
    lua_tolstring, lua_touserdata, lua_type, lua_typename, luaL_argerror, luaL_checkinteger,
    luaL_checklstring, luaL_error,
};

use super::assembly;
use super::compression::{COMPRESSED, Unpacked};
use super::packet::{Address, Malformed, PART, Packet, Request, parts, read_request};
use super::{add, push};
use crate::block::{Block, OutOfMemory};
use crate::protect;

/// `packrequest(address, session, block, size)`: the packet, the next session, and for a large message a table of the
/// packets that have to follow. Frees the block, also when address or session are refused.
pub unsafe extern "C-unwind" fn packrequest(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { pack(state, false) }
}

/// `packpush(address, session, block, size)`: `packrequest` for a message without an answer. Only a large one uses up the
/// session.
pub unsafe extern "C-unwind" fn packpush(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { pack(state, true) }
}

unsafe fn pack(state: *mut lua_State, is_push: bool) -> c_int {
    // SAFETY: called by Lua; the block is given away by contract, and freed before anything but `parts_of` can raise.
    unsafe {
        let block = lua_touserdata(state, 3);
        if block.is_null() {
            return luaL_error(state, c"Invalid request message".as_ptr());
        }
        let Ok(size) = u32::try_from(luaL_checkinteger(state, 4)) else {
            return luaL_argerror(state, 4, c"size out of range".as_ptr());
        };
        let session = luaL_checkinteger(state, 2) as c_int;
        if session <= 0 {
            libc::free(block);
            return luaL_error(state, c"Invalid request session %d".as_ptr(), session);
        }
        let to = if lua_type(state, 1) == LUA_TNUMBER {
            Address::Number(lua_tointegerx(state, 1, std::ptr::null_mut()) as u32)
        } else {
            let mut len = 0;
            let name = lua_tolstring(state, 1, &mut len);
            if name.is_null() {
                libc::free(block);
                let kind = lua_typename(state, lua_type(state, 1));
                let reason = c"name is not a string, it's a %s";
                return luaL_error(state, reason.as_ptr(), kind);
            }
            if !(1..=255).contains(&len) {
                libc::free(block);
                let reason = c"name length is invalid, must be between 1 and 255 characters: %s";
                return luaL_error(state, reason.as_ptr(), name);
            }
            Address::Name(slice::from_raw_parts(name.cast(), len))
        };
        let message = slice::from_raw_parts(block.cast::<u8>(), size as usize);
        let number = session as u32;
        let mut packet = Packet::new();
        if message.len() < PART {
            let bytes = packet.request(to, if is_push { 0 } else { number }, message);
            libc::free(block);
            push(state, bytes);
        } else {
            let mut large = Large {
                head: packet.large_request(to, number, size, is_push),
                session: number,
                message,
            };
            // Both results are made under protection, so that the block is freed whatever happens.
            let status = protect::call(state, head_of, (&raw mut large).cast());
            if status != LUA_OK || protect::call(state, parts_of, (&raw mut large).cast()) != LUA_OK
            {
                libc::free(block);
                lua_error(state);
            }
            libc::free(block);
        }
        lua_pushinteger(state, session.checked_add(1).unwrap_or(1).into());
        if (size as usize) < PART {
            return 2;
        }
        mlua_sys::lua_insert(state, -2);
    }
    3
}

/// A message that goes in parts.
struct Large<'a> {
    head: &'a [u8],
    session: u32,
    message: &'a [u8],
}

/// Pushes the packet that announces a [`Large`].
unsafe extern "C-unwind" fn head_of(state: *mut lua_State) -> c_int {
    // SAFETY: called by `pack` with the value, which it keeps alive.
    unsafe { push(state, (*lua_touserdata(state, 1).cast::<Large>()).head) };
    1
}

/// Pushes a table of the parts of a [`Large`].
unsafe extern "C-unwind" fn parts_of(state: *mut lua_State) -> c_int {
    // SAFETY: called by `pack` with the value, which it keeps alive.
    unsafe {
        let large: &Large = &*lua_touserdata(state, 1).cast();
        let count = large.message.len().div_ceil(PART);
        lua_createtable(state, c_int::try_from(count).unwrap_or(0), 0);
        for (n, (part, last)) in parts(large.message).enumerate() {
            let mut packet = Packet::new();
            add(state, n + 1, packet.request_part(large.session, part, last));
        }
    }
    1
}

/// `packtrace(tag)`: the packet that gives the next request a trace tag.
pub unsafe extern "C-unwind" fn packtrace(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the tag is an argument.
    unsafe {
        let mut len = 0;
        let tag = luaL_checklstring(state, 1, &mut len);
        if len > PART {
            return luaL_error(state, c"trace tag is too long : %d".as_ptr(), len as c_int);
        }
        let tag = slice::from_raw_parts(tag.cast::<u8>(), len);
        push(state, Packet::new().trace(tag));
    }
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
pub unsafe extern "C-unwind" fn unpackrequest(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the bytes are an argument or the caller's for the call.
    unsafe {
        let mut len = 0;
        let bytes: *const u8 = if lua_type(state, 1) == LUA_TLIGHTUSERDATA {
            let size = luaL_checkinteger(state, 2);
            let Ok(size) = usize::try_from(size) else {
                return luaL_argerror(state, 2, c"negative size".as_ptr());
            };
            len = size;
            lua_touserdata(state, 1).cast()
        } else {
            luaL_checklstring(state, 1, &mut len).cast()
        };
        let packet = if bytes.is_null() {
            &[]
        } else {
            slice::from_raw_parts(bytes, len)
        };
        match packet.split_first() {
            Some((&COMPRESSED, body)) => {
                let mut unpacked = Unpacked::new();
                match unpacked.unpack(body) {
                    Some(packet) => read(state, packet),
                    None => luaL_error(state, c"Invalid compressed packet".as_ptr()),
                }
            }
            _ => read(state, packet),
        }
    }
}

/// A packet that is not compressed.
unsafe fn read(state: *mut lua_State, packet: &[u8]) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        match read_request(packet) {
            Ok(request) => results(state, request),
            Err(malformed) => refuse(state, malformed, packet.len()),
        }
    }
}

unsafe fn results(state: *mut lua_State, request: Request) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        match request {
            Request::Whole {
                to,
                session,
                message,
            } => {
                push_address(state, to);
                lua_pushinteger(state, session.into());
                push_message(state, message);
                if session != 0 {
                    return 4;
                }
                lua_pushnil(state);
                lua_pushboolean(state, 1);
                6
            }
            Request::Begin {
                to,
                session,
                size,
                push,
            } => {
                push_address(state, to);
                lua_pushinteger(state, session.into());
                lua_pushnil(state);
                lua_pushinteger(state, size.into());
                lua_pushboolean(state, 1);
                lua_pushboolean(state, push.into());
                6
            }
            Request::Part {
                session,
                part,
                more,
            } => {
                let added = match assembly::find(state, 3, session).as_mut() {
                    Some(assembly) => assembly.add(part),
                    None => Ok(false),
                };
                lua_pushboolean(state, 0);
                lua_pushinteger(state, session.into());
                match added {
                    Ok(false) => push_message(state, part),
                    Ok(true) => {
                        lua_pushnil(state);
                        lua_pushinteger(state, part.len() as lua_Integer);
                    }
                    Err(OutOfMemory) => return luaL_error(state, c"not enough memory".as_ptr()),
                }
                lua_pushboolean(state, more.into());
                5
            }
            Request::Trace(tag) => {
                push(state, tag);
                1
            }
        }
    }
}

unsafe fn push_address(state: *mut lua_State, address: Address) {
    // SAFETY: called by Lua.
    unsafe {
        match address {
            Address::Number(handle) => lua_pushinteger(state, handle.into()),
            Address::Name(name) => push(state, name),
        }
    }
}

/// Pushes a copy of the bytes, and their number. Raises only when there is no memory for them.
unsafe fn push_message(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: called by Lua; pushing these values raises nothing.
    unsafe {
        match Block::copy_of(bytes).map(Block::into_raw) {
            Ok((block, size)) => {
                lua_pushlightuserdata(state, block);
                lua_pushinteger(state, size as lua_Integer);
            }
            Err(OutOfMemory) => {
                luaL_error(state, c"not enough memory".as_ptr());
            }
        }
    }
}

unsafe fn refuse(state: *mut lua_State, malformed: Malformed, len: usize) -> c_int {
    let len = c_int::try_from(len).unwrap_or(c_int::MAX);
    let (reason, number) = match malformed {
        Malformed::Empty => (c"Invalid req package. size == 0", 0),
        Malformed::Short => (c"Invalid cluster message (size=%d)", len),
        Malformed::NotThirteen => (
            c"Invalid cluster message size %d (multi req must be 13)",
            len,
        ),
        Malformed::Part => (c"Invalid cluster multi part message", 0),
        // A signed byte, as ever.
        Malformed::Kind(kind) => (c"Invalid req package type %d", (kind as i8).into()),
    };
    // SAFETY: called by Lua; the formats take one number or none.
    unsafe { luaL_error(state, reason.as_ptr(), number) }
}
