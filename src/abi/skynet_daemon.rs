//! "skynet_daemon.h".

use crate::diag::crash::contain;
use crate::node::daemon;
use libc::{c_char, c_int};
use std::ffi::CStr;

/// Moves the process into the background: the caller's process ends, the new one writes its id to pidfile and gives up its
/// standard input and outputs. Returns 0, or 1 after a message on stderr.
///
/// # Safety
/// `pidfile` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn daemon_init(pidfile: *const c_char) -> c_int {
    contain("daemon_init", 1, || {
        // SAFETY: contract of this function: a C string.
        match daemon::init(unsafe { CStr::from_ptr(pidfile) }) {
            Ok(()) => 0,
            Err(reason) => {
                eprintln!("{reason}");
                1
            }
        }
    })
}

/// Removes pidfile. Returns 0, or -1 with errno.
///
/// # Safety
/// `pidfile` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn daemon_exit(pidfile: *const c_char) -> c_int {
    // SAFETY: contract of this function: a C string.
    unsafe { libc::unlink(pidfile) }
}
