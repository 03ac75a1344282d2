//! Listening sockets: taking connections, and backing off when descriptors run out, or the system refuses to give any.

use super::addr::Text;
use super::event::EventKind;
use super::state::{Input, Phase, State};
use super::sys::{self, Errno};
use super::turn::{LoopIteration, TOO_MANY};
use std::fmt::Write;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// A listening socket that does not accept for a while, because it cannot.
pub struct AcceptBackoff {
    until: Instant,
    delay: Duration,
    /// Accepting again, without success so far.
    retrying: bool,
}

/// Connections taken from one socket before others get their turn. When as many in a row have failed, it is not for them.
const MAX_ACCEPTS: usize = 64;
const FIRST_BACKOFF: Duration = Duration::from_millis(10);
const MAX_BACKOFF: Duration = Duration::from_secs(1);

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
        let Some(id) = table.reserve(
            super::addr::Protocol::Tcp,
            from.owner.load(Ordering::Relaxed),
        ) else {
            return false;
        };
        if self.install(id, fd.as_raw_fd(), false, false).is_err() {
            // Gives the slot back without an event: no service knows the id yet.
            self.apply(id, Input::Orphaned, 0, None);
            return false;
        }
        let _ = fd.into_raw_fd();
        let limit = from.limit.load(Ordering::Relaxed);
        table.slot(id).limit.store(limit, Ordering::Relaxed);
        table.slot(id).set_state(id, State::new(Phase::Accepted));
        from.read.fetch_add(1, Ordering::Relaxed);
        from.read_time.store(self.s.now(), Ordering::Relaxed);
        self.io.accept_backoffs.remove(&listener);
        self.emit(listener, EventKind::Accept { id, text: name });
        true
    }

    /// No connection can be taken. Services hear of it when the node has too much, of which they may close something.
    fn back_off(&mut self, id: i32, e: Errno) {
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
    fn rest(&mut self, id: i32, text: Text, advice: &str, tells: bool) {
        let now = Instant::now();
        let slot = self.s.table.slot(id);
        // The connection that could not be taken stays ready: epoll would report it in every wait, and the thread would spin.
        let _ = self
            .s
            .poller
            .change(slot.fd.load(Ordering::Relaxed), id, false, false);
        if let Some(backoff) = self.io.accept_backoffs.get_mut(&id) {
            backoff.delay = (backoff.delay * 2).min(MAX_BACKOFF);
            backoff.until = now + backoff.delay;
            backoff.retrying = false;
            return;
        }
        self.io.accept_backoffs.insert(
            id,
            AcceptBackoff {
                until: now + FIRST_BACKOFF,
                delay: FIRST_BACKOFF,
                retrying: false,
            },
        );
        self.report(format_args!(
            "socket-server error: can't accept on socket {id} ({}), pausing{advice}.",
            String::from_utf8_lossy(text.as_bytes())
        ));
        if tells {
            self.emit(id, EventKind::Error(text));
        }
    }

    /// Milliseconds until the next listening socket wants to try again; -1 without any.
    pub(super) fn accept_retry_timeout(&self) -> i32 {
        let next = self
            .io
            .accept_backoffs
            .values()
            .filter(|r| !r.retrying)
            .map(|r| r.until)
            .min();
        match next {
            None => -1,
            Some(t) => t
                .saturating_duration_since(Instant::now())
                .as_micros()
                .div_ceil(1000) as i32,
        }
    }

    /// Lets epoll report the listening sockets again whose time has come. They stay in the table until one accepts: a failure
    /// doubles the delay.
    pub(super) fn retry_due_accepts(&mut self) {
        if self.io.accept_backoffs.is_empty() {
            return;
        }
        let now = Instant::now();
        for (&id, backoff) in &mut self.io.accept_backoffs {
            if !backoff.retrying && backoff.until <= now {
                backoff.retrying = true;
                let slot = self.s.table.slot(id);
                let read = slot.reading.load(Ordering::Relaxed);
                let _ = self
                    .s
                    .poller
                    .change(slot.fd.load(Ordering::Relaxed), id, read, false);
            }
        }
    }

    /// A descriptor or a slot became free: no need to wait longer.
    pub(super) fn retry_accepts_early(&mut self) {
        if !self.io.accept_backoffs.is_empty() {
            let now = Instant::now();
            for backoff in self.io.accept_backoffs.values_mut() {
                backoff.until = now;
            }
        }
    }
}
