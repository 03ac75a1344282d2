//! Workers that poll.
//!
//! A request that the socket thread reads and a worker answers costs a wake-up of that worker, which takes longer than the
//! rest of the work. So while sockets are busy with small messages, a worker without work waits for events of the sockets itself
//! ("workers poll"), and runs the services that they make ready, on the spot. The socket thread stands by meanwhile.
//!
//! - Whoever runs turns holds the [`PollerLock`], and locks what belongs to the I/O thread alone ([`Io`]): everything that the
//!   documentation of the other files says of the I/O thread holds for the holder of the poller lock, and passes from one to the
//!   next with that lock. Nobody else takes the lock, but programs that run turns themselves (`skynet_socket_poll`); if
//!   one does, workers do not poll.
//! - A worker waits without the poller lock. It has the lease ([`PollLease`]), which one worker has at a time, and takes the
//!   poller lock when events have come. So a worker that the system does not run, before or after the events, holds nothing
//!   that others need: epoll is level triggered, so events are reported again until they are handled. What the worker was told
//!   counts only if no turn has run since it began to wait; else it asks again.
//! - The socket thread looks every [`TICK`]. If no turn has run between two looks it takes the poller lock until there are
//!   events; but if a worker waits, only when events are there at two looks in a row: that worker does not run, and the socket
//!   thread polls alone until the worker has given the lease back. So no event and no command of another thread waits longer
//!   than three ticks, and with all workers busy all the time the sockets are polled once a tick. (A worker that watches
//!   another in a long callback polls too.)
//! - When nothing came for [`QUIET`] ticks, the socket thread polls from then on. It does so too when much is moved (large
//!   data is read by one thread and worked on by another at the same time) and when something is to be done at a certain
//!   time. A worker that waits ends that after so long by itself ([`LONGEST`]), so an idle node does not wake up.
//! - An event wakes one of the threads that wait. While a worker may be one of them, the socket thread sleeps no longer than a
//!   tick.
//! - A worker that polls sleeps in epoll_wait(2), the others on a futex; to wake it is to write to the eventfd.

use super::event::{Event, Sink};
use super::server::SocketServer;
use super::turn::{BRIEF_READY, BULK, Done, Io, LoopIteration};
use crate::scheduler::poller_lock::PollerLock;
use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Between two looks of the socket thread that stands by.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without events after which workers do not poll any more.
const QUIET: u32 = 20;
/// The longest wait of a worker: after that, events wake the socket thread and not the worker.
const LONGEST: Duration = TICK.saturating_mul(QUIET);
/// So many turns in a row that had events, none later than a tick after the last, let workers poll.
const WARM_UP: u32 = 16;

/// Which thread polls.
pub struct Polling {
    lock: PollerLock,
    /// Workers may poll.
    worker_polling: AtomicBool,
    /// All turns, and those of workers that had events.
    turns: AtomicU32,
    productive: AtomicU32,
    /// A worker waits, or has not gone on since.
    lease: AtomicBool,
    exit: AtomicBool,
    /// The kernel knows waits shorter than a millisecond.
    brief: bool,
    /// The socket thread.
    standby: Mutex<Option<Thread>>,
}

impl Polling {
    pub(super) fn new(brief: bool) -> Polling {
        Polling {
            lock: PollerLock::new(),
            worker_polling: AtomicBool::new(false),
            turns: AtomicU32::new(0),
            productive: AtomicU32::new(0),
            lease: AtomicBool::new(false),
            exit: AtomicBool::new(false),
            brief,
            standby: Mutex::new(None),
        }
    }

    /// For a worker: takes the lease, if nobody has it and nobody polls.
    fn try_take_lease(&self) -> bool {
        // Whoever takes the poller lock looks at the lease after that: one of us sees the other.
        self.lock.is_free()
            && !self.lease.swap(true, Ordering::SeqCst)
            && (self.lock.is_free() || {
                self.leave();
                false
            })
    }

    fn leave(&self) {
        self.lease.store(false, Ordering::SeqCst);
    }

