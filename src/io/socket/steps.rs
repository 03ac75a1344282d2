//! What becomes of one socket in a turn: readiness and inputs are taken to the state machine ([`super::state`]), and what that says is done.
//! All of it under the socket's claim.

use super::addr::Text;
use super::buffer::{Ask, Block};
use super::command::Command;
use super::event::EventKind;
use super::flush::Flushed;
use super::handoff::Entry;
use super::poller::Ready;
use super::slot::Slot;
use super::state::{Actions, Input, Phase};
use super::sys::{self, Errno};
use super::turn::LoopIteration;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;

impl LoopIteration<'_> {
    /// Takes `input` to the state machine and does what it says, now or (if a thread is writing, and what it writes to is to end)
    /// when that thread has left the handoff lock: nothing is done then, and `parked` is set. `caller`: who asked for a start. `text`: of an error.
    /// Long because there is one arm for each thing that the state machine can say.
    pub(super) fn apply(&mut self, id: i32, input: Input, caller: usize, text: Option<Text>) {
        let slot = self.s.table.slot(id);
        let Some(state) = slot.state_of(id) else {
            return;
        };
        let (next, act) = self.s.rules.step(state, input);
        let ends_output = act.has(Actions::RELEASE) || act.has(Actions::SHUT_WRITE);
        if ends_output && !self.s.try_enter(slot) {
            return self.park(id, input, caller, text);
        }
        if act.has(Actions::REJECT_START) {
            self.answer_caller(caller, id, Text::from("socket closed"));
            return;
        }
        if act.has(Actions::READ_ON)
            && self
                .watch(id, true, slot.writing.load(Ordering::Relaxed))
                .is_err()
        {
            self.answer_caller(caller, id, Text::from("enable read failed"));
            return;
        }
        if act.has(Actions::RAISE_START) || act.has(Actions::RAISE_TRANSFER) {
            slot.owner.store(caller, Ordering::Relaxed);
        }
        // Before the release, after which the slot may be another socket's; the events come last, as services may act on
        // them at once, on other threads.
        let owner = slot.owner.load(Ordering::Relaxed);
        if act.has(Actions::RELEASE) {
            self.release(id, act.has(Actions::CLOSE_FD));
        } else if next != state {
            slot.set_state(id, next);
        }
        if act.has(Actions::READ_OFF) {
            let _ = self.watch(id, false, slot.writing.load(Ordering::Relaxed));
        }
        if act.has(Actions::SHUT_READ) {
            sys::shutdown(slot.fd.load(Ordering::Relaxed), libc::SHUT_RD);
        }
        if act.has(Actions::SHUT_WRITE) {
            // What is queued will never go out.
            self.s.discard(slot);
            self.s.leave(slot);
            let _ = self.watch(id, slot.reading.load(Ordering::Relaxed), false);
            sys::shutdown(slot.fd.load(Ordering::Relaxed), libc::SHUT_WR);
        }
        if act.has(Actions::RAISE_START) {
            self.emit_for(
                owner,
                id,
                EventKind::Open {
                    text: Text::from("start"),
                    number: 0,
                },
            );
        }
        if act.has(Actions::RAISE_TRANSFER) {
            self.emit_for(
                owner,
                id,
                EventKind::Open {
                    text: Text::from("transfer"),
                    number: 0,
                },
            );
        }
        if act.has(Actions::RAISE_CONNECT) {
            self.emit_for(
                owner,
                id,
                EventKind::Open {
                    text: text.unwrap_or(Text::new()),
                    number: 0,
                },
            );
        }
        if act.has(Actions::RAISE_ERROR) {
            self.emit_for(owner, id, EventKind::Error(text.unwrap_or(Text::new())));
        }
        if act.has(Actions::RAISE_CLOSE) {
            // Earlier releases told the service that closes, which need not be the owner.
            let asked = caller != 0 && !self.s.rules.close_is_told_once;
            self.emit_for(if asked { caller } else { owner }, id, EventKind::Close);
        }
    }

    /// Sets what the kernel shall tell; only remembered while there is no descriptor.
    pub(super) fn watch(&self, id: i32, read: bool, write: bool) -> Result<(), Errno> {
        let slot = self.s.table.slot(id);
        let (old_read, old_write) = (
            slot.reading.load(Ordering::Relaxed),
            slot.writing.load(Ordering::Relaxed),
        );
        if (old_read, old_write) == (read, write) {
            return Ok(());
        }
        slot.reading.store(read, Ordering::Relaxed);
        slot.writing.store(write, Ordering::Relaxed);
        let fd = slot.fd.load(Ordering::Relaxed);
        if fd < 0 {
            Ok(())
        } else {
            let read = read && !slot.throttled.load(Ordering::SeqCst);
            self.s.poller.change(fd, id, read, write)
        }
    }

    /// Gives a reserved socket its descriptor. An error leaves everything as it was.
    pub(super) fn install(&self, id: i32, fd: RawFd, read: bool, write: bool) -> Result<(), Errno> {
        let slot = self.s.table.slot(id);
        self.s.poller.add(fd, id, read, write)?;
        slot.reading.store(read, Ordering::Relaxed);
        slot.writing.store(write, Ordering::Relaxed);
        slot.fd.store(fd, Ordering::Relaxed);
        Ok(())
    }

    /// Lets go of everything a socket has. The caller owns the handoff lock, which is left by this.
    fn release(&mut self, id: i32, close_fd: bool) {
        let s = self.s;
        let slot = s.table.slot(id);
        self.role(id).connecting = None;
        self.accepts_again(id);
        s.discard(slot);
        s.totals.fold_totals(slot);
        // SAFETY: this thread owns the handoff lock; the reference ends here.
        unsafe { slot.peer() }.take();
        let fd = slot.fd.swap(-1, Ordering::Relaxed);
        if fd >= 0 {
            if close_fd {
                sys::close(fd);
            } else {
                s.poller.remove(fd);
            }
        }
        s.table.release(id);
        // Blocks that were handed over meanwhile name a socket that is gone, and are released.
        s.leave(slot);
        s.retries.at_once();
    }

    /// Writes what is queued, and sees to the consequences.
    pub(super) fn flush(&mut self, id: i32) {
        let slot = self.s.table.slot(id);
        let Some(state) = slot.state_of(id) else {
            return;
        };
        if !state.phase.writable() || self.parked.is_some() {
            return;
        }
        if !self.enter_or_ask(slot, id) {
            return;
        }
        let flushed = self.s.flush_all(slot, id);
        if let Flushed::Empty { warned: true } = flushed {
            // Through the queue, and before another writer may pass: the warnings that it ends may still be in there.
            self.s.post(Command::Warn { id, kib: 0 });
        }
        self.s.leave(slot);
        let reading = slot.reading.load(Ordering::Relaxed);
        match flushed {
            // Tells the owner if it cannot be watched: what is queued would wait for ever.
            Flushed::Blocked => {
                if self.watch(id, reading, true).is_err() {
                    self.emit(id, EventKind::Error(Text::from("enable write failed")));
                }
            }
            Flushed::Failed(e) => self.apply(id, Input::WriteFailed, 0, Some(e.text())),
            Flushed::Empty { .. } => {
                let disarmed = self.watch(id, reading, false);
                self.apply(id, Input::Drained, 0, None);
                if slot.state_of(id).is_none() || self.parked.is_some() {
                    return;
                }
                if disarmed.is_err() {
                    self.emit(id, EventKind::Error(Text::from("disable write failed")));
                }
            }
        }
    }

    /// Becomes the owner of the handoff lock. `false`: a thread is that, and the flush follows when it has left.
    fn enter_or_ask(&mut self, slot: &Slot, id: i32) -> bool {
        if self.s.try_enter(slot) {
            return true;
        }
        match slot
            .handoff
            .enter_or_hand_over(Block::asking(id, Ask::Flush))
        {
            Entry::Owner(_) => true,
            Entry::HandedOver => {
                // Else the kernel would report again and again what cannot be done now.
                let _ = self.watch(id, slot.reading.load(Ordering::Relaxed), false);
                false
            }
        }
    }

    /// If the last owner of the handoff lock has passed it on, sees to what was handed over, whatever has become of the socket.
    pub(super) fn take_passed(&mut self, id: i32) {
        let slot = self.s.table.slot(id);
        if slot.handoff.is_passed() && self.s.try_enter(slot) {
            self.s.leave(slot);
        }
    }

    /// To be done when the owner of the handoff lock has left it.
    pub(super) fn park(&mut self, id: i32, input: Input, caller: usize, text: Option<Text>) {
        self.parked = Some(Command::Apply {
            id,
            input,
            caller,
            text,
        });
    }

    pub(super) fn ready(&mut self, r: Ready) {
        let slot = self.s.table.slot(r.id);
        let Some(state) = slot.state_of(r.id) else {
            return;
        };
        match state.phase {
            Phase::Free | Phase::Reserved => return,
            Phase::Connecting => return self.check_connect(r.id),
            Phase::Listen => return self.accept_some(r.id),
            _ => {}
        }
        let reading =
            slot.reading.load(Ordering::Relaxed) && !slot.throttled.load(Ordering::SeqCst);
        let read = r.read && reading;
        // A paused stream that is over: what it still has is delivered before the end.
        let rest = r.hangup
            && !r.error
            && !read
            && matches!(state.phase, Phase::Open | Phase::WriteClosed);
        if read || rest {
            self.receive(r.id, rest);
        }
        if r.write && self.parked.is_none() {
            self.flush(r.id);
        }
        if read || rest || r.write {
            return;
        }
        if r.error {
            let text = match sys::pending_error(slot.fd.load(Ordering::Relaxed)) {
                Ok(0) => Text::from("Unknown error"),
                Ok(e) | Err(Errno(e)) => Errno(e).text(),
            };
            self.record_error(r.id, text);
        } else if r.hangup {
            self.apply(r.id, Input::Hangup, 0, None);
        }
    }

    /// An error of the descriptor. One that comes again without a successful read in between ends the socket, so that it
    /// cannot keep the thread busy.
    pub(super) fn record_error(&mut self, id: i32, text: Text) {
        let slot = self.s.table.slot(id);
        if slot.errors.fetch_add(1, Ordering::Relaxed) == 0 {
            self.apply(id, Input::Failed, 0, Some(text));
        } else {
            self.apply(id, Input::Hangup, 0, None);
        }
    }
}
