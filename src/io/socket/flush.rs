//! Writing what is queued. Every function here runs on the owner of the socket's handoff lock.

use super::addr::Protocol;
use super::queue::WriteQueue;
use super::shared::Shared;
use super::slot::Slot;
use super::sys::{self, Errno};
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;

/// Most blocks that one writev takes.
const MAX_VECTOR: usize = 256;

/// System calls that one flush makes at most, so that a long queue does not hold up the other sockets.
const MAX_WRITES: usize = 32;

/// How a flush ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed {
    /// Nothing is left; `warned`: a WARNING had been raised since the queue was empty.
    Empty {
        /// See above.
        warned: bool,
    },
    /// The kernel has no room, or the rest has to wait for its turn.
    Blocked,
    /// A real error.
    Failed(Errno),
}

impl Shared {
    /// Writes as much of the queue as the kernel takes. The caller owns the handoff lock.
    pub fn flush_all(&self, slot: &Slot, id: i32) -> Flushed {
        self.flush(slot, id, MAX_WRITES)
    }

    pub(super) fn flush(&self, slot: &Slot, id: i32, writes: usize) -> Flushed {
        slot.corked.store(false, Ordering::Relaxed);
        if slot.overflowed.load(Ordering::Relaxed) {
            return Flushed::Blocked;
        }
        // SAFETY: the caller owns the handoff lock; the reference ends with this function.
        let Some(queue) = (unsafe { slot.queue() }) else {
            return Flushed::Empty { warned: false };
        };
        let fd = slot.fd.load(Ordering::Relaxed);
        let before = queue.bytes();
        let failed = if slot.protocol() == Protocol::Tcp {
            self.flush_stream(slot, queue, fd, writes)
        } else {
            self.flush_datagrams(slot, queue, fd, id, writes)
        };
        slot.backlog.store(queue.bytes(), Ordering::Relaxed);
        self.queued
            .fetch_sub(before - queue.bytes(), Ordering::Relaxed);
        match failed {
            Some(e) if e.is_temporary() => Flushed::Blocked,
            Some(e) => Flushed::Failed(e),
            None => {
                let warned = queue.reset_warning();
                // An idle socket keeps no queue.
                // SAFETY: `queue` is not used any more.
                unsafe { slot.queue() }.take();
                Flushed::Empty { warned }
            }
        }
    }

    fn flush_stream(
        &self,
        slot: &Slot,
        queue: &mut WriteQueue,
        fd: RawFd,
        writes: usize,
    ) -> Option<Errno> {
        for _ in 0..writes {
            if queue.is_empty() {
                return None;
            }
            let mut iov = [libc::iovec {
                iov_base: std::ptr::null_mut(),
                iov_len: 0,
            }; MAX_VECTOR];
            let n = queue.gather(&mut iov);
            // SAFETY: the entries describe blocks of the queue, which do not change meanwhile.
            match unsafe { sys::send_vectored(fd, &iov[..n]) } {
                Ok(written) => {
                    self.count_written(slot, written);
                    queue.advance(written);
                }
                Err(Errno(libc::EINTR)) => {}
                Err(e) => return Some(e),
            }
        }
        (!queue.is_empty()).then_some(Errno(libc::EAGAIN))
    }

    fn flush_datagrams(
        &self,
        slot: &Slot,
        queue: &mut WriteQueue,
        fd: RawFd,
        id: i32,
        writes: usize,
    ) -> Option<Errno> {
        for _ in 0..writes {
            let block = queue.front()?;
            let sent = match block.to.to_sock() {
                Some(addr) => sys::send_to(fd, block.rest(), &addr),
                None => Err(Errno(libc::EDESTADDRREQ)),
            };
            match sent {
                Ok(n) => self.count_written(slot, n),
                Err(Errno(libc::EINTR)) => continue,
                Err(e) if e.is_temporary() => return Some(e),
                // A datagram that cannot go is dropped, so that it does not hold up the others for ever.
                Err(e) => self.report_datagram(id, e),
            }
            drop(queue.pop());
        }
        (!queue.is_empty()).then_some(Errno(libc::EAGAIN))
    }

    /// Drops what is queued. The caller owns the handoff lock.
    pub fn discard(&self, slot: &Slot) {
        // SAFETY: the caller owns the handoff lock; the reference ends here.
        if let Some(queue) = unsafe { slot.queue() }.take() {
            self.queued.fetch_sub(queue.bytes(), Ordering::Relaxed);
        }
        slot.corked.store(false, Ordering::Relaxed);
        slot.backlog.store(0, Ordering::Relaxed);
    }

    /// I/O role, with the claim: whether bytes wait to be written, and not only for the end of a turn. `None`: a thread has the
    /// handoff lock.
    pub fn has_pending(&self, slot: &Slot) -> Option<bool> {
        if !self.try_enter(slot) {
            return None;
        }
        self.uncork(slot);
        // SAFETY: this thread owns the handoff lock; the reference ends here.
        let pending = unsafe { slot.queue() }
            .as_ref()
            .is_some_and(|q| !q.is_empty());
        self.leave(slot);
        Some(pending)
    }
}
