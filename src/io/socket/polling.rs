//! Workers that poll.
//!
//! A request that the socket thread reads and a worker answers costs a wake-up of that worker, which takes longer than the
//! rest of the work. So while sockets are busy with small messages, a worker without work waits for events of the sockets
//! itself ("workers poll"), and runs the services that they make ready, on the spot. The socket thread stands by meanwhile.
//!
//! - The thread that runs a turn holds the [`PollerLock`], and locks what belongs to the I/O thread alone ([`Io`]): what the
//!   documentation of the other files says of the I/O thread holds for the holder of the poller lock, and passes from one
//!   to the next with that lock. Only programs that run turns themselves (`skynet_socket_poll`) lock [`Io`] without it; while
//!   one does, workers do not poll.
//! - A worker waits without the poller lock. It has the lease ([`PollLease`]), which one worker has at a time, and takes
//!   the poller lock when events have come. So a worker that the system does not run, before or after the events, holds
//!   nothing that others need: epoll is level triggered, so events are reported again until they are handled. What the
//!   worker was told counts only if no turn has run since it began to wait; else it asks again.
//! - The socket thread looks every [`TICK`]. If no turn has run between two looks it takes the poller lock until there are
//!   events; but if a worker waits, only when events are there at two looks in a row: that worker does not run, and the socket
//!   thread polls alone until the worker has given the lease back. So no event and no command of another thread waits longer
//!   than three ticks, and with all workers busy all the time the sockets are polled once a tick. (A worker that watches
//!   another in a long callback polls too.)
//! - When nothing came for [`QUIET`] ticks, the socket thread polls from then on. It does so too when much is moved (large
//!   data is read by one thread and worked on by another at the same time) and when something is to be done at a certain
//!   time. A worker that waits ends that after so long by itself ([`LONGEST`]), so an idle node does not wake up.
//! - The socket thread waits without the lock too, but workers do not poll meanwhile. If it is not given time, the monitor thread
//!   polls in its place ([`mod@super::stand_in`]).
//! - An event wakes one of the threads that wait. While a worker may be one of them, the socket thread sleeps no longer than a
//!   tick.
//! - A worker that polls sleeps in epoll_wait(2), the others on a futex; to wake it is to write to the eventfd.

use super::event::{Event, Sink};
use super::server::SocketServer;
use super::turn::{BRIEF_READY, BULK, Done, Io, LoopIteration};
use super::wait::Events;
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
    pub(super) lock: PollerLock,
    /// Workers may poll.
    worker_polling: AtomicBool,
    /// All turns, and those of workers that had events.
    pub(super) turns: AtomicU32,
    productive: AtomicU32,
    /// A worker waits, or has not gone on since.
    leased: AtomicBool,
    exit: AtomicBool,
    /// The kernel knows waits shorter than a millisecond.
    brief: bool,
    /// The socket thread.
    socket_thread: Mutex<Option<Thread>>,
}

impl Polling {
    pub(super) fn new(brief: bool) -> Polling {
        Polling {
            lock: PollerLock::new(),
            worker_polling: AtomicBool::new(false),
            turns: AtomicU32::new(0),
            productive: AtomicU32::new(0),
            leased: AtomicBool::new(false),
            exit: AtomicBool::new(false),
            brief,
            socket_thread: Mutex::new(None),
        }
    }

    /// Turns that were run.
    pub(super) fn turns(&self) -> u32 {
        self.turns.load(Ordering::Acquire)
    }

    /// Workers may poll at present.
    pub(super) fn workers_may_poll(&self) -> bool {
        self.worker_polling.load(Ordering::Relaxed)
    }

    /// The server was told to end.
    pub(super) fn ends(&self) -> bool {
        self.exit.load(Ordering::Acquire)
    }

    /// For a worker: takes the lease, if it is free and no thread runs a turn.
    fn try_take_lease(&self) -> bool {
        // The socket thread takes the poller lock first and looks at the lease then: one of the two sees the other.
        self.lock.is_free()
            && !self.leased.swap(true, Ordering::SeqCst)
            && (self.lock.is_free() || {
                self.return_lease();
                false
            })
    }

