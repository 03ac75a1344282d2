//! The module `skynet.netpack`: packets with a length in front, for gates.

pub mod splitter;

use std::ptr;

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_TUSERDATA, lua_Integer, lua_State, lua_createtable, lua_isuserdata, lua_newuserdatauv,
    lua_pushcclosure, lua_pushcfunction, lua_pushinteger, lua_pushlightuserdata, lua_pushlstring,
    lua_pushstring, lua_pushvalue, lua_rawlen, lua_replace, lua_setfield, lua_setmetatable,
    lua_settop, lua_touserdata, lua_type, lua_upvalueindex, luaL_argerror, luaL_checkinteger,
    luaL_checklstring, luaL_error, luaL_newmetatable,
};
use skynet_sys::{SocketMessage, socket_type};

use self::splitter::{Fed, HEADER, Splitter, single};
use crate::block::{Block, OutOfMemory};
use crate::{Entry, check_version, listener, register};

const FUNCTIONS: &[Entry] = &[
    (c"pop", pop),
    (c"pack", pack),
    (c"clear", clear),
    (c"tostring", tostring),
];

/// What `filter` calls an event: the upvalues of the function, from 1 on.
const KINDS: [&std::ffi::CStr; 7] = [
    c"data", c"more", c"error", c"open", c"close", c"warning", c"init",
];
const DATA: c_int = 1;
const MORE: c_int = 2;
const ERROR: c_int = 3;
const OPEN: c_int = 4;
const CLOSE: c_int = 5;
const WARNING: c_int = 6;
const INIT: c_int = 7;

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_netpack(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int + 2);
        register(state, FUNCTIONS, 0);
        for kind in KINDS {
            lua_pushstring(state, kind.as_ptr());
        }
        lua_pushcclosure(state, filter, KINDS.len() as c_int);
        lua_setfield(state, -2, c"filter".as_ptr());
        for kind in KINDS {
            lua_pushstring(state, kind.as_ptr());
        }
        lua_pushcclosure(state, feed_text, KINDS.len() as c_int);
        lua_setfield(state, -2, c"feed".as_ptr());
    }
    1
}

/// What is in the userdata.
struct Queue {
    /// The address of [`MARK`], by which a queue is told from other userdata without a look-up in the registry.
    mark: *const u8,
    splitter: Splitter,
}

static MARK: u8 = 0;

/// The queue at index 1; null for anything else, nil above all.
unsafe fn find(state: *mut lua_State) -> *mut Splitter {
    // SAFETY: called with a valid state; the mark is read only from a block that has room for it: the length of a light
    // userdata is 0.
    unsafe {
        let queue: *mut Queue = lua_touserdata(state, 1).cast();
        if queue.is_null() || lua_rawlen(state, 1) != size_of::<Queue>() {
            return ptr::null_mut();
        }
        if (&raw const (*queue).mark).read() != &raw const MARK {
            return ptr::null_mut();
        }
        &raw mut (*queue).splitter
    }
}

/// The queue at index 1, which is made when there is none.
unsafe fn find_or_create(state: *mut lua_State) -> *mut Splitter {
    // SAFETY: called by Lua; the userdata is complete before it gets the metatable whose `__gc` empties it.
    unsafe {
        let splitter = find(state);
        if !splitter.is_null() {
            return splitter;
        }
        let place: *mut Queue = lua_newuserdatauv(state, size_of::<Queue>(), 0).cast();
        place.write(Queue {
            mark: &raw const MARK,
            splitter: Splitter::default(),
        });
        if luaL_newmetatable(state, c"skynet.netpack.queue".as_ptr()) != 0 {
            lua_pushcfunction(state, clear);
            lua_setfield(state, -2, c"__gc".as_ptr());
        }
        lua_setmetatable(state, -2);
        lua_replace(state, 1);
        &raw mut (*place).splitter
    }
}

/// `clear(queue)`: forgets everything; also its `__gc`. Nil is a queue too.
unsafe extern "C-unwind" fn clear(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua. A finalizer that runs later may see the queue again, so it is emptied, not dropped.
    unsafe {
        if let Some(splitter) = find(state).as_mut() {
            *splitter = Splitter::default();
        }
    }
    0
}

