//! Reading: streams and datagrams.
//!
//! A socket with little traffic is read into one large buffer that all share, and a block of exactly the right size is
//! made of it: small messages cost no memory beyond their size, and one system call. A socket that moves much is read
//! straight into blocks whose size follows the traffic, without a copy.

use super::addr::{Protocol, UdpAddress};
use super::ahead;
use super::event::{EventKind, Received};
use super::state::Input;
use super::sys::{self, Errno};
use super::turn::LoopIteration;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;

/// Reads above this size make the next one go straight into a block (log2).
const DIRECT_FROM: u8 = 13;
/// Largest block that one read fills (log2).
const DIRECT_MAX: u8 = 18;
/// Full reads from one socket before others get their turn.
const MAX_READS: usize = 8;
/// Datagrams from one socket before others get their turn.
const MAX_DATAGRAMS: usize = 64;

impl LoopIteration<'_> {
    /// Reads what a socket has. `all`: up to the end of the stream, whatever it takes.
    pub(super) fn receive(&mut self, id: i32, all: bool) {
        if self.s.table.slot(id).protocol() == Protocol::Tcp {
            self.receive_stream(id, all);
        } else {
            self.receive_datagrams(id);
        }
    }

    fn receive_stream(&mut self, id: i32, all: bool) {
        let slot = self.s.table.slot(id);
        let fd = slot.fd.load(Ordering::Relaxed);
        let mut left = MAX_READS;
        loop {
            let hint = slot.hint.load(Ordering::Relaxed);
            let result = if hint == 0 {
                self.read_shared(fd)
            } else {
                Self::read_direct(fd, hint)
            };
            let (data, hint, full) = match result {
                Ok(Some(r)) => r,
                Ok(None) => {
                    self.end_of_stream(id);
                    return;
                }
                Err(e) if e.is_temporary() => return,
                Err(e) => {
                    self.record_error(id, e.text());
                    return;
                }
            };
            slot.hint.store(hint, Ordering::Relaxed);
            slot.errors.store(0, Ordering::Relaxed);
            slot.read.fetch_add(data.len() as u64, Ordering::Relaxed);
            self.bytes += data.len();
            slot.read_time.store(self.s.now(), Ordering::Relaxed);
            self.count_ahead(slot, data.len());
            self.emit(id, EventKind::Data(data));
            left -= 1;
            // A short read has emptied the socket; anything newer is reported by the next wait.
            if self.is_orphan(id) || !(all || full && left > 0) {
                self.throttle(id);
                return;
            }
            if !all && self.throttle(id) {
                return;
            }
            left = left.max(1);
        }
    }

    /// The bytes, the next hint, and whether there may be more; `None` at the end of the stream.
    fn read_shared(&mut self, fd: RawFd) -> Result<Option<(Received, u8, bool)>, Errno> {
        let room = self.scratch();
        // SAFETY: the scratch buffer has this length.
        let n = unsafe { sys::receive(fd, room.as_mut_ptr().cast(), room.len()) }?;
        if n == 0 {
            return Ok(None);
        }
        let hint = if n > 1 << (DIRECT_FROM - 1) {
            (n.next_power_of_two().ilog2() as u8).max(DIRECT_FROM)
        } else {
            0
        };
        Ok(Some((Received::copy_of(&room[..n]), hint, n == room.len())))
    }

    /// The peer sends nothing more.
    pub(super) fn end_of_stream(&mut self, id: i32) {
        let slot = self.s.table.slot(id);
        let pending = self.s.has_pending(slot);
        let input = Input::EndOfStream {
            pending: pending.unwrap_or_default(),
        };
        match pending {
            Some(_) => self.apply(id, input, 0, None),
            None => self.park(id, input, 0, None),
        }
    }

    fn read_direct(fd: RawFd, hint: u8) -> Result<Option<(Received, u8, bool)>, Errno> {
        let size = 1usize << hint;
        let mut data = Received::with_room(size);
        // SAFETY: the block has room for this many bytes.
        let n = unsafe { sys::receive(fd, data.as_mut_ptr(), size) }?;
        if n == 0 {
            return Ok(None);
        }
        if n == size {
            data.set_len(n);
            return Ok(Some((data, (hint + 1).min(DIRECT_MAX), true)));
        }
        if n > size / 4 * 3 {
            data.set_len(n);
        } else {
            data.shrink(n);
        }
        let hint = match n < size / 2 {
            true if hint <= DIRECT_FROM => 0,
            true => hint - 1,
            false => hint,
        };
        Ok(Some((data, hint, false)))
    }

    fn receive_datagrams(&mut self, id: i32) {
        let slot = self.s.table.slot(id);
        let fd = slot.fd.load(Ordering::Relaxed);
        for _ in 0..MAX_DATAGRAMS {
            let (n, from) = match sys::receive_from(fd, self.scratch()) {
                Ok(r) => r,
                Err(e) if e.is_temporary() => break,
                Err(e) => {
                    self.fail(id, e.text());
                    return;
                }
            };
            slot.errors.store(0, Ordering::Relaxed);
            slot.read.fetch_add(n as u64, Ordering::Relaxed);
            self.bytes += n;
            slot.read_time.store(self.s.now(), Ordering::Relaxed);
            let Some(from) =
                UdpAddress::from_sock(&from).filter(|f| f.protocol() == slot.protocol())
            else {
                continue;
            };
            let data = Received::datagram(&self.scratch()[..n], &from);
            self.count_ahead(slot, ahead::weight(n));
            self.emit(id, EventKind::Udp(data));
            if self.is_orphan(id) {
                return;
            }
        }
        self.throttle(id);
    }
}