    /// Holder of the poller lock, after a turn. One at a time, so these need no atomic addition.
    fn count(&self, done: &Done, by_worker: bool) {
        if by_worker && done.delivered != 0 {
            let productive = self.productive.load(Ordering::Relaxed).wrapping_add(1);
            self.productive.store(productive, Ordering::Relaxed);
        }
        if done.bytes > BULK || done.rests {
            self.worker_polling.store(false, Ordering::Relaxed);
        }
        if done.exit {
            self.exit.store(true, Ordering::Release);
        }
        let turns = self.turns.load(Ordering::Relaxed).wrapping_add(1);
        self.turns.store(turns, Ordering::Release);
    }

    fn wake_standby(&self) {
        if let Some(thread) = &*self.standby.lock() {
            thread.unpark();
        }
    }

    /// The socket thread waits until no worker polls, or the one that should does not. `pending`: whether there are events or
    /// commands. `false`: the server was told to end.
    fn stand_by(&self, pending: impl Fn() -> bool) -> bool {
        let mut turns = self.turns.load(Ordering::Relaxed);
        let mut productive = self.productive.load(Ordering::Relaxed);
        let (mut quiet, mut unseen) = (0, 0);
        loop {
            if self.exit.load(Ordering::Acquire) {
                return false;
            }
            if !self.worker_polling.load(Ordering::Relaxed) {
                if self.lock.take_or_await() {
                    return true;
                }
                thread::park();
                continue;
            }
            thread::park_timeout(TICK);
            let now = self.turns.load(Ordering::Relaxed);
            if now != turns {
                unseen = 0;
            } else if !self.lease.load(Ordering::SeqCst) {
                if self.lock.try_take() {
                    return true;
                }
            } else if !pending() {
                unseen = 0;
            } else {
                unseen += 1;
                if unseen == 2 && self.lock.try_take() {
                    self.worker_polling.store(false, Ordering::Relaxed);
                    return true;
                }
            }
            turns = now;
            let now = self.productive.load(Ordering::Relaxed);
            quiet = if now == productive { quiet + 1 } else { 0 };
            productive = now;
            if quiet >= QUIET {
                self.worker_polling.store(false, Ordering::Relaxed);
            }
        }
    }
}

/// Whether events come often enough, and in small enough pieces, for workers to poll.
struct EventRate {
    last: Instant,
    row: u32,
}

impl EventRate {
    /// After a turn of the socket thread that had events. `idlers`: a worker had nothing to do when they came.
    fn note(&mut self, done: &Done, worker_polling: &AtomicBool, idlers: bool) {
        let now = Instant::now();
        let gap = now - self.last;
        self.last = now;
        if gap > TICK || done.bytes > BULK {
            self.row = 0;
        }
        self.row += 1;
        if gap > QUIET * TICK || done.bytes > BULK || done.rests {
            worker_polling.store(false, Ordering::Relaxed);
        } else if self.row >= WARM_UP && idlers {
            worker_polling.store(true, Ordering::Relaxed);
        }
    }
}

/// A sink that looks at the workers before they are given something to do.
struct IdleProbe<'a> {
    sink: &'a mut dyn Sink,
    idlers: &'a dyn Fn() -> bool,
    seen: bool,
}

impl Sink for IdleProbe<'_> {
    fn deliver(&mut self, event: Event) -> bool {
        self.sink.deliver(event)
    }

    fn awake(&mut self) {
        self.sink.awake();
        self.seen = (self.idlers)();
    }

    fn counts(&self) -> bool {
        self.sink.counts()
    }
}

impl SocketServer {
    /// Thread role: socket. Runs turns until the server is told to end, unless workers do. `idlers`: whether a worker
    /// has nothing to do.
    pub fn serve(&self, sink: &mut dyn Sink, idlers: &dyn Fn() -> bool) {
        *self.lead.standby.lock() = Some(thread::current());
        let mut pace = EventRate {
            last: Instant::now(),
            row: 0,
        };
        let pending = || self.shared.commands.has_some() || self.shared.poller.has_news();
        while self.lead.stand_by(pending) {
            let go_on = self.serve_while_needed(sink, idlers, &mut pace);
            // No other thread awaits the poller lock.
            let _ = self.lead.lock.give_back();
            if !go_on {
                return;
            }
        }
    }

