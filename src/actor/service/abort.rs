//! The end of all services.

use super::context::{grab, retire, total};
use super::registry;
use crate::alloc::reclaim;
use crate::base::log;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering, fence};
use std::time::{Duration, Instant};

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
    // Either the count of the last other service sees the logger, or this thread sees the count.
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

/// Returns when the log service has nothing to do, or does not get on: it takes longer than `for_one` for a message or
/// `for_all` altogether.
pub fn await_logger(for_one: Duration, for_all: Duration) {
    let Some(service) = grab(log::reader()) else {
        return;
    };
    let begin = Instant::now();
    let (mut taken, mut since) = (service.taken_out(), begin);
    while !service.is_retired() && since.elapsed() < for_one && begin.elapsed() < for_all {
        if let Some(idle) = service.try_own() {
            if let Some(mut busy) = idle.try_release() {
                // Whoever sent it relies on this to run it.
                busy.drain();
            }
            return;
        }
        std::thread::sleep(Duration::from_micros(200));
        let now = service.taken_out();
        if now != taken {
            (taken, since) = (now, Instant::now());
        }
    }
}

/// Gives the log service what waits for it, here.
///
/// # Safety
/// No worker runs until this returns, but for one in a callback of another service.
pub unsafe fn drain_logger() {
    if let Some(logger) = grab(log::reader()) {
        // SAFETY: contract of this function: nobody takes the token, if there is one.
        unsafe { logger.own() }.drain();
    }
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
        std::thread::sleep(Duration::from_millis(1));
    }
}
