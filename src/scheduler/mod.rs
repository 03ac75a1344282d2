//! Which service runs where, and who is woken for it.
//!
//! Each worker has a slot for the service that became ready last (`next`) and a ring of ready services (`queue`); what
//! other threads make ready goes to a shared injector. A worker runs its slot first, which keeps two services that talk
//! to each other on one core, then its ring, then the injector, then it steals.
//!
//! Wake-up: whoever makes a service ready wakes a sleeper if nobody is awake without work. One worker without work may
//! stay awake to watch the busy ones ("watcher"): it takes a slot away from a worker that is held up in one turn. It
//! sleeps between its looks, longer and longer, and gives up when nobody is busy. A worker that fills its slot rouses
//! the watcher at once, but the less often the more turns it does: each time makes the next so many turns later, until
//! the watcher finds it held up, which starts that anew. So a pair that plays ping-pong pays no system call per message,
//! a receiver does not wait behind a long callback of its sender, and an idle node sleeps.
//!
//! A worker without work that sleeps or watches does so in a wait for news of the sockets while that pays
//! ([`crate::socket::try_lead`]), and finds what they make ready in its own slot and ring.
//!
//! Invariant: a service is in at most one slot, ring or injector, or is being run, at a time: only the consumer of its
//! mailbox (see [`crate::mailbox`]) puts it there, and the role goes with it.

mod idle;
mod park;
mod place;
mod queue;
mod worker;

use crate::memory;
use crate::service::{Monitor, Queue, Running};
use idle::Idle;
use park::Parker;
use parking_lot::Mutex;
use queue::RunQueue;
use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU64, AtomicUsize, Ordering};

pub use worker::run_worker;

/// A service that has messages.
pub(crate) type Ready = Queue;

/// What of a worker other threads may touch.
#[repr(align(128))]
struct Remote {
    /// The service that became ready last. Owner puts, owner and watcher take.
    next: AtomicPtr<Ready>,
    /// Counts the worker's turns; written by the owner.
    ticks: AtomicU64,
    /// `ticks` when the owner last woke somebody.
    woke_at: AtomicU64,
    /// `ticks` from which on the owner may rouse the watcher.
    rouse_at: AtomicU64,
    /// Turns until it may again; the owner doubles it, the watcher sets it back.
    rouse_every: AtomicU64,
    /// Processor of the worker that last woke this one, -1 if another thread did.
    woken_from: AtomicI32,
    /// Processor on which this one was last seen to be busy, -1 while it is not.
    busy_on: AtomicI32,
    queue: RunQueue,
    parker: Parker,
    monitor: Monitor,
}

struct Shared {
    workers: Box<[Remote]>,
    idle: Idle,
    /// Index + 1 of the watcher while it sleeps between two looks.
    watcher: AtomicUsize,
    /// When a worker last ended a long stretch of work, in nanoseconds of the monotonic clock.
    long_stretch: AtomicU64,
    quit: AtomicBool,
}

static SHARED: OnceLock<Shared> = OnceLock::new();
static INJECTOR: Injector = Injector {
    list: Mutex::new(Ends(VecDeque::new())),
    len: AtomicUsize::new(0),
};

struct Ends(VecDeque<*mut Ready>);
// SAFETY: a ready service may be run by any thread.
unsafe impl Send for Ends {}

/// The queue of what no worker made ready.
struct Injector {
    list: Mutex<Ends>,
    len: AtomicUsize,
}

impl Injector {
    fn push(&self, ready: *mut Ready) {
        let mut list = self.list.lock();
        // A service whose message makes the list longer does not own it.
        memory::uncharged(|| list.0.push_back(ready));
        self.len.store(list.0.len(), Ordering::SeqCst);
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.len.load(Ordering::SeqCst) == 0
    }

    /// The oldest; some more of them go into `ring`.
    fn pop(&self, ring: Option<&RunQueue>, share: usize) -> Option<*mut Ready> {
        if self.is_empty() {
            return None;
        }
        let mut list = self.list.lock();
        let first = list.0.pop_front();
        if let Some(ring) = ring {
            for _ in 0..(list.0.len() / share).min(32) {
                match list.0.pop_front() {
                    Some(ready) if ring.push(ready) => {}
                    Some(ready) => {
                        list.0.push_front(ready);
                        break;
                    }
                    None => break,
                }
            }
        }
        self.len.store(list.0.len(), Ordering::SeqCst);
        first
    }
}

