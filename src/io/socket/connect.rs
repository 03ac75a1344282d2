//! Connecting: find the addresses, try one after the other.

use super::addr::{SockAddr, Text};
use super::command::Command;
use super::keepalive::KeepAlive;
use super::resolve::{self, Found};
use super::state::{Input, Phase, State};
use super::sys::{self, Errno};
use super::turn::{LoopIteration, TOO_MANY};
use std::ffi::CString;
use std::fmt::Write;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::sync::atomic::Ordering;

/// What is left to try for one socket.
#[derive(Default)]
pub struct Connecting {
    addresses: std::vec::IntoIter<SockAddr>,
    current: Option<SockAddr>,
    /// TCP_NODELAY was asked for before there was a descriptor.
    pub nodelay: bool,
    /// TCP keep-alive, if its owner has set it.
    pub keepalive: Option<KeepAlive>,
}

impl LoopIteration<'_> {
    /// Begins with the look-up of the host, on a thread of the resolver where it may take long.
    pub(super) fn start_connecting(&mut self, id: i32, host: CString, port: i32) {
        let slot = self.s.table.slot(id);
        if slot.state_of(id).is_none() {
            return;
        }
        // Remembered until there is a descriptor, as is a pause that comes before.
        slot.reading.store(true, Ordering::Relaxed);
        self.role(id).connecting = Some(Box::default());
        // A number needs no name server, so it needs no thread.
        match resolve::getaddrinfo(&host, port, libc::SOCK_STREAM, true) {
            Ok(found) => self.resolved(id, Ok(found)),
            Err(_) => {
                let shared = self.s.clone();
                self.s.resolver.look_up(host, port, move |found| {
                    shared.post(Command::Resolved { id, found })
                });
            }
        }
    }

    /// The look-up is over. The socket may have been closed meanwhile.
    pub(super) fn resolved(&mut self, id: i32, found: Found) {
        if self.s.table.slot(id).state_of(id).is_none() {
            return;
        }
        match found {
            Ok(addresses) => {
                let Some(connecting) = &mut self.role(id).connecting else {
                    return;
                };
                connecting.addresses = addresses.into_iter();
                self.try_next(id, Errno(libc::EADDRNOTAVAIL).text());
            }
            Err(text) => self.apply(id, Input::ConnectFailed, 0, Some(*text)),
        }
    }

    /// Tries the next address; without any left, `error` (of the last one) is what the owner hears.
    fn try_next(&mut self, id: i32, mut error: Text) {
        let slot = self.s.table.slot(id);
        loop {
            let keepalive = self.s.keepalive.get();
            let Some(connecting) = &mut self.role(id).connecting else {
                return;
            };
            let Some(addr) = connecting.addresses.next() else {
                break;
            };
            connecting.current = Some(addr);
            let fd = match sys::socket(addr.family(), libc::SOCK_STREAM, true) {
                Ok(fd) => fd,
                Err(e) => {
                    error = e.text();
                    continue;
                }
            };
            let _ = sys::set_option(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
            if let Some(times) = connecting.keepalive.or(keepalive) {
                times.apply(fd.as_raw_fd());
            }
            if connecting.nodelay {
                let _ = sys::set_option(fd.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
            }
            let connected = match sys::connect(fd.as_raw_fd(), &addr) {
                Ok(c) => c,
                Err(e) => {
                    error = e.text();
                    continue;
                }
            };
            // A connection that is under way, or has failed, is reported as room to write.
            if self
                .install(
                    id,
                    fd.as_raw_fd(),
                    slot.reading.load(Ordering::Relaxed),
                    !connected,
                )
                .is_err()
            {
                // The next address would meet the same.
                error = Text::from(TOO_MANY);
                break;
            }
            let _ = fd.into_raw_fd();
            if connected {
                self.established(id);
            } else if let Some(state) = slot.state_of(id) {
                slot.set_state(
                    id,
                    State {
                        phase: Phase::Connecting,
                        closing: state.closing,
                    },
                );
            }
            return;
        }
        self.apply(id, Input::ConnectFailed, 0, Some(error));
    }

    /// The kernel has events about a socket that connects.
    pub(super) fn check_connect(&mut self, id: i32) {
        let slot = self.s.table.slot(id);
        let fd = slot.fd.load(Ordering::Relaxed);
        match sys::pending_error(fd) {
            // Under way still: what was ready may be the descriptor before this one, if another thread has had the claim meanwhile.
            Ok(0) if !sys::has_room(fd) => {}
            Ok(0) => self.established(id),
            Ok(e) | Err(Errno(e)) => {
                // A socket that failed to connect cannot try again: the next address gets a new one.
                slot.fd.store(-1, Ordering::Relaxed);
                sys::close(fd);
                self.try_next(id, Errno(e).text());
            }
        }
    }

    fn established(&mut self, id: i32) {
        let slot = self.s.table.slot(id);
        // The peer may have closed again, and has no name then.
        let tried = self.role(id).connecting.take().and_then(|c| c.current);
        let peer = sys::peer_name(slot.fd.load(Ordering::Relaxed))
            .ok()
            .or(tried);
        let mut text = Text::new();
        if let Some(ip) = peer.and_then(|a| a.ip()) {
            let _ = write!(text, "{ip}");
        }
        self.apply(id, Input::Established, 0, Some(text));
        // Data that was sent before the connection stood; or just no interest in room to write any more.
        self.flush(id);
    }
}
