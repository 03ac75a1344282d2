//! The module `skynet.netpack`: packets with a length in front, for gates.

pub mod splitter;

use std::ffi::CStr;
use std::slice;

use libc::c_int;
use mlua_sys::{LUA_TUSERDATA, lua_Integer, lua_upvalueindex};
use skynet_support::{State, lua_function, lua_functions, lua_module};
use skynet_sys::{SocketMessage, socket_type};

use self::splitter::{Fed, HEADER, Splitter, single};
use crate::block::{Block, OutOfMemory};
use crate::userdata::{self, Marked};
use crate::{Entry, arguments, listener};

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"pop" => pop,
    c"pack" => pack,
    c"clear" => clear,
    c"tostring" => tostring,
});

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

lua_module!(unsafe luaopen_skynet_netpack => fn open);

/// Opens the module: pushes its table.
fn open(state: State<'_>) -> c_int {
    state.push_module(FUNCTIONS);
    for kind in KINDS {
        state.push_text(kind);
    }
    state.push_closure(lua_function!(unsafe filter), KINDS.len() as c_int);
    state.set_field(-2, c"filter");
    for kind in KINDS {
        state.push_text(kind);
    }
    state.push_closure(lua_function!(unsafe feed_text), KINDS.len() as c_int);
    state.set_field(-2, c"feed");
    1
}

impl Marked for Splitter {
    const KIND: &'static CStr = c"skynet.netpack.queue";

    fn mark() -> *const u8 {
        static MARK: u8 = 0;
        &raw const MARK
    }
}

/// The queue at index 1; none for anything else, nil above all.
fn find(state: State<'_>) -> Option<&mut Splitter> {
    // SAFETY: the queue is an argument, so it outlives the call of the function; nothing here runs Lua code while the reference is used.
    unsafe { userdata::marked::<Splitter>(state, 1).as_mut() }
}

/// `clear(queue)`: forgets everything; also its `__gc`. Nil is a queue too.
fn clear(state: State<'_>) -> c_int {
    if let Some(splitter) = find(state) {
        *splitter = Splitter::default();
    }
    0
}

/// Pushes a block that belongs to the caller of the function from now on, and its size. Raises nothing.
fn give(state: State<'_>, block: Block) {
    let (base, size) = block.into_raw();
    state.push_light(base);
    state.push_integer(size as lua_Integer);
}

