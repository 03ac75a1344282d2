//! `send`, `lsend`, `udp_send`, and the forms that the bytes to send may have.

use std::mem::MaybeUninit;

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TSTRING, LUA_TTABLE, LUA_TUSERDATA, lua_Integer, luaL_Buffer,
    luaL_addvalue, luaL_buffinit, luaL_pushresult,
};
use skynet_support::State;
use skynet_sys::{
    SOCKET_BUFFER_MEMORY, SOCKET_BUFFER_OBJECT, SOCKET_BUFFER_RAWPOINTER, SendBuffer,
    skynet_socket_sendbuffer, skynet_socket_sendbuffer_lowpriority, skynet_socket_udp_sendbuffer,
};

use crate::block::{Block, OutOfMemory};
use crate::service::service;

/// `send(id, data [, size])`: true if the socket is open. `data` is a string, a table of strings, a light userdata of
/// `size` bytes that is given away (without a size: an object of the host's), or a full userdata.
pub fn send(state: State<'_>) -> c_int {
    let id = state.check_integer(1) as c_int;
    let mut buffer = check(state, id, 2);
    // SAFETY: the invariant of `Service`, and of `check`.
    let failed = unsafe { skynet_socket_sendbuffer(service(state).context(), &mut buffer) };
    answer(state, failed)
}

/// `lsend(id, data [, size])`: [`send`] for what may wait until all else is sent.
pub fn lsend(state: State<'_>) -> c_int {
    let id = state.check_integer(1) as c_int;
    let mut buffer = check(state, id, 2);
    let context = service(state).context();
    // SAFETY: the invariant of `Service`, and of `check`.
    let failed = unsafe { skynet_socket_sendbuffer_lowpriority(context, &mut buffer) };
    answer(state, failed)
}

/// `udp_send(id, address, data [, size])`: sends a datagram to an address that `unpack` gave. True if the socket is open;
/// false for an address that is none.
pub fn udp_send(state: State<'_>) -> c_int {
    /// An address of no kind, which the core refuses: so the data is released there in this case too.
    static NOWHERE: [u8; 1] = [0];
    let id = state.check_integer(1) as c_int;
    let mut address = state.check_bytes(2);
    if !matches!(
        (address.first(), address.len()),
        (Some(1), 7..) | (Some(2), 19..)
    ) {
        address = &NOWHERE;
    }
    let mut buffer = check(state, id, 3);
    let (context, address) = (service(state).context(), address.as_ptr().cast());
    // SAFETY: the invariant of `Service`, and of `check`; the address is as long as its kind says.
    let failed = unsafe { skynet_socket_udp_sendbuffer(context, address, &mut buffer) };
    answer(state, failed)
}

/// Whether it was sent, by what the core says. Raises if there was no memory for what had to wait.
fn answer(state: State<'_>, failed: c_int) -> c_int {
    if failed == -2 {
        state.error(c"not enough memory");
    }
    state.push_boolean(failed == 0);
    1
}

/// The data at `index`, with a size behind it where the form has one. A block is given away to the core; the bytes of a string are
/// on the stack, and those of a userdata in it.
fn check(state: State<'_>, id: c_int, index: c_int) -> SendBuffer {
    let filled = |kind, buffer, sz| SendBuffer {
        id,
        r#type: kind,
        buffer,
        sz,
    };
    match state.kind(index) {
        LUA_TUSERDATA => {
            let room = state.raw_len(index);
            let size = if state.is_integer(index + 1) {
                usize::try_from(state.to_integer(index + 1)).unwrap_or(usize::MAX)
            } else {
                room
            };
            if size > room {
                state.argument_error(index + 1, c"size out of the userdata");
            }
            filled(SOCKET_BUFFER_RAWPOINTER, state.to_userdata(index), size)
        }
        LUA_TLIGHTUSERDATA => {
            let block = state.to_userdata(index);
            let size = if state.is_integer(index + 1) {
                state.to_integer(index + 1)
            } else {
                -1
            };
            match usize::try_from(size) {
                Ok(size) => filled(SOCKET_BUFFER_MEMORY, block, size),
                Err(_) => filled(SOCKET_BUFFER_OBJECT, block, usize::MAX),
            }
        }
        LUA_TTABLE => match join(state, index) {
            Some((block, size)) => filled(SOCKET_BUFFER_MEMORY, block, size),
            None => {
                let text = state.to_bytes(-1).unwrap_or_default();
                filled(SOCKET_BUFFER_RAWPOINTER, text.as_ptr().cast(), text.len())
            }
        },
        _ => {
            let text = state.check_bytes(index);
            filled(SOCKET_BUFFER_RAWPOINTER, text.as_ptr().cast(), text.len())
        }
    }
}

/// The strings of the sequence at `index`, as one: a block and its size; or none, and a string on the stack.
fn join(state: State<'_>, index: c_int) -> Option<(*mut c_void, usize)> {
    let Some(size) = plain_size(state, index) else {
        concat(state, index);
        return None;
    };
    match joined(state, index, size) {
        Ok(block) => Some(block.into_raw()),
        Err(OutOfMemory) => state.error(c"not enough memory"),
    }
}

/// Bytes of all strings, if the table is one that can be read twice with the same result and without an error.
fn plain_size(state: State<'_>, index: c_int) -> Option<usize> {
    if state.get_metatable(index) {
        state.pop(1);
        return None;
    }
    let mut size = 0;
    for n in 1.. {
        let kind = state.raw_get_i(index, n);
        if kind == LUA_TSTRING {
            size += state.raw_len(-1);
        }
        state.pop(1);
        match kind {
            LUA_TSTRING => {}
            LUA_TNIL => break,
            _ => return None,
        }
    }
    Some(size)
}

/// The strings of a table of [`plain_size`] `size`. Raises nothing, so the block cannot get lost.
fn joined(state: State<'_>, index: c_int, size: usize) -> Result<Block, OutOfMemory> {
    let mut block = Block::with_capacity(size)?;
    for n in 1.. {
        if block.len() == size {
            break;
        }
        state.raw_get_i(index, n);
        // SAFETY: the block has room for the strings that have been counted; no Lua code runs in between.
        unsafe { block.append(state.to_bytes(-1).unwrap_or_default()) };
        state.pop(1);
    }
    Ok(block)
}

/// Pushes the strings and numbers of any table, as one string.
fn concat(state: State<'_>, index: c_int) {
    let mut string = MaybeUninit::<luaL_Buffer>::uninit();
    // SAFETY: between the calls for the string the stack is where it has left it.
    unsafe {
        luaL_buffinit(state.raw(), string.as_mut_ptr());
        for n in 1 as lua_Integer.. {
            if state.get_i(index, n) == LUA_TNIL {
                state.pop(1);
                break;
            }
            state.check_bytes(-1);
            luaL_addvalue(string.as_mut_ptr());
        }
        luaL_pushresult(string.as_mut_ptr());
    }
}
