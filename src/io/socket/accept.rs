//! Listening sockets: taking connections.

use super::addr::{Protocol, Text};
use super::event::EventKind;
use super::state::{Input, Phase, State};
use super::sys::{self, Errno};
use super::turn::{LoopIteration, TOO_MANY};
use std::fmt::Write;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::Ordering;

/// Connections taken from one socket before others get their turn. When as many in a row have failed, it is not for them.
const MAX_ACCEPTS: usize = 64;

impl LoopIteration<'_> {
    /// A listening socket gets its descriptor. It accepts after `start` only; until then connections wait in the kernel.
    pub(super) fn adopt_listener(&mut self, id: i32, fd: OwnedFd) {
        let slot = self.s.table.slot(id);
        if slot.state_of(id).is_none() {
            return;
        }
        if self.install(id, fd.as_raw_fd(), false, false).is_err() {
            self.fail(id, Text::from(TOO_MANY));
            return;
        }
        let raw = fd.into_raw_fd();
        slot.set_state(id, State::new(Phase::PreListen));
        let what = match sys::local_name(raw) {
            Ok(_) if !self.s.rules.tells_port => return,
            Ok(addr) => {
                let mut text = Text::new();
                let mut number = 0;
                if let Some(ip) = addr.ip() {
                    let _ = write!(text, "{ip}");
                    number = i32::from(addr.port());
                } else if addr.family() == libc::AF_UNIX {
                    text.append(b"unix");
                }
                EventKind::Open { text, number }
            }
            Err(e) => EventKind::Error(e.text()),
        };
        self.emit(id, what);
    }

    /// Takes the connections that wait, but lets other sockets get their turn: epoll reports the rest again.
    pub(super) fn accept_some(&mut self, id: i32) {
        let slot = self.s.table.slot(id);
        if !slot.reading.load(Ordering::Relaxed) {
            return;
        }
        let mut failures = 0;
        for _ in 0..MAX_ACCEPTS {
            match (self.s.accept)(slot.fd.load(Ordering::Relaxed)) {
                Ok((fd, peer)) => {
                    let _ =
                        sys::set_option(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
                    if !self.adopt_accepted(id, fd, peer.name()) {
                        self.rest(id, Text::from(TOO_MANY), "", true);
                        return;
                    }
                    if self.is_orphan(id) {
                        return;
                    }
                }
                Err(Errno(libc::EAGAIN)) => return,
                // The peer gave up, or the network did; the next one may be fine.
                Err(
                    e @ Errno(
                        libc::EINTR
                        | libc::ECONNABORTED
                        | libc::EPROTO
                        | libc::EPERM
                        | libc::ENETDOWN
                        | libc::ENOPROTOOPT
                        | libc::EHOSTDOWN
                        | libc::ENONET
                        | libc::EHOSTUNREACH
                        | libc::EOPNOTSUPP
                        | libc::ENETUNREACH,
                    ),
                ) => {
                    failures += 1;
                    if failures == MAX_ACCEPTS {
                        self.back_off(id, e);
                    }
                }
                Err(e) => {
                    self.back_off(id, e);
                    return;
                }
            }
        }
    }

    /// Makes a socket of an accepted connection. `false`: there is no room for it.
    fn adopt_accepted(&mut self, listener: i32, fd: OwnedFd, name: Text) -> bool {
        let table = &self.s.table;
        let from = table.slot(listener);
        let owner = from.owner.load(Ordering::Relaxed);
        let Some(id) = self.s.reserve_claimed(Protocol::Tcp, owner) else {
            return false;
        };
        if self.install(id, fd.as_raw_fd(), false, false).is_err() {
            // Gives the slot back without an event: no service knows the id yet.
            self.apply(id, Input::Orphaned, 0, None);
            self.work(table.slot(id));
            return false;
        }
        let _ = fd.into_raw_fd();
        let limit = from.limit.load(Ordering::Relaxed);
        table.slot(id).limit.store(limit, Ordering::Relaxed);
        table.slot(id).set_state(id, State::new(Phase::Accepted));
        from.read.fetch_add(1, Ordering::Relaxed);
        from.read_time.store(self.s.now(), Ordering::Relaxed);
        self.accepts_again(listener);
        self.emit(listener, EventKind::Accept { id, text: name });
        let slot = table.slot(id);
        if let Some(listener) = self.orphan.take() {
            // Then it has no service either.
            self.orphan = Some(id);
            self.work(slot);
            self.orphan = Some(listener);
        } else {
            // What was asked already is for another step: a thread that stops in it must not have the listener in its hands.
            self.s.leave_claim(slot);
        }
        true
    }
}
