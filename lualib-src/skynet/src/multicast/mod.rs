//! The module `skynet.multicast.core`: messages that many services read without copies.
//!
//! A publisher passes the address of a package inside of a message, so the message is a *handle*: a block that holds the
//! pointer and a seal. Receivers get copies of these bytes. A message of this type may also come from another node of a network
//! of harbors, with any bytes: only this process knows the seal.

mod package;
mod seal;

use std::ptr;

use libc::{c_int, c_void};
use mlua_sys::lua_Integer;
use skynet_support::{State, lua_functions, lua_module};

use crate::Entry;
use crate::arguments::{self, address, message};
use crate::block::{Block, OutOfMemory};
use package::{Closed, Package};

/// The bytes of a message.
#[repr(C)]
#[derive(Clone, Copy)]
struct Handle {
    package: *mut Package,
    seal: u64,
}

impl Handle {
    fn new(package: *mut Package) -> Handle {
        Handle {
            package,
            seal: seal::of(package.addr()),
        }
    }
}

/// The package of a handle, or an error for bytes that `pack` and `packremote` have not made.
///
/// # Safety
/// The block has the size of a handle.
unsafe fn package(state: State<'_>, handle: *const Handle) -> *mut Package {
    // SAFETY: contract of this function.
    let Handle { package, seal } = unsafe { handle.read_unaligned() };
    if seal != seal::of(package.addr()) {
        state.error(c"Invalid multicast package");
    }
    package
}

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"pack" => pack,
    c"packremote" => packremote,
    c"unpack" => unpack,
    c"bind" => bind,
    c"close" => close,
    c"remote" => remote,
    c"nextid" => nextid,
});

lua_module!(unsafe luaopen_skynet_multicast_core => FUNCTIONS);

/// The message in arguments 1 and 2.
fn data(state: State<'_>) -> (*mut c_void, u32) {
    let (data, size) = message(state, 1);
    let Ok(size) = u32::try_from(size) else {
        state.error(c"Size should be 32bit integer");
    };
    (data, size)
}

/// Pushes a new handle and its size. Takes `data`.
fn push_handle(state: State<'_>, data: *mut c_void, size: u32) -> c_int {
    // SAFETY: the block is checked before it is written. Who passes a message gives its block away.
    let handle = unsafe {
        let handle = libc::malloc(size_of::<Handle>()).cast::<Handle>();
        if handle.is_null() {
            libc::free(data);
            state.error(c"not enough memory");
        }
        handle.write(Handle::new(Package::new(data, size)));
        handle
    };
    state.push_light(handle);
    state.push_integer(size_of::<Handle>() as lua_Integer);
    2
}

/// `pack(message, size)`: takes the message over; its handle, and the size of that.
fn pack(state: State<'_>) -> c_int {
    let (data, size) = data(state);
    push_handle(state, data, size)
}

/// `packremote(message, size)`: like [`pack`], with a copy of the message.
fn packremote(state: State<'_>) -> c_int {
    let (data, size) = data(state);
    if size == 0 {
        return push_handle(state, ptr::null_mut(), 0);
    }
    // SAFETY: who passes a message and its size says that so many bytes are there.
    let copy = Block::copy_of(unsafe { arguments::bytes(data, size as usize) });
    match copy.map(Block::into_raw) {
        Ok((copy, _)) => push_handle(state, copy, size),
        Err(OutOfMemory) => state.error(c"not enough memory"),
    }
}

/// `unpack(handle, size)`: the package, its message and the size of that.
fn unpack(state: State<'_>) -> c_int {
    let handle = address::<Handle>(state, 1);
    let size = state.check_integer(2);
    if size != size_of::<Handle>() as lua_Integer {
        state.error_with(format_args!(
            "Invalid multicast package size {}",
            size as c_int,
        ));
    }
    // SAFETY: a message of that size from the multicast service is a handle, and the package lives until its readers have closed it.
    let (package, fields) = unsafe {
        let package = package(state, handle);
        (package, &*package)
    };
    state.push_light(package);
    state.push_light(fields.data);
    state.push_integer(fields.size.into());
    3
}

/// `bind(handle, readers)`: so many readers will close the package, which is returned; frees the handle.
fn bind(state: State<'_>) -> c_int {
    let handle = address::<Handle>(state, 1);
    let readers = state.check_integer(2);
    if readers <= 0 || readers > i32::MAX.into() {
        state.argument_error(2, c"number of readers expected");
    }
    // SAFETY: the handle comes from `pack` or `packremote`, and is given away.
    let package = unsafe {
        let package = package(state, handle);
        if !(*package).bind(readers as i32) {
            state.error(c"Can't bind a multicast package more than once");
        }
        libc::free(handle.cast());
        package
    };
    state.push_light(package);
    1
}

/// `close(package)`: a reader has done with it; the last one frees it.
fn close(state: State<'_>) -> c_int {
    // SAFETY: each reader closes a bound package once.
    if let Closed::Unbound(count) = unsafe { Package::close(address(state, 1)) } {
        state.error_with(format_args!("Invalid multicast package reference {count}"));
    }
    0
}

/// `remote(handle)`: the message and its size; frees the rest, so that the message can leave for another node.
fn remote(state: State<'_>) -> c_int {
    let handle = address::<Handle>(state, 1);
    // SAFETY: the handle comes from `pack` or `packremote`, was bound by nobody, and is given away.
    let (data, size) = unsafe {
        let package = package(state, handle);
        let size = (*package).size;
        let data = Package::take(package);
        libc::free(handle.cast());
        (data, size)
    };
    state.push_light(data);
    state.push_integer(size.into());
    2
}

/// `nextid(channel)`: the next channel of the same node, whose harbor id is the lowest byte. Never negative as an int32.
fn nextid(state: State<'_>) -> c_int {
    let id = state.check_integer(1) as u32;
    state.push_integer((id.wrapping_add(256) & 0x7fff_ffff).into());
    1
}