fn out_of_memory(state: State<'_>) -> ! {
    state.error(c"not enough memory")
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
fn filter(state: State<'_>) -> c_int {
    let message: *const SocketMessage = state.to_userdata(2).cast();
    let size = state.check_integer(3);
    let text = usize::try_from(size).ok();
    let text = text.and_then(|size| size.checked_sub(size_of::<SocketMessage>()));
    let (false, Some(mut len)) = (message.is_null(), text) else {
        state.error(c"Invalid socket message");
    };
    // SAFETY: who passes a socket message says that it is one of that size, of the core's, which is valid for the call.
    let &SocketMessage {
        r#type,
        id,
        ud,
        buffer,
        ..
    } = unsafe { &*message };
    if r#type == socket_type::DATA {
        state.set_top(1);
        let Ok(size) = usize::try_from(ud) else {
            // SAFETY: as below.
            unsafe { libc::free(buffer.cast()) };
            state.error(c"Invalid socket message");
        };
        // SAFETY: the block of a message is its receiver's.
        let block = unsafe { Block::from_raw(buffer.cast(), size) };
        return data(state, id, block);
    }
    if !buffer.is_null() {
        // Nothing else has a use for it, and a text is not there.
        // SAFETY: the block of a message is its receiver's.
        unsafe { libc::free(buffer.cast()) };
        len = 0;
    }
    state.set_top(1);
    let kind = |kind| state.push_copy(lua_upvalueindex(kind));
    let number = |number: c_int| state.push_integer(number.into());
    // SAFETY: the text of a message is behind it.
    let bytes = unsafe { slice::from_raw_parts(message.add(1).cast(), len) };
    let text = || state.push_bytes(bytes);
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

/// `feed(queue|nil, id, text)`: `filter` for bytes that did not come from a socket as they are, such as decrypted ones.
fn feed_text(state: State<'_>) -> c_int {
    let id = state.check_integer(2) as c_int;
    let text = state.check_bytes(3);
    if c_int::try_from(text.len()).is_err() {
        state.argument_error(3, c"too long");
    }
    let Ok(block) = Block::copy_of(text) else {
        out_of_memory(state);
    };
    state.set_top(1);
    data(state, id, block)
}

fn end(state: State<'_>, id: c_int) {
    if let Some(splitter) = find(state) {
        splitter.end(id);
    }
}

/// `filter` for bytes. The queue is alone on the stack.
fn data(state: State<'_>, id: c_int, block: Block) -> c_int {
    let packet = match feed(state, id, block) {
        Err(OutOfMemory) => out_of_memory(state),
        Ok(Fed::Nothing) => return 1,
        Ok(Fed::Queued) => {
            state.push_copy(lua_upvalueindex(MORE));
            return 2;
        }
        Ok(Fed::One(packet)) => packet,
    };
    state.push_copy(lua_upvalueindex(DATA));
    state.push_integer(id.into());
    give(state, packet);
    5
}

/// Takes the block over, into the queue, which is made when there is none and the block is not just one packet.
fn feed(state: State<'_>, id: c_int, block: Block) -> Result<Fed, OutOfMemory> {
    if let Some(splitter) = find(state) {
        return splitter.feed(id, block);
    }
    if single(block.bytes()).is_some() {
        return Splitter::default().feed(id, block);
    }
    // Raises for want of memory: then the block, which has no destructor here, is lost.
    let (base, size) = block.into_raw();
    let splitter = userdata::push_marked::<Splitter>(state, lua_function!(unsafe clear));
    state.replace(1);
    // SAFETY: the block is as it was; the queue is at index 1.
    unsafe { (*splitter).feed(id, Block::from_raw(base, size)) }
}

/// `pop(queue)`: the next packet: socket, block, size; nothing when there is none.
fn pop(state: State<'_>) -> c_int {
    let Some(splitter) = find(state) else {
        return 0;
    };
    match splitter.take() {
        Ok(None) => 0,
        Ok(Some((id, packet))) => {
            state.push_integer(id.into());
            give(state, packet);
            3
        }
        Err(OutOfMemory) => out_of_memory(state),
    }
}

fn packed(len: u16, bytes: &[u8]) -> Result<Block, OutOfMemory> {
    let mut block = Block::with_capacity(HEADER + bytes.len())?;
    // SAFETY: there is room for both.
    unsafe {
        block.append(&len.to_be_bytes());
        block.append(bytes);
    }
    Ok(block)
}

/// `pack(text)` or `pack(block, size)`: a new block of the bytes with their length in front, and its size. The bytes stay
/// with the caller.
fn pack(state: State<'_>) -> c_int {
    let (from, len) = if state.is_userdata(1) {
        let len = state.check_integer(2);
        if state.kind(1) == LUA_TUSERDATA && len > state.raw_len(1) as lua_Integer {
            state.argument_error(2, c"size out of the userdata");
        }
        (state.to_userdata(1).cast_const(), len)
    } else {
        let text = state.check_bytes(1);
        (text.as_ptr().cast(), text.len() as lua_Integer)
    };
    let Ok(short) = u16::try_from(len) else {
        state.error_with(format_args!(
            "Invalid size (too long) of data : {}",
            len as c_int
        ));
    };
    if from.is_null() && len > 0 {
        state.argument_error(1, c"null pointer");
    }
    // SAFETY: a string, a userdata that is as long, or what the caller says of an address.
    let bytes = unsafe { arguments::bytes(from, short.into()) };
    match packed(short, bytes) {
        Ok(block) => give(state, block),
        Err(OutOfMemory) => out_of_memory(state),
    }
    2
}

/// `tostring(block, size)`: the bytes as a string; frees the block.
fn tostring(state: State<'_>) -> c_int {
    let block = state.to_userdata(1);
    let Ok(size) = usize::try_from(state.check_integer(2)) else {
        state.argument_error(2, c"negative size");
    };
    // SAFETY: who calls gives the block of that size away.
    unsafe {
        state.push_bytes(arguments::bytes(block, size));
        libc::free(block);
    }
    1
}
