//! The module `skynet.socketdriver`: sockets for the Lua layer.

mod address;
mod buffer;
mod info;
pub mod received;
mod send;

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::lua_Integer;
use skynet_support::state::Shown;
use skynet_support::{State, lua_functions, lua_module};

use crate::block::Block;
use crate::service::{self, service};
use crate::{Entry, listener};

const FREE: &[Entry] = lua_functions!(unsafe {
    c"buffer" => buffer::buffer,
    c"push" => buffer::push,
    c"pop" => buffer::pop,
    c"drop" => discard,
    c"readall" => buffer::readall,
    c"clear" => buffer::clear,
    c"readline" => buffer::readline,
    c"str2p" => str2p,
    c"header" => header,
    c"info" => info::info,
    c"unpack" => info::unpack,
});

/// Functions that have the service as their upvalue.
const BOUND: &[Entry] = lua_functions!(unsafe {
    c"connect" => connect,
    c"close" => close,
    c"shutdown" => shutdown,
    c"listen" => listen,
    c"send" => send::send,
    c"lsend" => send::lsend,
    c"bind" => bind,
    c"start" => start,
    c"pause" => pause,
    c"nodelay" => nodelay,
    c"udp" => udp,
    c"udp_connect" => udp_connect,
    c"udp_dial" => udp_dial,
    c"udp_listen" => udp_listen,
    c"udp_send" => send::udp_send,
    c"udp_address" => info::udp_address,
    c"resolve" => info::resolve,
});

lua_module!(unsafe luaopen_skynet_socketdriver => fn open);

/// Opens the module: pushes its table. The registry must hold the service as `skynet_context`.
fn open(state: State<'_>) -> c_int {
    service::open(state, BOUND, FREE)
}

/// Pushes a new socket, or raises `failure`.
fn opened(state: State<'_>, id: c_int, failure: &CStr) -> c_int {
    if id < 0 {
        state.error(failure);
    }
    state.push_integer(id.into());
    1
}

/// `connect(address [, port])`: a new socket that begins to connect, or -1 when there is no room for one.
fn connect(state: State<'_>) -> c_int {
    let (host, port) = address::check(state, 1);
    if port == 0 {
        state.error(c"Invalid port");
    }
    let id = service(state).connect(host, port);
    state.push_integer(id.into());
    1
}

/// Connections that wait to be accepted, unless `listen` says otherwise.
const BACKLOG: lua_Integer = 32;

/// `listen(address [, port [, backlog]])`: a new listening socket. With the port in the address, the second argument is
/// nil.
fn listen(state: State<'_>) -> c_int {
    let backlog = state.opt_integer(3, BACKLOG) as c_int;
    let (host, port) = address::check(state, 1);
    listener::prepare(state);
    // SAFETY: this thread's.
    unsafe { *libc::__errno_location() = 0 };
    let id = service(state).listen(host, port, backlog);
    if id < 0 {
        cannot_listen(state, host, port);
    }
    listener::made(state, id);
    state.push_integer(id.into());
    1
}

/// Raises, with what the system says in a second line: the core tells only that it failed, and leaves `errno` alone.
#[cold]
fn cannot_listen(state: State<'_>, host: &CStr, port: c_int) -> ! {
    let mut reason = [0; 128];
    let host = match host.to_bytes() {
        [] => "0.0.0.0".as_bytes(),
        host => host,
    };
    let host = Shown(host);
    // SAFETY: `reason` is written with an end within its length.
    let is_known = unsafe {
        let problem = *libc::__errno_location();
        problem != 0 && libc::strerror_r(problem, reason.as_mut_ptr().cast(), reason.len()) == 0
    };
    match CStr::from_bytes_until_nul(&reason) {
        Ok(reason) if is_known => state.error_with(format_args!(
            "Listen error\n\tlisten {host}:{port}: {}",
            Shown(reason.to_bytes())
        )),
        _ => state.error_with(format_args!("Listen error\n\tlisten {host}:{port}")),
    }
}

/// `bind(fd)`: a new socket for a descriptor of the process.
fn bind(state: State<'_>) -> c_int {
    let fd = state.check_integer(1) as c_int;
    let id = service(state).bind(fd);
    state.push_integer(id.into());
    1
}

/// `close(id)`: closes a socket once everything is sent.
fn close(state: State<'_>) -> c_int {
    service(state).close(state.check_integer(1) as c_int);
    0
}

/// `shutdown(id)`: closes a socket at once.
fn shutdown(state: State<'_>) -> c_int {
    service(state).shutdown(state.check_integer(1) as c_int);
    0
}

/// `start(id)`: lets the events of a socket in, to this service.
fn start(state: State<'_>) -> c_int {
    let id = state.check_integer(1) as c_int;
    listener::started(state, id);
    service(state).start(id);
    0
}

/// `pause(id)`: keeps what comes in out until `start`.
fn pause(state: State<'_>) -> c_int {
    service(state).pause(state.check_integer(1) as c_int);
    0
}

/// `nodelay(id)`: sends without delay from now on.
fn nodelay(state: State<'_>) -> c_int {
    service(state).nodelay(state.check_integer(1) as c_int);
    0
}

/// `udp([address [, port]])`: a new UDP socket, bound when there is an address.
fn udp(state: State<'_>) -> c_int {
    // What is no text is no address to bind, whatever else it is.
    let address = state.is_string(1).then(|| address::check(state, 1));
    let (host, port) = address.unzip();
    let id = service(state).udp(host, port.unwrap_or(0));
    opened(state, id, c"udp init failed")
}

/// `udp_connect(id, address [, port])`: sets where a UDP socket sends to.
fn udp_connect(state: State<'_>) -> c_int {
    let id = state.check_integer(1) as c_int;
    let (host, port) = address::check(state, 2);
    if service(state).udp_connect(id, host, port) != 0 {
        state.error(c"udp connect failed");
    }
    0
}

/// `udp_dial(address [, port])`: a new UDP socket that sends to an address.
fn udp_dial(state: State<'_>) -> c_int {
    let (host, port) = address::check(state, 1);
    let id = service(state).udp_dial(host, port);
    opened(state, id, c"udp dial host failed")
}

/// `udp_listen(address [, port])`: a new UDP socket, bound to an address.
fn udp_listen(state: State<'_>) -> c_int {
    let (host, port) = address::check(state, 1);
    let id = service(state).udp_listen(host, port);
    opened(state, id, c"udp listen host failed")
}

/// `drop(message, size)`: frees a block that was received.
fn discard(state: State<'_>) -> c_int {
    let message = state.to_userdata(1);
    state.check_integer(2);
    // SAFETY: who calls gives the block away.
    unsafe { libc::free(message) };
    0
}

/// `str2p(text)`: a copy of the string as a block of the C allocator, and its size.
fn str2p(state: State<'_>) -> c_int {
    let text = state.check_bytes(1);
    let Ok((block, size)) = Block::copy_of(text).map(Block::into_raw) else {
        state.error(c"not enough memory");
    };
    state.push_light(block);
    state.push_integer(size as lua_Integer);
    2
}

/// `header(bytes)`: the number that 1 to 4 bytes stand for, the highest first.
fn header(state: State<'_>) -> c_int {
    let bytes = state.check_bytes(1);
    if !(1..=4).contains(&bytes.len()) {
        state.error_with(format_args!("Invalid read {}", Shown(bytes)));
    }
    let number = bytes
        .iter()
        .fold(0, |sum, &byte| sum << 8 | lua_Integer::from(byte));
    state.push_integer(number);
    1
}
