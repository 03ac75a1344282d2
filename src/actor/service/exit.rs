//! How a service ends of its own will or by another's: the exit monitor is told first.

use super::{Context, retire, send_to};
use crate::base::log;
use crate::base::message::{Message, ptype};
use std::sync::atomic::{AtomicU32, Ordering};

/// The service that is told of every end (command MONITOR); 0 is none.
static EXIT_MONITOR: AtomicU32 = AtomicU32::new(0);

/// The service that is told; 0 if none is.
pub fn exit_monitor() -> u32 {
    EXIT_MONITOR.load(Ordering::Relaxed)
}

/// Tells `handle` of every end from now on; 0 is no service.
pub fn set_exit_monitor(handle: u32) {
    EXIT_MONITOR.store(handle, Ordering::Relaxed);
}

/// A service ends itself (command EXIT).
pub fn exit(context: &Context) {
    log::error(context.handle(), b"KILL self");
    end(context.handle());
}

/// Tells the exit monitor, then takes the handle away.
pub fn end(handle: u32) {
    let monitor = exit_monitor();
    if monitor != 0 {
        send_to(monitor, Message::empty(handle, ptype::CLIENT, 0));
    }
    retire(handle);
}
