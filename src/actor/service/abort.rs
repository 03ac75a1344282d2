//! The end of all services.

use super::context::{grab, retire, total};
use super::registry;
use crate::alloc::reclaim;
use crate::base::log;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};

static ABORTING: AtomicBool = AtomicBool::new(false);
/// The log service of an aborting node, which goes when it is the only one left; 0 before that.
static LAST_LOGGER: AtomicU32 = AtomicU32::new(0);

/// Whether all services are being ended: no service needs to be told then.
pub fn is_aborting() -> bool {
    ABORTING.load(Ordering::Relaxed)
}

/// Retires every service, those too that are launched meanwhile ("skynet_handle.h", `skynet_handle_retireall`).
/// The log service goes when the callbacks that still run have returned, and gets the messages that wait for it first, so
/// that a node tells why it ended.
pub fn abort_all() {
    ABORTING.store(true, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    let logger = log::reader();
    LAST_LOGGER.store(logger, Ordering::SeqCst);
    loop {
        let mut all = registry::all();
        all.retain(|&handle| handle != logger);
        if all.is_empty() {
            break;
        }
        for handle in all {
            retire(handle);
        }
    }
    // Either the count of the last other service sees the logger, or we see the count.
    if total() <= 1 {
        retire_last_logger();
    }
}

/// In an aborting node: ends the log service, which is the last one.
pub(super) fn retire_last_logger() {
    let logger = LAST_LOGGER.load(Ordering::SeqCst);
    if logger == 0 {
        return;
    }
    let guard = reclaim::enter();
    if let Some(context) = registry::find(&guard, logger) {
        context.drain_on_retire.store(true, Ordering::SeqCst);
    }
    drop(guard);
    retire(logger);
}

/// Ends the log service after it has had the messages that wait for it; returns when it has been released.
pub fn end_logger() {
    let logger = log::reader();
    let Some(service) = grab(logger) else {
        return;
    };
    service.drain_on_retire.store(true, Ordering::SeqCst);
    retire(logger);
    // Its consumer drops the table's reference after the last message.
    while service.refs.load(Ordering::Acquire) > 1 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
