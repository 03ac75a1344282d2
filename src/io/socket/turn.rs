//! One turn of the I/O thread: wait, do what was asked, see to the sockets that are ready.

use super::accept::AcceptBackoff;
use super::addr::Text;
use super::command::Command;
use super::connect::Connecting;
use super::event::{Event, EventKind, Sink};
use super::flush::Flushed;
use super::poller::Ready;
use super::shared::Shared;
use super::state::{Actions, Input, Phase};
use super::sys::{self, Errno};
use super::wait::report_fault;
use std::collections::HashMap;
use std::os::fd::RawFd;
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

/// What only the I/O thread has.
pub struct Io {
    room: Vec<libc::epoll_event>,
    ready: Vec<Ready>,
    pub(super) scratch: Box<[u8]>,
    pub(super) connecting: HashMap<i32, Connecting>,
    pub(super) accept_backoffs: HashMap<i32, AcceptBackoff>,
}

impl Io {
    /// Nothing under way.
    pub fn new() -> Io {
        Io {
            room: vec![libc::epoll_event { events: 0, u64: 0 }; MAX_READY],
            ready: Vec::with_capacity(MAX_READY),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            connecting: HashMap::new(),
            accept_backoffs: HashMap::new(),
        }
    }
}

/// The state of one turn.
pub struct LoopIteration<'a> {
    pub(super) s: &'a Arc<Shared>,
    pub(super) io: &'a mut Io,
    sink: &'a mut dyn Sink,
    pub(super) orphans: Vec<i32>,
    delivered: usize,
    pub(super) bytes: usize,
    /// See [`Sink::counts`].
    pub(super) counts: bool,
    pub(super) exit: bool,
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
}

impl<'a> LoopIteration<'a> {
    /// Runs one turn. With `wait` it sleeps until there is something to do.
    pub fn run(s: &'a Arc<Shared>, io: &'a mut Io, sink: &'a mut dyn Sink, wait: bool) -> Done {
        let timeout = if wait {
            LoopIteration::timeout(s, io, sink, None)
        } else {
            0
        };
        let mut turn = LoopIteration::new(s, io, sink);
        let mut ready = std::mem::take(&mut turn.io.ready);
        let waited = s.poller.wait(&mut turn.io.room, timeout, None, &mut ready);
        if turn.sink.awake() {
            let _ = s.poller.wait(&mut turn.io.room, 0, None, &mut ready);
            ready.sort_by_key(|ready| ready.id);
        }
        if let Err(e) = waited {
            report_fault(s, e);
        }
        turn.act(&ready, usize::MAX);
        turn.io.ready = ready;
        turn.done()
    }

    /// The socket thread, with the lock of its state: how long it may wait, in milliseconds (-1: for ever), but not longer than
    /// `most`.
    pub fn timeout(
        s: &'a Arc<Shared>,
        io: &'a mut Io,
        sink: &'a mut dyn Sink,
        most: Option<Duration>,
    ) -> i32 {
        let turn = LoopIteration::new(s, io, sink);
        if !s.commands.fall_asleep() {
            return 0;
        }
        turn.sink.falls_asleep();
        let most = most.map_or(-1, |most| most.as_millis() as i32);
        match turn.accept_retry_timeout() {
            rest if most < 0 || (0..most).contains(&rest) => rest,
            _ => most,
        }
    }

    /// A turn without a wait, for these events, until more than `bulk` bytes were received. Not much, where what it makes ready
    /// waits for its end.
    pub fn for_events(
        s: &'a Arc<Shared>,
        io: &'a mut Io,
        sink: &'a mut dyn Sink,
        ready: &[Ready],
        bulk: usize,
    ) -> Done {
        let mut turn = LoopIteration::new(s, io, sink);
        turn.act(ready, bulk);
        turn.done()
    }

