//! The config file of the executable, and the settings that the core takes from it.

#[cfg(feature = "lua")]
mod apply;
pub mod keys;
#[cfg(feature = "lua")]
mod limits;
#[cfg(feature = "lua")]
mod read;

use libc::{c_char, c_int};

#[cfg(feature = "lua")]
pub use apply::{Settings, apply};
#[cfg(feature = "lua")]
pub use read::{File, read, read_elsewhere};

/// `struct skynet_config` ("skynet_imp.h").
#[repr(C)]
pub struct Config {
    /// Number of workers, 1..=1024.
    pub thread: c_int,
    /// Id of this node among connected nodes, 0..=255; 0 is a node of its own.
    pub harbor: c_int,
    /// 0 turns CPU accounting off.
    pub profile: c_int,
    /// Pid file; null stays in the foreground.
    pub daemon: *const c_char,
    /// Where C services are: patterns with `?`, separated by `;`.
    pub module_path: *const c_char,
    /// The first service and its arguments.
    pub bootstrap: *const c_char,
    /// Argument of the log service; null is the standard output.
    pub logger: *const c_char,
    /// Module of the log service.
    pub logservice: *const c_char,
}