/// Pushes a block that belongs to the caller of the function from now on, and its size.
unsafe fn give(state: *mut lua_State, block: Block) {
    let (base, size) = block.into_raw();
    // SAFETY: called by Lua; pushing these values raises nothing.
    unsafe {
        lua_pushlightuserdata(state, base);
        lua_pushinteger(state, size as lua_Integer);
    }
}

unsafe fn out_of_memory(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { luaL_error(state, c"not enough memory".as_ptr()) }
}

/// `filter(queue|nil, message, size)`: what a socket message means. The queue, which may be a new one, and unless nothing
/// has come to an end: the kind of the event and its values.
///
/// | kind | values |
/// |---|---|
/// | data | socket, packet, size |
/// | more | none; `pop` has the packets |
/// | open | new socket, address |
/// | close | socket |
/// | error | socket, text |
/// | warning | socket, KiB that wait |
/// | init | socket, address, port: it listens there; a client's, which has been started, has the text "start" |
///
/// There is no `init` for a gate that starts its listening socket without waiting for it: see [`listener`].
unsafe extern "C-unwind" fn filter(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the message is the core's, valid for the call, and its block is ours.
    unsafe {
        let message: *const SocketMessage = lua_touserdata(state, 2).cast();
        let size = luaL_checkinteger(state, 3);
        let text = usize::try_from(size).ok();
        let text = text.and_then(|size| size.checked_sub(size_of::<SocketMessage>()));
        let (false, Some(mut len)) = (message.is_null(), text) else {
            return luaL_error(state, c"Invalid socket message".as_ptr());
        };
        let SocketMessage {
            r#type,
            id,
            ud,
            buffer,
            ..
        } = *message;
        if r#type == socket_type::DATA {
            lua_settop(state, 1);
            return data(state, id, buffer.cast(), ud);
        }
        if !buffer.is_null() {
            // Nothing else has a use for it, and a text is not there.
            libc::free(buffer.cast());
            len = 0;
        }
        lua_settop(state, 1);
        let kind = |kind| lua_pushvalue(state, lua_upvalueindex(kind));
        let number = |number: c_int| lua_pushinteger(state, number.into());
        let text = || lua_pushlstring(state, message.add(1).cast(), len);
        match r#type {
            socket_type::CONNECT if !listener::told(state, id) => 1,
            socket_type::CONNECT => {
                kind(INIT);
                number(id);
                text();
                number(ud);
                5
            }
            socket_type::CLOSE => {
                end(state, id);
                kind(CLOSE);
                number(id);
                3
            }
            socket_type::ACCEPT => {
                kind(OPEN);
                number(ud);
                text();
                4
            }
            socket_type::ERROR => {
                end(state, id);
                kind(ERROR);
                number(id);
                text();
                4
            }
            socket_type::WARNING => {
                kind(WARNING);
                number(id);
                number(ud);
                4
            }
            _ => 1,
        }
    }
}

/// `feed(queue|nil, id, text)`: `filter` for bytes that did not come from a socket as they are, such as decrypted ones.
unsafe extern "C-unwind" fn feed_text(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the text is an argument until its copy is made.
    unsafe {
        let id = luaL_checkinteger(state, 2) as c_int;
        let mut len = 0;
        let text = luaL_checklstring(state, 3, &mut len);
        let Ok(size) = c_int::try_from(len) else {
            return luaL_argerror(state, 3, c"too long".as_ptr());
        };
        let base = libc::malloc(len.max(1));
        if base.is_null() {
            return out_of_memory(state);
        }
        libc::memcpy(base, text.cast(), len);
        lua_settop(state, 1);
        data(state, id, base, size)
    }
}

unsafe fn end(state: *mut lua_State, id: c_int) {
    // SAFETY: called by Lua.
    if let Some(splitter) = unsafe { find(state).as_mut() } {
        splitter.end(id);
    }
}

