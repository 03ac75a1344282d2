//! One turn of the I/O thread: wait, do what was asked, see to the sockets that are ready.
//!
//! Each socket is worked on under its claim ([`super::claim`]), so more than one thread may do this at a time, although one at a time has the
//! right to ([`PollerLock`]): a thread that loses the right finishes the socket that it has in its hands, and leaves.

use super::addr::Text;
use super::command::Command;
use super::event::{Event, EventKind, Sink};
use super::poller::Ready;
use super::shared::Shared;
use super::slot::{Role, Slot};
use super::state::Input;
use crate::scheduler::poller_lock::{PollerLock, Right};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// The kernel's answer when the table (or epoll) is full, as services know it.
pub const TOO_MANY: &str = "reach skynet socket number limit";

/// Bytes that one read of a socket with little traffic can take, and the largest datagram.
pub const SCRATCH: usize = 64 * 1024;

/// Events that one wait can bring.
pub(super) const MAX_READY: usize = 256;

/// Events that one wait of a worker can bring.
pub const BRIEF_READY: usize = 32;

/// Bytes above which a turn counts as one that moves much.
pub const BULK: usize = 128 * 1024;

/// Commands of one socket in a row before others get their turn.
const MAX_COMMANDS: usize = 64;

/// What a turn reads into.
pub struct Scratch(pub [u8; SCRATCH]);

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch([0; SCRATCH])
    }
}

/// The state of one turn.
pub struct LoopIteration<'a> {
    pub(super) s: &'a Arc<Shared>,
    lock: &'a PollerLock,
    right: &'a Right,
    sink: &'a mut dyn Sink,
    scratch: Option<Box<Scratch>>,
    /// Of the socket that is worked on: an event has just failed to find its owner. It is about to be closed.
    pub(super) orphan: Option<i32>,
    /// Of the socket that is worked on: what cannot be done before another thread has left the handoff lock. Nothing else is done
    /// meanwhile.
    pub(super) parked: Option<Command>,
    delivered: usize,
    pub(super) bytes: usize,
    /// See [`Sink::counts`].
    pub(super) counts: bool,
    worked: bool,
    skipped: bool,
    exit: bool,
}

/// What a turn did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Events delivered.
    pub delivered: usize,
    /// Bytes received.
    pub bytes: usize,
    /// The server was told to end.
    pub exit: bool,
    /// A listening socket rests: something is to be done at a certain time, and not because of events.
    pub backing_off: bool,
    /// Nothing was done, as what is ready is in the hands of threads that do not go on. It would be so again at once.
    pub futile: bool,
}

impl<'a> LoopIteration<'a> {
    /// How long a thread that runs turns may wait, in milliseconds (-1: for ever), but not longer than `most`.
    pub fn timeout(s: &Shared, sink: &mut dyn Sink, most: Option<Duration>) -> i32 {
        if !s.agenda.fall_asleep() {
            return 0;
        }
        sink.falls_asleep();
        let most = most.map_or(-1, |most| most.as_millis() as i32);
        match s.retries.timeout() {
            rest if most < 0 || (0..most).contains(&rest) => rest,
            _ => most,
        }
    }

    /// A turn without a wait, for these events, until more than `bulk` bytes were received. Not much, where what it makes ready
    /// waits for its end. The caller has the poller lock (`right`), until another thread takes it away.
    pub fn for_events(
        s: &'a Arc<Shared>,
        (lock, right): (&'a PollerLock, &'a Right),
        sink: &'a mut dyn Sink,
        ready: &[Ready],
        bulk: usize,
    ) -> Done {
        let counts = sink.counts();
        let mut turn = LoopIteration {
            s,
            lock,
            right,
            sink,
            scratch: None,
            counts,
            orphan: None,
            parked: None,
            delivered: 0,
            bytes: 0,
            worked: false,
            skipped: false,
            exit: false,
        };
        turn.act(ready, bulk);
        if let Some(scratch) = turn.scratch.take() {
            s.scratch.put_back(scratch);
        }
        Done {
            delivered: turn.delivered,
            bytes: turn.bytes,
            exit: turn.exit,
            backing_off: s.retries.are_some(),
            futile: turn.skipped && !turn.worked,
        }
    }

