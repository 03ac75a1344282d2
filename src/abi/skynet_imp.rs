//! "skynet_imp.h".

use super::skynet_imp_any::start_untold;
use crate::base::panic::thread;
pub use crate::node::config::Config;

/// Runs a node; returns when its last service has ended. Ends the process with status 1 when the node cannot start.
/// Programs that include this header call `skynet_start_for` by this name.
///
/// # Safety
/// `config` is readable; its texts are C strings, `daemon` and `logger` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_start(config: *mut Config) {
    thread(|| {
        if !config.is_null() {
            // SAFETY: contract of this function.
            unsafe { start_untold(config) };
        }
    })
}
