//! "skynet_monitor.h".

use crate::diag::crash::contain;
use crate::diag::stuck::Monitor;

/// A monitor for one worker thread.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_monitor_new() -> *mut Monitor {
    contain("skynet_monitor_new", std::ptr::null_mut(), || {
        Box::into_raw(Box::new(Monitor::default()))
    })
}

/// Frees a monitor; NULL is fine.
///
/// # Safety
/// It comes from skynet_monitor_new and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_monitor_delete(sm: *mut Monitor) {
    contain("skynet_monitor_delete", (), || {
        if !sm.is_null() {
            // SAFETY: contract of this function.
            drop(unsafe { Box::from_raw(sm) });
        }
    })
}

/// Says which message the worker begins; 0, 0 that it has ended.
///
/// # Safety
/// `sm` comes from skynet_monitor_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_monitor_trigger(sm: *mut Monitor, source: u32, destination: u32) {
    contain("skynet_monitor_trigger", (), || {
        // SAFETY: contract of this function.
        if let Some(sm) = unsafe { sm.as_ref() } {
            sm.activity.trigger(source, destination);
        }
    })
}

/// Reports a message that was already running at the last check.
///
/// # Safety
/// `sm` comes from skynet_monitor_new.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_monitor_check(sm: *mut Monitor) {
    contain("skynet_monitor_check", (), || {
        // SAFETY: contract of this function.
        if let Some(sm) = unsafe { sm.as_ref() } {
            let _ = sm.check();
        }
    })
}