    /// Does what was asked, and sees to the sockets that are ready, until more than `bulk` bytes were received.
    fn act(&mut self, ready: &[Ready], bulk: usize) {
        let s = self.s;
        // What was asked before that is done first. What is asked from now on is for the next turn, about: the sockets have theirs.
        let exit = s.agenda.is_exit_asked();
        let mut left = s.agenda.len() + 1;
        while left != 0
            && self.holds()
            && let Some(claimed) = s.agenda.pop()
        {
            left -= 1;
            self.worked = true;
            self.work(s.table.slot_of(claimed));
        }
        if exit && s.agenda.take_exit() {
            self.exit = true;
            self.tell(0, 0, EventKind::Exit);
        }
        for r in ready {
            let slot = s.table.slot(r.id);
            if !slot.claim.try_enter() {
                self.skipped = true;
                continue;
            }
            // With the claim: what another thread has done to the socket since it was ready, it has done with the right.
            if !self.holds() {
                s.leave_claim(slot);
                return;
            }
            self.worked = true;
            self.ready(*r);
            self.work(slot);
            if self.bytes > bulk {
                // The next wait reports the rest again.
                break;
            }
        }
        self.retry_due_accepts();
    }

    /// Whether this thread still has the right to run the turn. Shows that it goes on.
    pub(super) fn holds(&self) -> bool {
        self.lock.holds(self.right)
    }

    /// Sees to what was asked of a slot, whose claim this thread has, and gives the claim back.
    pub(super) fn work(&mut self, slot: &Slot) {
        let mut left = MAX_COMMANDS;
        loop {
            self.close_orphan();
            if self.parked.is_some() && self.hand_on_parked(slot) {
                return;
            }
            if left == 0 {
                return self.s.schedule(slot);
            }
            left -= 1;
            // SAFETY: this thread has the claim.
            let Some(command) = (unsafe { slot.claim.next() }) else {
                return;
            };
            self.execute(command);
        }
    }

    /// What is parked goes on when the owner of the handoff lock has left it. `false`: there is no owner any more.
    #[cold]
    fn hand_on_parked(&mut self, slot: &Slot) -> bool {
        if let Some(command) = self.parked.take() {
            // SAFETY: this thread has the claim.
            unsafe { slot.claim.put_back(command) };
        }
        slot.handoff.want()
    }

    /// What only the I/O role has of a socket's slot.
    #[allow(clippy::mut_from_ref)]
    pub(super) fn role(&self, id: i32) -> &mut Role {
        // SAFETY: functions of a turn work on a slot whose claim this thread has; its callers use one answer at a time.
        unsafe { self.s.table.slot(id).role() }
    }

    /// What is read into.
    pub(super) fn scratch(&mut self) -> &mut [u8] {
        let s = self.s;
        &mut self.scratch.get_or_insert_with(|| s.scratch.take()).0
    }

    /// Logs a line of the server itself.
    pub(super) fn report(&self, text: std::fmt::Arguments<'_>) {
        (self.s.report)(&text.to_string());
    }

    /// Sends an event to the owner of a socket; if that does not exist (any more), the socket is closed.
    pub(super) fn emit(&mut self, id: i32, what: EventKind) {
        let owner = self.s.table.slot(id).owner.load(Ordering::Relaxed);
        self.emit_for(owner, id, what);
    }

    /// As [`LoopIteration::emit`], for a socket that may be gone already.
    pub(super) fn emit_for(&mut self, owner: usize, id: i32, what: EventKind) {
        // A warning is advice: others may still write to a socket whose owner is gone.
        let advice = matches!(what, EventKind::Warning(_));
        self.delivered += 1;
        if !self.sink.deliver(Event { id, owner, what }) && !advice {
            self.orphan = Some(id);
        }
    }

    /// Not at once in `emit`: the caller is in the middle of something with the socket.
    fn close_orphan(&mut self) {
        let Some(id) = self.orphan.take() else { return };
        let slot = self.s.table.slot(id);
        // What is parked ends it too, or meets that again.
        if slot.state_of(id).is_some() && self.parked.is_none() {
            let owner = slot.owner.load(Ordering::Relaxed);
            self.report(format_args!(
                "socket-server : socket {id} closed, its owner :{owner:08x} is gone."
            ));
            self.apply(id, Input::Orphaned, 0, None);
        }
    }

    /// Whether an event of this socket has just failed to find its owner. It is about to be closed, so nothing more is done
    /// for it.
    pub(super) fn is_orphan(&self, id: i32) -> bool {
        self.orphan == Some(id)
    }

    /// Answers a request with an ERROR. The caller need not be the owner, so the answer never closes the socket.
    pub(super) fn answer_caller(&mut self, caller: usize, id: i32, text: Text) {
        self.tell(caller, id, EventKind::Error(text));
    }

    /// An event for a service that need not be the owner: it never closes the socket.
    pub(super) fn tell(&mut self, owner: usize, id: i32, what: EventKind) {
        self.delivered += 1;
        self.sink.deliver(Event { id, owner, what });
    }
}