    fn return_lease(&self) {
        self.leased.store(false, Ordering::SeqCst);
    }

    /// After a turn, with the poller lock and that of [`Io`]. One at a time, so these need no atomic addition.
    pub(super) fn count(&self, done: &Done, by_worker: bool) {
        if by_worker && done.delivered != 0 {
            let productive = self.productive.load(Ordering::Relaxed).wrapping_add(1);
            self.productive.store(productive, Ordering::Relaxed);
        }
        if done.bytes > BULK || done.backing_off {
            self.worker_polling.store(false, Ordering::Relaxed);
        }
        if done.exit {
            self.exit.store(true, Ordering::Release);
        }
        self.note_turn();
    }

    /// After a turn, with the lock of [`Io`]: what a wait has told before may no longer be so.
    pub(super) fn note_turn(&self) {
        let turns = self.turns.load(Ordering::Relaxed).wrapping_add(1);
        self.turns.store(turns, Ordering::Release);
    }

    pub(super) fn wake_socket_thread(&self) {
        if let Some(thread) = &*self.socket_thread.lock() {
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
            } else if !self.leased.load(Ordering::SeqCst) {
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
    /// After a turn of the socket thread that had events. `has_idle`: a worker had nothing to do when they came.
    fn note(&mut self, done: &Done, worker_polling: &AtomicBool, has_idle: bool) {
        let now = Instant::now();
        let gap = now - self.last;
        self.last = now;
        if gap > TICK || done.bytes > BULK {
            self.row = 0;
        }
        self.row += 1;
        if gap > QUIET * TICK || done.bytes > BULK || done.backing_off {
            worker_polling.store(false, Ordering::Relaxed);
        } else if self.row >= WARM_UP && has_idle {
            worker_polling.store(true, Ordering::Relaxed);
        }
    }
}

/// A sink that looks at the workers before they are given something to do.
struct IdleProbe<'a> {
    sink: &'a mut dyn Sink,
    has_idle: &'a dyn Fn() -> bool,
    seen: bool,
}

impl Sink for IdleProbe<'_> {
    fn deliver(&mut self, event: Event) -> bool {
        self.sink.deliver(event)
    }

    fn falls_asleep(&mut self) {
        self.sink.falls_asleep();
    }

    fn awake(&mut self) -> bool {
        let again = self.sink.awake();
        self.seen = (self.has_idle)();
        again
    }

    fn counts(&self) -> bool {
        self.sink.counts()
    }
}

impl SocketServer {
    /// Thread role: socket. Runs turns until the server is told to end, unless workers do. `has_idle`: whether a worker
    /// has nothing to do.
    pub fn serve(&self, sink: &mut dyn Sink, has_idle: &dyn Fn() -> bool) {
        *self.polling.socket_thread.lock() = Some(thread::current());
        let mut rate = EventRate {
            last: Instant::now(),
            row: 0,
        };
        let pending = || self.shared.commands.has_some() || self.shared.poller.has_events();
        let mut events = Events::new();
        while self.polling.stand_by(pending) {
            let running = self.serve_while_needed(sink, has_idle, &mut rate, &mut events);
            // No other thread awaits the poller lock.
            let _ = self.polling.lock.give_back();
            if !running {
                return;
            }
        }
    }

    /// Holder of the lock: runs turns as long as no worker should. `false`: the server was told to end.
    fn serve_while_needed(
        &self,
        sink: &mut dyn Sink,
        has_idle: &dyn Fn() -> bool,
        rate: &mut EventRate,
        events: &mut Events,
    ) -> bool {
        let began = Instant::now();
        loop {
            let mut probe = IdleProbe {
                sink: &mut *sink,
                has_idle,
                seen: false,
            };
            let shared_wait = self.polling.leased.load(Ordering::SeqCst);
            let most = (shared_wait && began.elapsed() <= LONGEST + TICK).then_some(TICK);
            let Some(done) = self.wait_and_turn(&mut probe, most, events) else {
                return false;
            };
            if done.delivered != 0 {
                // A worker that keeps its lease is not running.
                let has_idle = probe.seen && !self.polling.leased.load(Ordering::Relaxed);
                rate.note(&done, &self.polling.worker_polling, has_idle);
                if self.polling.worker_polling.load(Ordering::Relaxed) {
                    return true;
                }
            }
        }
    }