    fn new(s: &'a Arc<Shared>, io: &'a mut Io, sink: &'a mut dyn Sink) -> LoopIteration<'a> {
        let counts = sink.counts();
        LoopIteration {
            s,
            io,
            sink,
            counts,
            orphans: Vec::new(),
            delivered: 0,
            bytes: 0,
            exit: false,
        }
    }

    /// Does what was asked, and sees to the sockets that are ready, until more than `bulk` bytes were received.
    fn act(&mut self, ready: &[Ready], bulk: usize) {
        for command in self.s.commands.take() {
            self.execute(command);
            self.close_orphans();
        }
        for r in ready {
            self.ready(*r);
            self.close_orphans();
            if self.bytes > bulk {
                // The next wait reports the rest again.
                break;
            }
        }
        self.retry_due_accepts();
    }

    fn done(&self) -> Done {
        Done {
            delivered: self.delivered,
            bytes: self.bytes,
            exit: self.exit,
            backing_off: !self.io.accept_backoffs.is_empty(),
        }
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
        let newcomer = if let EventKind::Accept { id, .. } = &what {
            Some(*id)
        } else {
            None
        };
        // A warning is advice: others may still write to a socket whose owner is gone.
        let advice = matches!(what, EventKind::Warning(_));
        self.delivered += 1;
        if !self.sink.deliver(Event { id, owner, what }) && !advice {
            self.orphans.push(id);
            self.orphans.extend(newcomer);
        }
    }

    /// Not at once in `emit`: the caller is in the middle of something with the socket.
    fn close_orphans(&mut self) {
        while let Some(id) = self.orphans.pop() {
            if self.s.table.slot(id).state_of(id).is_some() {
                let owner = self.s.table.slot(id).owner.load(Ordering::Relaxed);
                self.report(format_args!(
                    "socket-server : socket {id} closed, its owner :{owner:08x} is gone."
                ));
                self.apply(id, Input::Orphaned, 0, None);
            }
        }
    }

    /// Whether an event of this socket has just failed to find its owner. It is about to be closed, so nothing more is done
    /// for it.
    pub(super) fn is_orphan(&self, id: i32) -> bool {
        self.orphans.contains(&id)
    }

    /// Takes `input` to the state machine and does what it says. `caller`: who asked for a start. `text`: of an error.
    /// Long because there is one arm for each thing that the state machine can say.
    pub(super) fn apply(&mut self, id: i32, input: Input, caller: usize, text: Option<Text>) {
        let slot = self.s.table.slot(id);
        let Some(state) = slot.state_of(id) else {
            return;
        };
        let (next, act) = self.s.rules.step(state, input);
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
            // What is queued will never go out; a sender that has the handoff lock now is waited for.
            self.s.enter(slot);
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

    /// Answers a request with an ERROR. The caller need not be the owner, so the answer never closes the socket.
    pub(super) fn answer_caller(&mut self, caller: usize, id: i32, text: Text) {
        self.tell(caller, id, EventKind::Error(text));
    }

    /// An event for a service that need not be the owner: it never closes the socket.
    pub(super) fn tell(&mut self, owner: usize, id: i32, what: EventKind) {
        self.delivered += 1;
        self.sink.deliver(Event { id, owner, what });
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

    /// Lets go of everything a socket has.
    fn release(&mut self, id: i32, close_fd: bool) {
        let s = self.s;
        let slot = s.table.slot(id);
        self.io.connecting.remove(&id);
        self.io.accept_backoffs.remove(&id);
        self.s.enter(slot);
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
        self.retry_accepts_early();
    }

    /// Writes what is queued, and sees to the consequences.
    pub(super) fn flush(&mut self, id: i32) {
        let slot = self.s.table.slot(id);
        let Some(state) = slot.state_of(id) else {
            return;
        };
        if !state.phase.writable() {
            return;
        }
        self.s.enter(slot);
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
                if slot.state_of(id).is_none() {
                    return;
                }
                if disarmed.is_err() {
                    self.emit(id, EventKind::Error(Text::from("disable write failed")));
                }
            }
        }
    }

    fn ready(&mut self, r: Ready) {
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
        if r.write {
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
