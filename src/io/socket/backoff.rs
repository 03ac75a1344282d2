//! Listening sockets that do not accept for a while, as descriptors have run out, or the system refuses to give any.
//!
//! When each tries again is in its slot (`retry_at`), and the first of these times in one word for all ([`Retries`]), which says
//! when to look through the slots. So nothing of it is in the hands of one thread.

use super::addr::Text;
use super::event::EventKind;
use super::slot::Slot;
use super::sys::Errno;
use super::turn::LoopIteration;
use crate::base::clock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

/// A listening socket that does not accept for a while, because it cannot.
pub struct AcceptBackoff {
    /// Milliseconds.
    delay: u64,
}

/// Milliseconds.
const FIRST_BACKOFF: u64 = 10;
const MAX_BACKOFF: u64 = 1000;

/// `retry_at` of a slot: it accepts, or tries to.
const NONE: u64 = 0;
/// Time of [`Retries`]: nothing to do.
const NEVER: u64 = u64::MAX >> 16;

/// See the module's documentation.
pub struct Retries {
    /// When to look, in milliseconds, and in the low bits a count of changes: who has looked sees whether there is something new.
    next: AtomicU64,
    /// Sockets that have failed to accept since they did last.
    sockets: AtomicUsize,
}

impl Default for Retries {
    fn default() -> Retries {
        Retries {
            next: AtomicU64::new(NEVER << 16),
            sockets: AtomicUsize::new(0),
        }
    }
}

impl Retries {
    /// No later than at this time.
    fn at_latest(&self, time: u64) {
        let _ = self.next.fetch_update(SeqCst, SeqCst, |next| {
            let count = next.wrapping_add(1) & 0xffff;
            Some((next >> 16).min(time) << 16 | count)
        });
    }

    /// A descriptor or a slot became free: no need to wait longer.
    pub fn at_once(&self) {
        if self.sockets.load(SeqCst) != 0 {
            self.at_latest(0);
        }
    }

    /// Milliseconds until there is something to do; -1 without.
    pub fn timeout(&self) -> i32 {
        match self.next.load(SeqCst) >> 16 {
            NEVER => -1,
            time => time.saturating_sub(now()) as i32,
        }
    }

    /// Whether any socket does not accept.
    pub fn are_some(&self) -> bool {
        self.sockets.load(SeqCst) != 0
    }
}

fn now() -> u64 {
    clock::monotonic_nanos() / 1_000_000
}

impl LoopIteration<'_> {
    /// No connection can be taken. Services hear of it when the node has too much, of which they may close something.
    pub(super) fn back_off(&mut self, id: i32, e: Errno) {
        let (advice, is_too_much) = match e.0 {
            libc::EMFILE => (". Raise the limit of open files (ulimit -n)", true),
            libc::ENFILE | libc::ENOBUFS | libc::ENOMEM => (". The machine has no more", true),
            _ => (
                ". A sandbox (seccomp) or a firewall refuses accept and accept4, or something else has closed the descriptor",
                false,
            ),
        };
        self.rest(id, e.text(), advice, is_too_much);
    }

    /// Stops accepting for a while; the connections wait in the kernel. Logged once, until accepting works again.
    pub(super) fn rest(&mut self, id: i32, text: Text, advice: &str, tells: bool) {
        let slot = self.s.table.slot(id);
        let fd = slot.fd.load(SeqCst);
        // The connection that could not be taken stays ready: epoll would report it in every wait, and the thread would spin.
        let _ = self.s.poller.change(fd, id, false, false);
        let backoff = &mut self.role(id).backoff;
        let again = backoff.is_some();
        let delay = match backoff {
            Some(backoff) => {
                backoff.delay = (backoff.delay * 2).min(MAX_BACKOFF);
                backoff.delay
            }
            None => {
                let delay = FIRST_BACKOFF;
                *backoff = Some(Box::new(AcceptBackoff { delay }));
                self.s.retries.sockets.fetch_add(1, SeqCst);
                delay
            }
        };
        let time = now() + delay;
        slot.retry_at.store(time, SeqCst);
        self.s.retries.at_latest(time);
        if !self.holds() {
            // Another thread runs the turns by now, and may be in a wait that is longer.
            self.s.poller.wake();
        }
        if again {
            return;
        }
        self.report(format_args!(
            "socket-server error: can't accept on socket {id} ({}), pausing{advice}.",
            String::from_utf8_lossy(text.as_bytes())
        ));
        if tells {
            self.emit(id, EventKind::Error(text));
        }
    }

    /// A listening socket has accepted, or is closed.
    pub(super) fn accepts_again(&mut self, id: i32) {
        if self.role(id).backoff.take().is_some() {
            self.s.table.slot(id).retry_at.store(NONE, SeqCst);
            self.s.retries.sockets.fetch_sub(1, SeqCst);
        }
    }

    /// Lets epoll report the listening sockets again whose time has come. Until one accepts, a failure doubles the delay.
    pub(super) fn retry_due_accepts(&mut self) {
        let s = self.s;
        let seen = s.retries.next.load(SeqCst);
        if seen >> 16 == NEVER {
            return;
        }
        let now = now();
        if seen >> 16 > now {
            return;
        }
        let early = seen >> 16 == 0;
        let mut next = NEVER;
        for slot in s.table.touched() {
            let time = slot.retry_at.load(SeqCst);
            if time == NONE {
                continue;
            }
            if !early && time > now {
                next = next.min(time);
            } else if slot.claim.try_enter() {
                self.retry(slot);
                self.work(slot);
            } else {
                next = next.min(now + 1);
            }
        }
        // If another thread has changed it meanwhile, the next turn looks again.
        let next = next << 16 | seen & 0xffff;
        let _ = s.retries.next.compare_exchange(seen, next, SeqCst, SeqCst);
    }

    fn retry(&self, slot: &Slot) {
        if slot.retry_at.swap(NONE, SeqCst) != NONE {
            let read = slot.reading.load(SeqCst);
            let (fd, id) = (slot.fd.load(SeqCst), slot.tag().id());
            let _ = self.s.poller.change(fd, id, read, false);
        }
    }
}