    /// Holder of the lock, which it does not hold while it waits: a turn when there are events. `None`: the server was told to end.
    fn wait_and_turn(
        &self,
        sink: &mut dyn Sink,
        most: Option<Duration>,
        events: &mut Events,
    ) -> Option<Done> {
        let (shared, polling) = (&self.shared, &self.polling);
        let timeout = LoopIteration::timeout(shared, &mut self.io.lock(), sink, most);
        let turns = polling.turns.load(Ordering::Relaxed);
        polling.lock.begin_wait();
        events.wait(shared, timeout);
        let again = sink.awake();
        while !polling.lock.take_or_await() {
            thread::park();
        }
        if polling.ends() {
            return None;
        }
        let mut io = self.io.lock();
        if again || polling.turns.load(Ordering::Relaxed) != turns {
            // Another thread has stood in, or had the time to change something.
            events.renew(shared);
        }
        if again {
            events.ready.sort_by_key(|ready| ready.id);
        }
        if std::mem::take(&mut events.woken) {
            shared.poller.forget_wake();
        }
        let done = LoopIteration::for_events(shared, &mut io, sink, &events.ready, usize::MAX);
        polling.count(&done, false);
        (!done.exit).then_some(done)
    }

    /// Lets workers poll as if there had been much to do.
    #[cfg(all(test, not(feature = "loom")))]
    pub fn force_worker_polling(&self) {
        self.polling.worker_polling.store(true, Ordering::Relaxed);
    }

    /// For a worker that has nothing to do: the right to wait for events in place of the socket thread, if that is worth it.
    /// `briefly`: for less than a millisecond.
    pub fn try_poll_lease(&self, briefly: bool) -> Option<PollLease<'_>> {
        let polling = &self.polling;
        let may = polling.worker_polling.load(Ordering::Relaxed) && (polling.brief || !briefly);
        if !may || self.io.is_locked() || !polling.try_take_lease() {
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
        let polling = &self.server.polling;
        let turns = polling.turns.load(Ordering::Acquire);
        let longest = LONGEST.as_millis() as i32;
        let (timeout, limit) = match limit {
            _ if !shared.commands.fall_asleep() => (0, None),
            Some(limit) if polling.brief => (longest, Some(limit)),
            Some(limit) => (longest.min(limit.min(LONGEST).as_millis() as i32 + 1), None),
            None => (longest, None),
        };
        let mut room = [libc::epoll_event { events: 0, u64: 0 }; BRIEF_READY];
        let mut ready = Vec::with_capacity(BRIEF_READY);
        let waited = shared.poller.wait(&mut room, timeout, limit, &mut ready);
        sink.awake();
        // Errors are for the socket thread to report, which sees the same.
        if waited.is_err() || (ready.is_empty() && !shared.commands.has_some()) {
            return;
        }
        let Some(mut turn) = WorkerTurn::try_new(self.server) else {
            return;
        };
        if polling.turns.load(Ordering::Relaxed) != turns {
            let _ = shared.poller.wait(&mut room, 0, None, &mut ready);
        }
        let done = LoopIteration::for_events(shared, &mut turn.io, sink, &ready, BULK);
        polling.count(&done, true);
    }
}

impl Drop for PollLease<'_> {
    fn drop(&mut self) {
        self.server.polling.return_lease();
    }
}

/// A worker that runs a turn. The lock is free before the poller lock is.
struct WorkerTurn<'a> {
    io: MutexGuard<'a, Io>,
    _lock: PollerLockGuard<'a>,
}

/// The poller lock, of a worker.
struct PollerLockGuard<'a>(&'a Polling);

impl Drop for PollerLockGuard<'_> {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

impl WorkerTurn<'_> {
    fn try_new(server: &SocketServer) -> Option<WorkerTurn<'_>> {
        let lock = server
            .polling
            .lock
            .try_take()
            .then_some(PollerLockGuard(&server.polling))?;
        let io = server.io.try_lock()?;
        Some(WorkerTurn { io, _lock: lock })
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
            self.wake_socket_thread();
        }
    }
}
