//! The module `skynet.cluster.core`: the packets between the nodes of a cluster.

mod assembly;
pub mod compression;
pub mod packet;
mod parts;
mod request;
mod response;
mod traces;

use libc::c_int;
use mlua_sys::{LUA_TSTRING, lua_pushfstring};
use skynet_support::{State, lua_functions, lua_module};

use crate::arguments::message;
use crate::seri::has_pointer;
use crate::{Entry, arguments};

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"packrequest" => request::packrequest,
    c"packpush" => request::packpush,
    c"packtrace" => request::packtrace,
    c"unpackrequest" => request::unpackrequest,
    c"packresponse" => response::packresponse,
    c"unpackresponse" => response::unpackresponse,
    c"readresponse" => response::readresponse,
    c"compress" => compression::compress,
    c"largeanswer" => response::largeanswer,
    c"assembly" => assembly::assembly,
    c"finish" => assembly::finish,
    c"append" => parts::append,
    c"concat" => parts::concat,
    c"isname" => isname,
    c"haspointer" => haspointer,
    c"admittrace" => traces::admittrace,
    c"nodename" => nodename,
});

lua_module!(unsafe luaopen_skynet_cluster_core => FUNCTIONS);

/// Appends bytes as a string to the table at the top, as its element `n`.
fn add(state: State<'_>, n: usize, bytes: &[u8]) {
    state.push_bytes(bytes);
    state.raw_set_i(-2, n as i64);
}

/// `isname(address)`: true for a text that begins with `@`, else nothing.
fn isname(state: State<'_>) -> c_int {
    if state.to_bytes(1).and_then(<[u8]>::first) != Some(&b'@') {
        return 0;
    }
    state.push_boolean(true);
    1
}

/// `haspointer(message, size)` or `haspointer(string)`: whether `skynet.unpack` would make a light userdata of a part of it.
fn haspointer(state: State<'_>) -> c_int {
    let bytes = if state.kind(1) == LUA_TSTRING {
        state.check_bytes(1)
    } else {
        let (data, size) = message(state, 1);
        // SAFETY: who passes a message and its size says that so many bytes are there.
        unsafe { arguments::bytes(data, size) }
    };
    state.push_boolean(has_pointer(bytes));
    1
}

/// `nodename()`: a name for this process: host name, with `_` for all but printable ASCII, and process id.
fn nodename(state: State<'_>) -> c_int {
    let mut host = [0u8; 256];
    let size = host.len() - 1;
    // SAFETY: the host's name is written with at most so many bytes, and the last one stays a NUL.
    let is_known = unsafe { libc::gethostname(host.as_mut_ptr().cast(), size) } == 0;
    if !is_known {
        host[..7].copy_from_slice(b"noname\0");
    }
    for byte in host.iter_mut().take_while(|byte| **byte != 0) {
        if *byte <= b' ' || !byte.is_ascii() {
            *byte = b'_';
        }
    }
    // SAFETY: no precondition; a C string and a number, as the format has them.
    unsafe { lua_pushfstring(state.raw(), c"%s%d".as_ptr(), host.as_ptr(), libc::getpid()) };
    1
}
