//! The module `skynet.multicast.core`: messages that many services read without copies.
//!
//! A publisher passes the address of a package inside of a message, so the message is a *handle*: a block that holds the
//! pointer and a seal. Receivers get copies of these bytes. A message of this type may also come from another node of a network
//! of harbors, with any bytes: only this process knows the seal.

mod package;
mod seal;

use std::ptr;

use libc::{c_int, c_void};
use mlua_sys::{
    lua_Integer, lua_State, lua_createtable, lua_pushinteger, lua_pushlightuserdata,
    luaL_checkinteger, luaL_error,
};

use crate::arguments::{address, message};
use crate::{Entry, check_version, register};
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
unsafe fn package(state: *mut lua_State, handle: *const Handle) -> *mut Package {
    // SAFETY: called by a function of Lua; the caller vouches for the size of the block.
    unsafe {
        let Handle { package, seal } = handle.read_unaligned();
        if seal != seal::of(package.addr()) {
            luaL_error(state, c"Invalid multicast package".as_ptr());
            unreachable!("an error was raised");
        }
        package
    }
}

const FUNCTIONS: &[Entry] = &[
    (c"pack", pack),
    (c"packremote", packremote),
    (c"unpack", unpack),
    (c"bind", bind),
    (c"close", close),
    (c"remote", remote),
    (c"nextid", nextid),
];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_multicast_core(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// The message in arguments 1 and 2.
unsafe fn data(state: *mut lua_State) -> (*mut c_void, u32) {
    // SAFETY: called by a function of Lua.
    unsafe {
        let (data, size) = message(state, 1);
        let Ok(size) = u32::try_from(size) else {
            luaL_error(state, c"Size should be 32bit integer".as_ptr());
            unreachable!("an error was raised");
        };
        (data, size)
    }
}

/// Pushes a new handle and its size. Takes `data`.
unsafe fn push_handle(state: *mut lua_State, data: *mut c_void, size: u32) -> c_int {
    // SAFETY: called by a function of Lua; the block is checked before it is written.
    unsafe {
        let handle = libc::malloc(size_of::<Handle>()).cast::<Handle>();
        if handle.is_null() {
            libc::free(data);
            return luaL_error(state, c"not enough memory".as_ptr());
        }
        handle.write(Handle::new(Package::new(data, size)));
        lua_pushlightuserdata(state, handle.cast());
        lua_pushinteger(state, size_of::<Handle>() as lua_Integer);
    }
    2
}

/// `pack(message, size)`: takes the message over; its handle, and the size of that.
unsafe extern "C-unwind" fn pack(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let (data, size) = data(state);
        push_handle(state, data, size)
    }
}

/// `packremote(message, size)`: like [`pack`], with a copy of the message.
unsafe extern "C-unwind" fn packremote(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the message is readable for `size` bytes by contract.
    unsafe {
        let (data, size) = data(state);
        let mut copy = ptr::null_mut();
        if size > 0 {
            copy = libc::malloc(size as usize);
            if copy.is_null() {
                return luaL_error(state, c"not enough memory".as_ptr());
            }
            ptr::copy_nonoverlapping(data.cast::<u8>(), copy.cast(), size as usize);
        }
        push_handle(state, copy, size)
    }
}

/// `unpack(handle, size)`: the package, its message and the size of that.
unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; a message of that size from the multicast service is a handle.
    unsafe {
        let handle = address::<Handle>(state, 1);
        let size = luaL_checkinteger(state, 2);
        if size != size_of::<Handle>() as lua_Integer {
            return luaL_error(
                state,
                c"Invalid multicast package size %d".as_ptr(),
                size as c_int,
            );
        }
        let package = package(state, handle);
        lua_pushlightuserdata(state, package.cast());
        lua_pushlightuserdata(state, (*package).data);
        lua_pushinteger(state, (*package).size.into());
    }
    3
}

/// `bind(handle, readers)`: so many readers will close the package, which is returned; frees the handle.
unsafe extern "C-unwind" fn bind(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the handle comes from `pack` or `packremote`.
    unsafe {
        let handle = address::<Handle>(state, 1);
        let readers = luaL_checkinteger(state, 2);
        if readers <= 0 || readers > i32::MAX.into() {
            return mlua_sys::luaL_argerror(state, 2, c"number of readers expected".as_ptr());
        }
        let package = package(state, handle);
        if !(*package).bind(readers as i32) {
            let text = c"Can't bind a multicast package more than once";
            return luaL_error(state, text.as_ptr());
        }
        libc::free(handle.cast());
        lua_pushlightuserdata(state, package.cast());
    }
    1
}

/// `close(package)`: a reader has done with it; the last one frees it.
unsafe extern "C-unwind" fn close(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; each reader closes a bound package once.
    unsafe {
        if let Closed::Unbound(count) = Package::close(address(state, 1)) {
            let text = c"Invalid multicast package reference %d";
            return luaL_error(state, text.as_ptr(), count);
        }
    }
    0
}

/// `remote(handle)`: the message and its size; frees the rest, so that the message can leave for another node.
unsafe extern "C-unwind" fn remote(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the handle comes from `pack` and was not given away.
    unsafe {
        let handle = address::<Handle>(state, 1);
        let package = package(state, handle);
        let size = (*package).size;
        let data = Package::take(package);
        libc::free(handle.cast());
        lua_pushlightuserdata(state, data);
        lua_pushinteger(state, size.into());
    }
    2
}

/// `nextid(channel)`: the next channel of the same node, whose harbor id is the lowest byte. Never negative as an int32.
unsafe extern "C-unwind" fn nextid(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let id = luaL_checkinteger(state, 1) as u32;
        lua_pushinteger(state, (id.wrapping_add(256) & 0x7fff_ffff).into());
    }
    1
}
