//! What other threads ask of the I/O thread ([`Command`]), done in a turn.

use super::addr::Text;
use super::command::Command;
use super::event::EventKind;
use super::keepalive::KeepAlive;
use super::ownerless;
use super::state::{Input, Phase, State};
use super::sys;
use super::turn::{LoopIteration, TOO_MANY};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::Ordering;

impl LoopIteration<'_> {
    /// Does what another thread has asked for.
    pub(super) fn execute(&mut self, command: Command) {
        match command {
            Command::Connect { id, host, port } => self.start_connecting(id, host, port),
            Command::Resolved { id, found } => self.resolved(id, found),
            Command::Listen { id, fd } => self.adopt_listener(id, fd),
            Command::Bind { id, fd } => self.adopt_bound(id, fd),
            Command::Udp { id, fd } => self.adopt_udp(id, fd),
            Command::Start { id, owner } => match self.s.table.slot(id).state_of(id) {
                Some(_) => {
                    self.apply(id, Input::Start, owner, None);
                    self.flush(id);
                }
                None => self.answer_caller(owner, id, Text::from("invalid socket")),
            },
            Command::Pause { id } => {
                let slot = self.s.table.slot(id);
                if slot.state_of(id).is_some()
                    && self
                        .watch(id, false, slot.writing.load(Ordering::Relaxed))
                        .is_err()
                {
                    self.emit(id, EventKind::Error(Text::from("enable read failed")));
                }
            }
            Command::ReadOn { id } => {
                if self.s.table.slot(id).state_of(id).is_some() {
                    self.tell_kernel(id);
                }
            }
            Command::Close { id, now, caller } => self.close(id, now, caller),
            Command::Abandoned { id, owner } => {
                let slot = self.s.table.slot(id);
                // Another service may have started it meanwhile.
                if let Some(state) = slot.state_of(id)
                    && slot.owner.load(Ordering::Relaxed) == owner
                    && ownerless::is_silent(slot, state.phase)
                {
                    self.orphan = Some(id);
                }
            }
            Command::NoDelay { id } => self.set_nodelay(id),
            Command::KeepAlive { id, times } => self.set_keepalive(id, times),
            Command::Flush { id } => {
                self.take_passed(id);
                self.flush(id);
            }
            Command::Warn { kib: 0, .. } if !self.s.rules.warning_ends => {}
            Command::Warn { id, kib } => self.emit_if_alive(id, EventKind::Warning(kib)),
            Command::Report { id, text } => self.emit_if_alive(id, EventKind::Error(text)),
            Command::Overflow { id, text } => self.fail(id, text),
            Command::Apply {
                id,
                input: Input::EndOfStream { .. },
                ..
            } => self.end_of_stream(id),
            Command::Apply {
                id,
                input,
                caller,
                text,
            } => self.apply(id, input, caller, text),
        }
    }

    /// `now`: without what is queued. `caller`: the service that hears of it.
    fn close(&mut self, id: i32, now: bool, caller: usize) {
        let slot = self.s.table.slot(id);
        if slot.state_of(id).is_none() {
            if !self.s.rules.close_is_told_once {
                self.tell(caller, id, EventKind::Close);
            }
            return;
        }
        let Some(pending) = self.s.has_pending(slot) else {
            self.parked = Some(Command::Close { id, now, caller });
            return;
        };
        if now {
            return self.apply(id, Input::Shutdown, caller, None);
        }
        self.apply(id, Input::Close { pending }, caller, None);
        if pending {
            // A socket that was not started has not tried to write yet.
            self.flush(id);
        }
    }

    /// For commands that a socket may not live to see.
    fn emit_if_alive(&mut self, id: i32, what: EventKind) {
        if self.s.table.slot(id).state_of(id).is_some() {
            self.emit(id, what);
        }
    }

    /// Ends a socket with an ERROR and without CLOSE; one that is closing ends in silence.
    pub(super) fn fail(&mut self, id: i32, text: Text) {
        let slot = self.s.table.slot(id);
        let Some(state) = slot.state_of(id) else {
            return;
        };
        // Read before the release: after it the slot may be another socket's.
        let owner = slot.owner.load(Ordering::Relaxed);
        self.apply(id, Input::Orphaned, 0, None);
        if self.parked.is_some() {
            self.parked = Some(Command::Overflow { id, text });
            return;
        }
        if !state.closing {
            self.emit_for(owner, id, EventKind::Error(text));
        }
    }

    /// A descriptor of the application's own. Its flags are changed after it is known to be one that epoll takes.
    fn adopt_bound(&mut self, id: i32, fd: RawFd) {
        let slot = self.s.table.slot(id);
        if slot.state_of(id).is_none() {
            return;
        }
        if self.install(id, fd, true, false).is_err() {
            self.fail(id, Text::from(TOO_MANY));
            return;
        }
        sys::set_nonblocking(fd);
        self.become_open(id, Phase::Bound);
        self.emit_if_alive(
            id,
            EventKind::Open {
                text: Text::from("binding"),
                number: 0,
            },
        );
        self.flush(id);
    }

    /// A UDP socket gets its descriptor: it is open at once, without an event.
    fn adopt_udp(&mut self, id: i32, fd: OwnedFd) {
        let slot = self.s.table.slot(id);
        if slot.state_of(id).is_none() {
            return;
        }
        if self.install(id, fd.as_raw_fd(), true, false).is_err() {
            self.fail(id, Text::from(TOO_MANY));
            return;
        }
        let _ = fd.into_raw_fd();
        self.become_open(id, Phase::Open);
        self.flush(id);
    }

    /// A reserved socket gets into use; one that was closed meanwhile only writes what it has.
    fn become_open(&self, id: i32, phase: Phase) {
        let slot = self.s.table.slot(id);
        let Some(state) = slot.state_of(id) else {
            return;
        };
        if state.closing {
            slot.set_state(
                id,
                State {
                    phase: Phase::ReadClosed,
                    closing: true,
                },
            );
            let _ = self.watch(id, false, false);
        } else {
            slot.set_state(id, State::new(phase));
        }
    }

    /// As `set_nodelay`.
    fn set_keepalive(&mut self, id: i32, times: KeepAlive) {
        let slot = self.s.table.slot(id);
        if let Some(connecting) = &mut self.role(id).connecting {
            connecting.keepalive = Some(times);
        }
        if slot.state_of(id).is_some() {
            times.apply(slot.fd.load(Ordering::Relaxed));
        }
    }

    /// Also before the connection stands: each address that is tried has a descriptor of its own.
    fn set_nodelay(&mut self, id: i32) {
        let slot = self.s.table.slot(id);
        if let Some(connecting) = &mut self.role(id).connecting {
            connecting.nodelay = true;
        }
        if slot.state_of(id).is_some() {
            let _ = sys::set_option(
                slot.fd.load(Ordering::Relaxed),
                libc::IPPROTO_TCP,
                libc::TCP_NODELAY,
                1,
            );
        }
    }
}
