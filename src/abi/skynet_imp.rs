//! "skynet_imp.h".

use crate::start;
pub use crate::start::Config;

/// Runs a node; returns when its last service has ended. Ends the process with status 1 when the node cannot start.
///
/// # Safety
/// `config` is readable; its texts are C strings, `daemon` and `logger` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_start(config: *mut Config) {
    // SAFETY: contract of this function.
    if let Some(config) = unsafe { config.as_ref() } {
        // SAFETY: contract of this function.
        unsafe { start::run(config) };
    }
}
