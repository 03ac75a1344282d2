//! Workers that poll.
//!
//! A request that the socket thread reads and a worker answers costs a wake-up of that worker, which takes longer than the
//! rest of the work. So while sockets are busy with small messages, a worker without work waits for events of the sockets
//! itself ("workers poll"), and runs the services that they make ready, on the spot. The socket thread stands by meanwhile.
//!
//! - The thread that runs a turn holds the [`PollerLock`]. That lock decides who polls, and protects nothing: each socket is worked on under a
//!   claim of its own ([`super::claim`]), and what a turn works with is its own. So a thread that the system stops within a turn keeps the socket that it
//!   has in its hands, and another takes the lock away from it ([`PollerLock::take_from`]): the socket thread if that stands by or waits
//!   for the lock, else the monitor thread ([`mod@super::stand_in`]). A thread that has lost the lock leaves its turn before the next socket.
//! - What is ready and in the hands of a thread that does not go on, epoll reports again and again. A turn that has found nothing else is followed by a
//!   rest of a tick, by the socket thread.
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
use super::turn::{BRIEF_READY, BULK, Done, LoopIteration};
use super::wait::Events;
use crate::scheduler::poller_lock::{Before, PollerLock, Progress, Right};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Between two looks of the socket thread that stands by.
pub(super) const TICK: Duration = Duration::from_millis(1);
/// Ticks without events after which workers do not poll any more.
const QUIET: u32 = 20;
/// The longest wait of a worker: after that, events wake the socket thread and not the worker.
const LONGEST: Duration = TICK.saturating_mul(QUIET);
/// Ticks without a step after which the holder of the poller lock loses it. A step takes microseconds, but a holder that was only late
/// is not to be replaced (docs/internals/scheduler.md, "How long a thread is waited for").
const STOPPED: u32 = 3;
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
    socket_thread: OnceLock<Thread>,
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
            socket_thread: OnceLock::new(),
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

    /// After a turn.
    pub(super) fn count(&self, done: &Done, by_worker: bool) {
        if by_worker && done.delivered != 0 {
            self.productive.fetch_add(1, Ordering::Relaxed);
        }
        if done.bytes > BULK || done.backing_off || done.futile {
            self.worker_polling.store(false, Ordering::Relaxed);
        }
        if done.exit {
            self.exit.store(true, Ordering::Release);
        }
        self.note_turn();
    }

    /// After a turn.
    pub(super) fn note_turn(&self) {
        self.turns.fetch_add(1, Ordering::Release);
    }

    /// The socket thread takes the poller lock, as soon as it is free or its holder does not go on.
    fn await_right(&self) -> Right {
        let mut holder = Holder::default();
        loop {
            if let Some(right) = self.lock.take_or_await() {
                return right;
            }
            if let Some(right) = holder.look(&self.lock) {
                return right;
            }
            thread::park_timeout(TICK);
        }
    }

    pub(super) fn wake_socket_thread(&self) {
        if let Some(thread) = self.socket_thread.get() {
            thread.unpark();
        }
    }

    /// A thread of a program that runs turns itself takes the poller lock, as soon as none does or the one that should does not go on.
    pub(super) fn take(&self) -> (Right, Before) {
        let mut holder = Holder::default();
        loop {
            if let Some(taken) = self.lock.stand_in() {
                return taken;
            }
            if let Some(right) = holder.look(&self.lock) {
                return (right, Before::TAKEN_AWAY);
            }
            thread::sleep(TICK);
        }
    }

    /// The socket thread waits until no worker polls, or the one that should does not. `pending`: whether there are events or
    /// commands. `None`: the server was told to end.
    fn stand_by(&self, pending: impl Fn() -> bool) -> Option<Right> {
        let mut turns = self.turns.load(Ordering::Relaxed);
        let mut productive = self.productive.load(Ordering::Relaxed);
        let (mut quiet, mut unseen) = (0, 0);
        let mut holder = Holder::default();
        loop {
            if self.exit.load(Ordering::Acquire) {
                return None;
            }
            if !self.worker_polling.load(Ordering::Relaxed) {
                let right = self.await_right();
                if !self.exit.load(Ordering::Acquire) {
                    return Some(right);
                }
                let _ = self.lock.give_back(right);
                return None;
            }
            thread::park_timeout(TICK);
            let now = self.turns.load(Ordering::Relaxed);
            let right = if let Some(right) = holder.look(&self.lock) {
                self.worker_polling.store(false, Ordering::Relaxed);
                Some(right)
            } else if now != turns {
                unseen = 0;
                None
            } else if !self.leased.load(Ordering::SeqCst) {
                self.lock.try_take()
            } else if !pending() {
                unseen = 0;
                None
            } else {
                unseen += 1;
                let right = if unseen >= 2 {
                    self.lock.try_take()
                } else {
                    None
                };
                if right.is_some() {
                    self.worker_polling.store(false, Ordering::Relaxed);
                }
                right
            };
            if right.is_some() {
                return right;
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

/// What a thread that waits for the poller lock has seen of its holder.
#[derive(Default)]
struct Holder {
    seen: Progress,
    ticks: u32,
}

impl Holder {
    /// One look after each tick: takes the lock from a holder that does not go on.
    fn look(&mut self, lock: &PollerLock) -> Option<Right> {
        let seen = lock.progress();
        self.ticks = if seen == self.seen { self.ticks + 1 } else { 0 };
        self.seen = seen;
        if self.ticks < STOPPED {
            return None;
        }
        lock.take_from(seen)
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
        let _ = self.polling.socket_thread.set(thread::current());
        let mut rate = EventRate {
            last: Instant::now(),
            row: 0,
        };
        let pending = || self.shared.agenda.has_some() || self.shared.poller.has_events();
        let mut events = self.shared.events.take();
        while let Some(right) = self.polling.stand_by(pending) {
            let Some(right) =
                self.serve_while_needed(right, sink, has_idle, &mut rate, &mut events)
            else {
                return;
            };
            // No other thread awaits the poller lock.
            let _ = self.polling.lock.give_back(right);
        }
    }

    /// Holder of the lock: runs turns as long as no worker should. `None`: the server was told to end.
    fn serve_while_needed(
        &self,
        mut right: Right,
        sink: &mut dyn Sink,
        has_idle: &dyn Fn() -> bool,
        rate: &mut EventRate,
        events: &mut Events,
    ) -> Option<Right> {
        let began = Instant::now();
        loop {
            let mut probe = IdleProbe {
                sink: &mut *sink,
                has_idle,
                seen: false,
            };
            let shared_wait = self.polling.leased.load(Ordering::SeqCst);
            let most = (shared_wait && began.elapsed() <= LONGEST + TICK).then_some(TICK);
            let done;
            (right, done) = self.wait_and_turn(right, &mut probe, most, events)?;
            if done.futile {
                thread::park_timeout(TICK);
            }
            if done.delivered != 0 {
                // A worker that keeps its lease is not running.
                let has_idle = probe.seen && !self.polling.leased.load(Ordering::Relaxed);
                rate.note(&done, &self.polling.worker_polling, has_idle);
                if self.polling.worker_polling.load(Ordering::Relaxed) {
                    return Some(right);
                }
            }
        }
    }

    /// Holder of the lock, which it does not hold while it waits: a turn when there are events. `None`: the server was told to end.
    fn wait_and_turn(
        &self,
        right: Right,
        sink: &mut dyn Sink,
        most: Option<Duration>,
        events: &mut Events,
    ) -> Option<(Right, Done)> {
        let (shared, polling) = (&self.shared, &self.polling);
        let timeout = LoopIteration::timeout(shared, sink, most);
        let last = right.as_last();
        // Without the right it looks what there is, and takes it again.
        let holds = polling.lock.begin_wait(right);
        events.wait(shared, if holds { timeout } else { 0 });
        let again = sink.awake();
        let right = polling.await_right();
        if polling.ends() {
            let _ = polling.lock.give_back(right);
            return None;
        }
        if again || !right.is_next(last) {
            // Another thread has stood in, or had the time to change something.
            events.renew(shared);
        }
        shared.agenda.awake();
        let done = self.act(&right, sink, events, again);
        polling.count(&done, false);
        if done.exit {
            let _ = polling.lock.give_back(right);
            return None;
        }
        Some((right, done))
    }

    /// A turn for what was waited for.
    pub(super) fn act(
        &self,
        right: &Right,
        sink: &mut dyn Sink,
        events: &mut Events,
        sorted: bool,
    ) -> Done {
        if sorted {
            events.ready.sort_by_key(|ready| ready.id);
        }
        if std::mem::take(&mut events.woken) {
            self.shared.poller.forget_wake();
        }
        let lock = (&self.polling.lock, right);
        LoopIteration::for_events(&self.shared, lock, sink, &events.ready, usize::MAX)
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
        if !may || !polling.try_take_lease() {
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
        let last = polling.lock.last();
        let longest = LONGEST.as_millis() as i32;
        let (timeout, limit) = match limit {
            _ if !shared.agenda.fall_asleep() => (0, None),
            Some(limit) if polling.brief => (longest, Some(limit)),
            Some(limit) => (longest.min(limit.min(LONGEST).as_millis() as i32 + 1), None),
            None => (longest, None),
        };
        let mut room = [libc::epoll_event { events: 0, u64: 0 }; BRIEF_READY];
        let mut ready = Vec::with_capacity(BRIEF_READY);
        let waited = shared.poller.wait(&mut room, timeout, limit, &mut ready);
        sink.awake();
        // Errors are for the socket thread to report, which sees the same.
        if waited.is_err() || (ready.is_empty() && !shared.agenda.has_some()) {
            return;
        }
        let Some(right) = polling.lock.try_take() else {
            return;
        };
        if !right.is_next(last) {
            let _ = shared.poller.wait(&mut room, 0, None, &mut ready);
        }
        shared.agenda.awake();
        let lock = (&polling.lock, &right);
        let done = LoopIteration::for_events(shared, lock, sink, &ready, BULK);
        polling.count(&done, true);
        polling.give_back(right);
    }
}

impl Drop for PollLease<'_> {
    fn drop(&mut self) {
        self.server.polling.return_lease();
    }
}

impl Polling {
    /// A worker gives the poller lock back.
    fn give_back(&self, right: Right) {
        let awaited = self.lock.give_back(right);
        if awaited
            || self.exit.load(Ordering::Relaxed)
            || !self.worker_polling.load(Ordering::Relaxed)
        {
            self.wake_socket_thread();
        }
    }
}