    /// Holder of the lock: runs turns as long as no worker should. `false`: the server was told to end.
    fn serve_while_needed(
        &self,
        sink: &mut dyn Sink,
        idlers: &dyn Fn() -> bool,
        pace: &mut EventRate,
    ) -> bool {
        let began = Instant::now();
        loop {
            let mut looking = IdleProbe {
                sink: &mut *sink,
                idlers,
                seen: false,
            };
            let shared_wait = self.lead.lease.load(Ordering::SeqCst);
            let most = (shared_wait && began.elapsed() <= LONGEST + TICK).then_some(TICK);
            let done =
                LoopIteration::run(&self.shared, &mut self.io.lock(), &mut looking, true, most);
            self.lead.count(&done, false);
            if done.exit {
                return false;
            }
            if done.delivered != 0 {
                // A worker that keeps its lease is not running.
                let idlers = looking.seen && !self.lead.lease.load(Ordering::Relaxed);
                pace.note(&done, &self.lead.worker_polling, idlers);
                if self.lead.worker_polling.load(Ordering::Relaxed) {
                    return true;
                }
            }
        }
    }

    /// Lets workers poll as if there had been much to do.
    #[cfg(test)]
    pub fn heat(&self) {
        self.lead.worker_polling.store(true, Ordering::Relaxed);
    }

    /// For a worker that has nothing to do: the right to wait for events in place of the socket thread, if that is worth it.
    /// `briefly`: for less than a millisecond.
    pub fn try_poll_lease(&self, briefly: bool) -> Option<PollLease<'_>> {
        let lead = &self.lead;
        let may = lead.worker_polling.load(Ordering::Relaxed) && (lead.brief || !briefly);
        if !may || self.io.is_locked() || !lead.try_take_lease() {
            return None;
        }
        Some(PollLease { server: self })
    }
}

/// The right to wait for events, of a worker.
pub struct PollLease<'a> {
    server: &'a SocketServer,
}

impl PollLease<'_> {
    /// Waits for events, no longer than `limit` (and not for ever without one), and runs a turn for them. It does less than a
    /// turn of the socket thread, for what it makes ready waits for its end.
    pub fn turn(self, sink: &mut dyn Sink, limit: Option<Duration>) {
        let shared = &self.server.shared;
        let lead = &self.server.lead;
        let turns = lead.turns.load(Ordering::Acquire);
        let (timeout, limit) = match limit {
            _ if !shared.commands.fall_asleep() => (0, None),
            Some(limit) => (-1, Some(limit)),
            None => (LONGEST.as_millis() as i32, None),
        };
        let mut room = [libc::epoll_event { events: 0, u64: 0 }; BRIEF_READY];
        let mut ready = Vec::with_capacity(BRIEF_READY);
        let told = shared.poller.wait(&mut room, timeout, limit, &mut ready);
        sink.awake();
        // Errors are for the socket thread to report, which sees the same.
        if told.is_err() || (ready.is_empty() && !shared.commands.has_some()) {
            return;
        }
        let Some(mut turner) = Turner::try_new(self.server) else {
            return;
        };
        if lead.turns.load(Ordering::Relaxed) != turns {
            let _ = shared.poller.wait(&mut room, 0, None, &mut ready);
        }
        let done = LoopIteration::brief(shared, &mut turner.io, sink, &ready);
        lead.count(&done, true);
    }
}

impl Drop for PollLease<'_> {
    fn drop(&mut self) {
        self.server.lead.leave();
    }
}

/// A worker that runs a turn. The lock is free before the poller lock is.
struct Turner<'a> {
    io: MutexGuard<'a, Io>,
    _role: Held<'a>,
}

/// The poller lock, of a worker.
struct Held<'a>(&'a Polling);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl Turner<'_> {
    fn try_new(server: &SocketServer) -> Option<Turner<'_>> {
        let role = server.lead.lock.try_take().then_some(Held(&server.lead))?;
        let io = server.io.try_lock()?;
        Some(Turner { io, _role: role })
    }
}

impl Polling {
    /// A worker gives the poller lock back.
    fn give_back(&self) {
        let awaited = self.lock.give_back();
        if awaited
            || self.exit.load(Ordering::Relaxed)
            || !self.worker_polling.load(Ordering::Relaxed)
        {
            self.wake_standby();
        }
    }
}