thread_local! {
    /// The worker that this thread is, or null.
    static WORKER: Cell<*const Remote> = const { Cell::new(std::ptr::null()) };
}

/// Makes the workers' places. Once, before any [`run_worker`].
pub fn start(workers: usize) {
    let remote = || Remote {
        next: AtomicPtr::default(),
        ticks: AtomicU64::new(1),
        woke_at: AtomicU64::new(0),
        rouse_at: AtomicU64::new(0),
        rouse_every: AtomicU64::new(1),
        woken_from: AtomicI32::new(-1),
        busy_on: AtomicI32::new(-1),
        queue: RunQueue::new(),
        parker: Parker::default(),
        monitor: Monitor::default(),
    };
    let _ = SHARED.set(Shared {
        workers: (0..workers).map(|_| remote()).collect(),
        idle: Idle::new(),
        watcher: AtomicUsize::new(0),
        long_stretch: AtomicU64::new(0),
        quit: AtomicBool::new(false),
    });
    if crate::service::total() == 0 {
        // Every service of the start-up has ended already.
        on_empty();
    }
}

/// Consumer of the service's mailbox: puts the service where a worker will find it, and wakes one if need be.
#[inline]
pub(crate) fn submit(ready: &Ready) {
    let ready = std::ptr::from_ref(ready).cast_mut();
    let worker = WORKER.get();
    if worker.is_null() {
        return inject(ready);
    }
    // SAFETY: a worker's place lives for ever.
    let worker = unsafe { &*worker };
    let Some(shared) = SHARED.get() else { return };
    let before = worker.put_next(ready, shared);
    if before.is_null() {
        worker.call_for_help(shared);
    } else {
        worker.keep(before);
        shared.wake_for_surplus();
    }
}

/// Any thread: puts a ready service behind all others.
pub(crate) fn inject(ready: *mut Ready) {
    INJECTOR.push(ready);
    if let Some(shared) = SHARED.get() {
        shared.wake_for_surplus();
    }
}

/// Any thread: takes a ready service out of the shared queue, or from a worker ("skynet_mq.h", `skynet_globalmq_pop`).
pub(crate) fn take_any() -> Option<*mut Ready> {
    INJECTOR
        .pop(None, 1)
        .or_else(|| SHARED.get()?.workers.iter().find_map(|w| w.queue.pop()))
}

/// Turns after which a worker rouses the watcher again, at most.
const ROUSE_LAST: u64 = 1 << 20;

impl Remote {
    /// Owner, after it filled its slot: sees to it that somebody looks whether the slot has to wait.
    #[inline]
    fn call_for_help(&self, shared: &Shared) {
        if let Some(index) = shared.idle.whom_to_wake() {
            self.help(&shared.workers[index]);
        } else if self.ticks.load(Ordering::Relaxed) >= self.rouse_at.load(Ordering::Relaxed) {
            self.rouse(shared);
        }
    }

    #[cold]
    fn rouse(&self, shared: &Shared) {
        let watcher = shared.watcher.load(Ordering::SeqCst);
        if watcher == 0 {
            return;
        }
        let every = self.rouse_every.load(Ordering::Relaxed);
        let now = self.ticks.load(Ordering::Relaxed);
        self.rouse_at.store(now + every, Ordering::Relaxed);
        self.rouse_every
            .store((every * 2).min(ROUSE_LAST), Ordering::Relaxed);
        self.help(&shared.workers[watcher - 1]);
    }

    #[cold]
    fn help(&self, other: &Remote) {
        let now = self.ticks.load(Ordering::Relaxed);
        self.woke_at.store(now, Ordering::Relaxed);
        other.wake();
    }

    /// The watcher, when it found the owner held up: the owner may rouse it at once the next time.
    fn rouse_anew(&self) {
        self.rouse_every.store(1, Ordering::Relaxed);
        self.rouse_at.store(0, Ordering::Relaxed);
    }

    /// Any thread: ends the sleep of this worker. A worker that does so is busy.
    fn wake(&self) {
        let waker = WORKER.get();
        let mut from = -1;
        if !waker.is_null() {
            from = place::processor();
            // SAFETY: a worker's place lives for ever.
            unsafe { (*waker).busy_on.store(from, Ordering::Relaxed) };
        }
        self.woken_from.store(from, Ordering::Relaxed);
        self.parker.wake();
    }

