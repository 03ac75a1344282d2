//! The wait of the socket thread, which holds nothing meanwhile.

use super::poller::Ready;
use super::shared::Shared;
use super::sys::Errno;
use super::turn::MAX_READY;
use std::thread;
use std::time::Duration;

/// When the system does not tell of events.
const AFTER_A_FAULT: Duration = Duration::from_millis(100);

/// What the socket thread waits with, while others may run turns.
pub struct Events {
    room: Vec<libc::epoll_event>,
    /// What is ready.
    pub ready: Vec<Ready>,
    /// Somebody has asked for the end of the wait.
    pub woken: bool,
}

impl Default for Events {
    /// None so far.
    fn default() -> Events {
        Events {
            room: vec![libc::epoll_event { events: 0, u64: 0 }; MAX_READY],
            ready: Vec::with_capacity(MAX_READY),
            woken: false,
        }
    }
}

impl Events {
    /// Waits for events, at most `timeout` milliseconds (-1: for ever).
    pub fn wait(&mut self, s: &Shared, timeout: i32) {
        match s
            .poller
            .look(&mut self.room, timeout, None, &mut self.ready)
        {
            Ok(woken) => self.woken |= woken,
            Err(e) => report_fault(s, e),
        }
    }

    /// Looks once more.
    pub fn renew(&mut self, s: &Shared) {
        if let Ok(woken) = s.poller.look(&mut self.room, 0, None, &mut self.ready) {
            self.woken |= woken;
        }
    }
}

/// A wait has failed.
pub(super) fn report_fault(s: &Shared, e: Errno) {
    if e.is_temporary() {
        return;
    }
    let text = e.text();
    let text = String::from_utf8_lossy(text.as_bytes());
    (s.report)(&format!("socket-server error: {text}"));
    // It will be the same the next time, and each of these is a line in the log.
    thread::sleep(AFTER_A_FAULT);
}
