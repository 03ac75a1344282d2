//! The core's C functions that services and Lua modules call, as "skynet.h" declares them.
//!
//! Nothing is linked: the symbols come from the executable, so a module built on this crate loads into any core with the
//! same C interface. Message memory is the C allocator's on both sides.
#![cfg_attr(not(test), no_std)]

pub mod block;
mod file;
mod harbor;
mod socket;

pub use harbor::*;
pub use socket::*;

use libc::{c_char, c_int, c_void};

/// `struct skynet_context`: a service, opaque.
#[repr(C)]
pub struct Context {
    _opaque: [u8; 0],
}

/// `skynet_cb` of "skynet.h": receives the messages of a service one at a time. A result of 0 lets the core free `msg`;
/// with anything else the service has taken it over.
pub type Callback = unsafe extern "C" fn(
    context: *mut Context,
    ud: *mut c_void,
    ty: c_int,
    session: c_int,
    source: u32,
    msg: *const c_void,
    sz: usize,
) -> c_int;

/// `PTYPE_TEXT`.
pub const PTYPE_TEXT: c_int = 0;
/// `PTYPE_RESPONSE`.
pub const PTYPE_RESPONSE: c_int = 1;
/// `PTYPE_CLIENT`.
pub const PTYPE_CLIENT: c_int = 3;
/// `PTYPE_SYSTEM`.
pub const PTYPE_SYSTEM: c_int = 4;
/// `PTYPE_HARBOR`.
pub const PTYPE_HARBOR: c_int = 5;
/// `PTYPE_SOCKET`.
pub const PTYPE_SOCKET: c_int = 6;
/// `PTYPE_ERROR`.
pub const PTYPE_ERROR: c_int = 7;
/// `PTYPE_TAG_DONTCOPY`: the core takes the data over, on every path.
pub const PTYPE_TAG_DONTCOPY: c_int = 0x10000;
/// `PTYPE_TAG_ALLOCSESSION`: the core makes up a session and returns it.
pub const PTYPE_TAG_ALLOCSESSION: c_int = 0x20000;
/// A full mailbox takes the message all the same: something has ended of which its receiver knows. The C core passes over it.
pub const PTYPE_TAG_ENDING: c_int = 0x40000;

unsafe extern "C" {
    /// Logs a line ("skynet.h"): printf's format, but exactly `"%*s"` takes (length, bytes). `context` may be null.
    pub fn skynet_error(context: *mut Context, format: *const c_char, ...);

    /// Runs a text command ("skynet.h"). The answer, null for none, lives until the context's next command.
    pub fn skynet_command(
        context: *mut Context,
        command: *const c_char,
        parm: *const c_char,
    ) -> *const c_char;

    /// Sends `size` bytes at `msg` ("skynet.h"): the session, or -1 (no such service), -2 (too large).
    pub fn skynet_send(
        context: *mut Context,
        source: u32,
        destination: u32,
        ty: c_int,
        session: c_int,
        msg: *mut c_void,
        size: usize,
    ) -> c_int;

    /// [`skynet_send`] to a name: `:hex`, `.local` or a global one.
    pub fn skynet_sendname(
        context: *mut Context,
        source: u32,
        destination: *const c_char,
        ty: c_int,
        session: c_int,
        msg: *mut c_void,
        size: usize,
    ) -> c_int;

    /// 1 when `handle` belongs to another node; its harbor id goes to `harbor` unless that is null.
    pub fn skynet_isremote(context: *mut Context, handle: u32, harbor: *mut c_int) -> c_int;

    /// The handle that `:hex` or `.name` stands for, 0 for none.
    pub fn skynet_queryname(context: *mut Context, name: *const c_char) -> u32;

    /// Sets what receives the messages of the service from now on; null drops them.
    pub fn skynet_callback(context: *mut Context, ud: *mut c_void, callback: Option<Callback>);

    /// Makes this service the one that gets the messages for other nodes ("skynet_harbor.h"); it does not keep the node
    /// alive.
    pub fn skynet_harbor_start(context: *mut Context);

    /// Hundredths of a second since the node started, plus the fraction of the wall clock's second at that time.
    pub fn skynet_now() -> u64;

    /// A new session of the service: positive, 1 again after 2^31-1 ("skynet_server.h").
    pub fn skynet_context_newsession(context: *mut Context) -> c_int;

    /// The handle of the service ("skynet_server.h").
    pub fn skynet_context_handle(context: *mut Context) -> u32;

    /// Sends a response with `session` to the service `handle` after `time` hundredths of a second, with 0 or less at once
    /// ("skynet_timer.h"). The session, or -1 when that is at once and there is no such service.
    pub fn skynet_timeout(handle: u32, time: c_int, session: c_int) -> c_int;

    /// The allocator of Lua states ("skynet_malloc.h"): realloc, and free for a new size of 0.
    pub fn skynet_lalloc(ptr: *mut c_void, old_size: usize, new_size: usize) -> *mut c_void;
}

// "malloc_hook.h": statistics of memory, and jemalloc's controls.
unsafe extern "C" {
    /// Bytes in use in the process; 0 where the allocator does not say.
    pub fn malloc_used_memory() -> usize;

    /// Blocks in use in the process.
    pub fn malloc_memory_block() -> usize;

    /// Bytes that the running service has allocated and not freed.
    pub fn malloc_current_memory() -> usize;

    /// Prints the allocator's statistics to stderr; `opts` may be null.
    pub fn memory_info_dump(opts: *const c_char);

    /// Reads a number of jemalloc's by name, and sets it unless `newval` is null.
    pub fn mallctl_int64(name: *const c_char, newval: *mut usize) -> usize;

    /// Reads a bool of jemalloc's by name, and sets it unless `newval` is null.
    pub fn mallctl_bool(name: *const c_char, newval: *mut bool) -> bool;

    /// Runs a command of jemalloc's; 0 or its error.
    pub fn mallctl_cmd(name: *const c_char) -> c_int;

    /// Writes the memory of each service to the error log.
    pub fn dump_c_mem();

    /// Pushes a table of the bytes of each service, by handle. `L` is a `lua_State`.
    pub fn dump_mem_lua(L: *mut c_void) -> c_int;
}
