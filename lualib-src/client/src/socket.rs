//! The module `client.socket`.

use std::ffi::CStr;
use std::io;
use std::net::Shutdown;
use std::thread;
use std::time::Duration;

use libc::c_int;
use skynet_support::state::Shown;
use skynet_support::{Entry, State, lua_functions, lua_module};

use crate::net::{self, Received};
use crate::stdin::{self, Line};

/// Bytes that are received at a time.
const ROOM: usize = 0x1000;

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"connect" => connect,
    c"recv" => recv,
    c"send" => send,
    c"shutdown" => shutdown,
    c"close" => close,
    c"usleep" => usleep,
    c"readstdin" => readstdin,
});

lua_module!(unsafe luaopen_client_socket => FUNCTIONS);

/// The text of an error of the system, cut to what has room. Plain data: it may be abandoned when the error is raised.
fn reason(error: io::Error) -> [u8; 128] {
    let mut text = [0; 128];
    // SAFETY: the text has room for its size, and its last byte stays 0.
    unsafe {
        let code = error.raw_os_error().unwrap_or(libc::EIO);
        libc::strerror_r(code, text.as_mut_ptr().cast(), text.len() - 1);
    }
    text
}

fn raise(state: State<'_>, error: io::Error) -> ! {
    let text = reason(error);
    let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
    state.error_with(format_args!("socket error: {}", Shown(text.to_bytes())))
}

/// `connect(host, port)`: a descriptor, once it is connected.
fn connect(state: State<'_>) -> c_int {
    let host = state.check_text(1);
    let port = state.check_integer(2);
    match try_connect(host, port) {
        Some(fd) => state.push_integer(fd.into()),
        None => {
            let host = Shown(host.to_bytes());
            state.error_with(format_args!("Connect {host} {} failed", port as c_int));
        }
    }
    1
}

fn try_connect(host: &CStr, port: i64) -> Option<c_int> {
    net::connect(host.to_str().ok()?, u16::try_from(port).ok()?).ok()
}

/// `close(fd)`: closes the connection.
fn close(state: State<'_>) -> c_int {
    net::close(state.check_integer(1) as c_int);
    0
}

/// `send(fd, text)`: sends all of it; waits while the other side does not read.
fn send(state: State<'_>) -> c_int {
    let fd = state.check_integer(1) as c_int;
    let bytes = state.check_bytes(2);
    match net::send(fd, bytes) {
        Ok(()) => 0,
        Err(error) => raise(state, error),
    }
}

/// `recv(fd)`: what has come, `""` when the other side has closed, nothing when nothing has come.
fn recv(state: State<'_>) -> c_int {
    let mut room = [0; ROOM];
    let fd = state.check_integer(1) as c_int;
    match net::receive(fd, &mut room) {
        Ok(Received::Nothing) => 0,
        Ok(Received::Bytes(len)) => {
            state.push_bytes(&room[..len]);
            1
        }
        Err(error) => raise(state, error),
    }
}

/// `usleep(time)`: sleeps for so many microseconds.
fn usleep(state: State<'_>) -> c_int {
    let time = state.check_number(1);
    thread::sleep(Duration::from_micros(time as u64));
    0
}

/// `readstdin()`: a line of the standard input, nothing when none has come. An error at the end of the input. The lines are
/// the process's: each goes to the first who asks.
fn readstdin(state: State<'_>) -> c_int {
    match stdin::next() {
        Line::Nothing => 0,
        Line::End => state.error(c"the standard input has ended"),
        Line::Text(line) => {
            // Where there is no memory for the string, the line is not freed.
            let line = Box::into_raw(line.into_boxed_slice());
            // SAFETY: the box is this function's.
            unsafe {
                state.push_bytes(&*line);
                drop(Box::from_raw(line));
            }
            1
        }
    }
}

/// `shutdown(fd, mode)`: ends one direction of the connection, `"r"` or `"w"`, or both.
fn shutdown(state: State<'_>) -> c_int {
    let fd = state.check_integer(1) as c_int;
    let mode = state.check_text(2);
    let (mut read, mut write) = (false, false);
    for &letter in mode.to_bytes() {
        match letter {
            b'r' => read = true,
            b'w' => write = true,
            other => state.error_with(format_args!("Invalid mode {}", Shown(&[other]))),
        }
    }
    let how = match (read, write) {
        (true, true) => Shutdown::Both,
        (true, false) => Shutdown::Read,
        (false, true) => Shutdown::Write,
        (false, false) => {
            state.error(c"mode should be r or/and w");
        }
    };
    net::shutdown(fd, how);
    0
}