/// `filter` for bytes: `size` of them at `base`.
unsafe fn data(state: *mut lua_State, id: c_int, base: *mut c_void, size: c_int) -> c_int {
    // SAFETY: called by Lua with the queue alone on the stack. Blocks are values only where nothing raises.
    unsafe {
        let Ok(size) = usize::try_from(size) else {
            libc::free(base);
            return luaL_error(state, c"Invalid socket message".as_ptr());
        };
        let mut splitter = find(state);
        if splitter.is_null() && !whole(base, size) {
            splitter = find_or_create(state);
        }
        let packet = match feed(splitter, id, base, size) {
            Err(OutOfMemory) => return out_of_memory(state),
            Ok(Fed::Nothing) => return 1,
            Ok(Fed::Queued) => {
                lua_pushvalue(state, lua_upvalueindex(MORE));
                return 2;
            }
            Ok(Fed::One(packet)) => packet,
        };
        lua_pushvalue(state, lua_upvalueindex(DATA));
        lua_pushinteger(state, id.into());
        give(state, packet);
    }
    5
}

/// Whether the bytes are one packet, so that no queue is needed.
unsafe fn whole(base: *mut c_void, size: usize) -> bool {
    // SAFETY: by the contract of the message.
    !base.is_null() && unsafe { single(std::slice::from_raw_parts(base.cast(), size)) }.is_some()
}

/// Takes the block over. A null splitter stands for an empty one.
unsafe fn feed(
    splitter: *mut Splitter,
    id: c_int,
    base: *mut c_void,
    size: usize,
) -> Result<Fed, OutOfMemory> {
    // SAFETY: the block is ours by the contract of the message; the splitter is null or the queue's.
    unsafe {
        let block = Block::from_raw(base, size);
        match splitter.as_mut() {
            Some(splitter) => splitter.feed(id, block),
            None => Splitter::default().feed(id, block),
        }
    }
}

/// `pop(queue)`: the next packet: socket, block, size; nothing when there is none.
unsafe extern "C-unwind" fn pop(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let Some(splitter) = find(state).as_mut() else {
            return 0;
        };
        match splitter.take() {
            Ok(None) => 0,
            Ok(Some((id, packet))) => {
                lua_pushinteger(state, id.into());
                give(state, packet);
                3
            }
            Err(OutOfMemory) => out_of_memory(state),
        }
    }
}

/// `pack(text)` or `pack(block, size)`: a new block of the bytes with their length in front, and its size. The bytes stay
/// with the caller.
unsafe extern "C-unwind" fn pack(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the bytes are an argument, or the caller's by contract.
    unsafe {
        let (from, len): (*const c_void, lua_Integer) = if lua_isuserdata(state, 1) != 0 {
            let len = luaL_checkinteger(state, 2);
            if lua_type(state, 1) == LUA_TUSERDATA && len > lua_rawlen(state, 1) as lua_Integer {
                return luaL_argerror(state, 2, c"size out of the userdata".as_ptr());
            }
            (lua_touserdata(state, 1), len)
        } else {
            let mut len = 0;
            let text = luaL_checklstring(state, 1, &mut len);
            (text.cast(), len as lua_Integer)
        };
        let Ok(short) = u16::try_from(len) else {
            let reason = c"Invalid size (too long) of data : %d";
            return luaL_error(state, reason.as_ptr(), len as c_int);
        };
        if from.is_null() && len > 0 {
            return luaL_argerror(state, 1, c"null pointer".as_ptr());
        }
        let len = usize::from(short);
        let block: *mut u8 = libc::malloc(HEADER + len).cast();
        if block.is_null() {
            return out_of_memory(state);
        }
        block.cast::<[u8; HEADER]>().write(short.to_be_bytes());
        libc::memcpy(block.add(HEADER).cast(), from, len);
        lua_pushlightuserdata(state, block.cast());
        lua_pushinteger(state, (HEADER + len) as lua_Integer);
    }
    2
}

/// `tostring(block, size)`: the bytes as a string; frees the block.
unsafe extern "C-unwind" fn tostring(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the block is the caller's by contract.
    unsafe {
        let block = lua_touserdata(state, 1);
        let Ok(size) = usize::try_from(luaL_checkinteger(state, 2)) else {
            return luaL_argerror(state, 2, c"negative size".as_ptr());
        };
        if block.is_null() {
            lua_pushlstring(state, ptr::null(), 0);
        } else {
            lua_pushlstring(state, block.cast(), size);
            libc::free(block);
        }
    }
    1
}
