//! How far reading may be ahead of the services: what has been delivered waits in mailboxes, which have no end. So a stream
//! is not read while its owner has more than [`HIGH_WATERMARK`] bytes of it to handle, and the peer is held up by TCP. Of
//! datagrams, each counts for its [`weight`]: the system drops what comes while they are not read, as on a network that is
//! too slow.
//!
//! The I/O thread counts what it delivers, workers count it down when the callback gets it. Both decide with the same two
//! words, the I/O thread by "set `throttled`, then look at `ahead`", workers by "count `ahead` down, then look at `throttled`",
//! all sequentially consistent: one of the two sees the other, so a stream never stays throttled with nothing ahead.

use super::command::Command;
use super::server::SocketServer;
use super::slot::Slot;
use super::turn::LoopIteration;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};

/// Bytes of a stream that may wait to be handled before reading stops.
pub const HIGH_WATERMARK: usize = 512 * 1024;
/// Bytes at which it goes on.
pub const LOW_WATERMARK: usize = 128 * 1024;

/// What a datagram of so many bytes counts for: 30,000 small ones, or 8 MiB of large ones, may wait.
pub fn weight(len: usize) -> usize {
    (len + 256) / 16
}

impl LoopIteration<'_> {
    /// Counts what is about to be delivered.
    pub(super) fn count_ahead(&self, slot: &Slot, bytes: usize) {
        if self.counts {
            slot.ahead.fetch_add(bytes, SeqCst);
        }
    }

    /// Stops to read when too much waits. Whether it has.
    pub(super) fn throttle(&self, id: i32) -> bool {
        let slot = self.s.table.slot(id);
        if !self.counts || slot.ahead.load(Relaxed) <= HIGH_WATERMARK {
            return false;
        }
        slot.throttled.store(true, SeqCst);
        if slot.ahead.load(SeqCst) <= LOW_WATERMARK {
            // The owner was faster. If it took the mark off itself, it has posted a command for the kernel.
            slot.throttled.store(false, SeqCst);
            return false;
        }
        let told = self.tell_kernel(id);
        if !told {
            slot.throttled.store(false, SeqCst); // it is read on, and has to say so
        }
        told
    }

    /// Which events epoll shall report of a socket has changed: tells it so. False if that failed.
    pub(super) fn tell_kernel(&self, id: i32) -> bool {
        let slot = self.s.table.slot(id);
        let fd = slot.fd.load(Relaxed);
        let read = slot.reading.load(Relaxed) && !slot.throttled.load(SeqCst);
        fd >= 0
            && self
                .s
                .poller
                .change(fd, id, read, slot.writing.load(Relaxed))
                .is_ok()
    }
}

impl SocketServer {
    /// Any thread: the owner handles so many bytes of a stream, or a datagram of this weight, or never will.
    pub fn handled(&self, id: i32, bytes: usize) {
        let slot = self.shared.table.slot(id);
        if !slot.tag().is(id) {
            return;
        }
        // Of a socket that has just taken the slot over, some bytes too many may be counted down; never below nothing.
        let before = slot
            .ahead
            .fetch_update(SeqCst, SeqCst, |ahead| Some(ahead.saturating_sub(bytes)))
            .unwrap_or_default();
        if before.saturating_sub(bytes) <= LOW_WATERMARK
            && slot.throttled.load(SeqCst)
            && slot.throttled.swap(false, SeqCst)
        {
            self.shared.post(Command::ReadOn { id });
        }
    }
}