    /// Owner: puts a ready service behind those of the ring.
    #[inline]
    fn keep(&self, ready: *mut Ready) {
        if !self.queue.push(ready) {
            INJECTOR.push(ready);
        }
    }

    /// Owner: fills the slot; what was in it.
    #[inline]
    fn put_next(&self, ready: *mut Ready, shared: &Shared) -> *mut Ready {
        if shared.is_single() {
            let before = self.next.load(Ordering::Relaxed);
            self.next.store(ready, Ordering::Relaxed);
            return before;
        }
        self.next.swap(ready, Ordering::SeqCst)
    }

    /// Owner: empties the slot.
    #[inline]
    fn take_own_next(&self, shared: &Shared) -> Option<*mut Ready> {
        if shared.is_single() {
            let ready = self.next.load(Ordering::Relaxed);
            self.next.store(std::ptr::null_mut(), Ordering::Relaxed);
            return (!ready.is_null()).then_some(ready);
        }
        self.take_next()
    }

    /// Owner and watcher: empties the slot.
    #[inline]
    fn take_next(&self) -> Option<*mut Ready> {
        if self.next.load(Ordering::Relaxed).is_null() {
            return None;
        }
        let ready = self.next.swap(std::ptr::null_mut(), Ordering::SeqCst);
        (!ready.is_null()).then_some(ready)
    }
}

impl Shared {
    /// There is one worker, so that nobody but the owner touches its slot.
    #[inline]
    fn is_single(&self) -> bool {
        self.workers.len() == 1
    }

    /// There is a ready service that its worker does not run next: somebody else should.
    #[inline]
    fn wake_for_surplus(&self) {
        let watcher = self.watcher.load(Ordering::SeqCst);
        if watcher != 0 {
            self.workers[watcher - 1].wake();
        } else if let Some(index) = self.idle.whom_to_wake() {
            self.workers[index].wake();
        }
    }

    fn quits(&self) -> bool {
        self.quit.load(Ordering::Acquire)
    }
}

/// The last service has ended: the workers stop, and with them the node.
pub(crate) fn on_empty() {
    let Some(shared) = SHARED.get() else { return };
    shared.quit.store(true, Ordering::SeqCst);
    for worker in &shared.workers {
        worker.parker.wake();
    }
    crate::start::on_empty();
}

/// Any thread: whether a worker has nothing to do.
pub(crate) fn someone_idles() -> bool {
    SHARED.get().is_some_and(|s| s.idle.someone_idles())
}

/// True once the workers stop.
pub fn has_ended() -> bool {
    SHARED.get().is_some_and(Shared::quits)
}

/// Monitor thread: looks at every worker once.
pub fn check_workers() {
    if let Some(shared) = SHARED.get() {
        let looks: Vec<_> = shared.workers.iter().map(|w| w.monitor.check()).collect();
        if looks.iter().all(|look| look.stuck) {
            // Nobody is left to run the log service.
            for report in looks.into_iter().filter_map(|look| look.report) {
                eprintln!("{report}");
            }
        }
    }
}

/// The worker that the thread with this id is, and what it is doing. Async-signal-safe.
pub(crate) fn worker_of(thread: i32) -> Option<(usize, Option<Running>)> {
    let workers = &SHARED.get()?.workers;
    let index = workers.iter().position(|w| w.monitor.thread() == thread)?;
    Some((index, workers[index].monitor.running()))
}

/// What every worker is doing, a line each.
pub(crate) fn running() -> String {
    let Some(shared) = SHARED.get() else {
        return String::new();
    };
    let lines = shared.workers.iter().enumerate();
    let lines = lines.map(|(i, worker)| format!("worker {i}: {}", worker.monitor.line()));
    lines.collect::<Vec<_>>().join("\n")
}

/// Which message the calling worker is in, as [`Monitor::count`] says; `None` on other threads.
#[cfg(feature = "lua")]
pub(crate) fn current_count() -> Option<i32> {
    let worker = WORKER.get();
    // SAFETY: a worker's place lives for ever.
    (!worker.is_null()).then(|| unsafe { (*worker).monitor.count() })
}
