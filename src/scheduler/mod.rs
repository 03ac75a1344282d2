//! Which service runs where, and which worker is woken for it.
//!
//! Each worker has a slot for the service that became ready last (`lifo_slot`) and a ring of ready services (`queue`); what
//! other threads make ready goes to a shared injector, and what finds no room in a ring to a shared [`overflow`]. A worker runs its
//! slot first, which keeps two services that talk to each other on one core, then its ring, then the shared queues, then it steals.
//!
//! Wake-up: a thread that makes a service ready wakes a worker unless one is awake without work; but for what a worker runs
//! next itself it wakes none as long as callbacks have been short, and the [`watchdog`] sees when that waits. One worker without work may
//! stay awake to watch the busy ones ("watcher"): it takes a slot away from a worker that is held up in one turn. It
//! sleeps between its looks, longer and longer, and gives up when no worker is busy. A worker that fills its slot notifies
//! the watcher at once, but the less often the more turns it does: each time makes the next so many turns later, until
//! the watcher finds it held up, which starts that anew. So a pair that plays ping-pong pays no system call per message,
//! a receiver does not wait behind a long callback of its sender, and an idle node sleeps.
//!
//! A worker without work looks at the timers too: one that goes to sleep does so until the next is due, and makes the
//! services ready that have waited for it. So one thread has to be given time for a timer, and not two.
//!
//! A worker without work that sleeps or watches does so in a wait for socket events while that pays
//! ([`Host::try_poll_lease`]), and finds what they make ready in its own slot and ring.
//!
//! # Ready work never waits for one particular thread
//!
//! The system decides which threads run. On a busy machine, under a quota, or on a host that takes processors away, a
//! worker may stop between any two instructions and stay so for seconds. It delays the message that it handles, and the one
//! service that it is taking out of a queue, or putting into one, at that moment. Nothing else may depend on it. So:
//!
//! - No thread chooses its processors. A set that is given from outside is kept, and within it the system decides.
//!   (Workers ask for exact ends of timed sleeps, `PR_SET_TIMERSLACK`: that concerns no other thread, and not where they run.
//!   Threads that a service starts inherit it, as they would from any thread.)
//! - What is ready can be reached by every worker: slots and rings of others can be taken from, one service at a time, so that
//!   a thief that stops hides one, and nothing on the way of a ready service is locked ([`queue`], [`injector`], [`idle`]).
//! - Everything that is left to one worker can be taken from it. How many sleep and which one searches is one word
//!   ([`idle`]); a searcher that has not looked at the queues for a millisecond is none any more, and another is woken, until
//!   one looks or none sleeps any more ([`watchdog`]).
//! - Two threads that run no services see to that: the monitor thread, and the timer thread if the monitor
//!   thread does not come to it. Each also delivers the timers in the other's place, and in that of the worker that sleeps until
//!   they are due. Both sleep while the node is idle.
//! - A worker that waits for socket events holds nothing meanwhile; the socket thread looks after it
//!   ([`Host::try_poll_lease`]).
//!
//! What remains: the locks that a message may take elsewhere (an allocator's, that of the timers while one is added, what
//! services share) are held for a few instructions and without a system call; a thread that stops inside is waited for. So is
//! the I/O thread (the socket thread, a worker or the monitor thread) in the middle of moving data between sockets and mailboxes.
//!
//! Invariant: a service is in at most one slot, ring or shared queue, or is being run, at a time: the token that makes it ready
//! ([`Ready`]) is there once, and moves from one place to the next. A worker's slot and ring are filled by its own thread
//! alone: that needs the worker's half ([`Local`]), which does not leave its thread.
//!
//! # What is not known here
//!
//! A service is a token ([`Ready`]) to be run when its turn comes. What that is, how socket events are waited for,
//! and when timers are due, the worker's loop gets as a type ([`Host`]), so that it calls both directly.

mod activity;
pub mod cpu;
mod host;
mod idle;
pub mod injector;
mod lifo_slot;
mod overflow;
mod park;
pub mod poller_lock;
mod queue;
mod running;
pub mod seeded;
#[cfg_attr(
    not(feature = "lua"),
    allow(dead_code, reason = "only Lua services are stopped")
)]
pub mod spare;
pub mod stillness;
mod timed;
pub mod watchdog;
mod worker;

use crate::base::not_impl::assert_not_impl;
use idle::Idle;
use injector::Injector;
use lifo_slot::LifoSlot;
use park::Parker;
use queue::RunQueue;
use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

pub use activity::Activity;
pub use host::{Hooks, Host, Ready, TimesliceResult};
pub use running::Running;
#[cfg(feature = "lua")]
pub use worker::run_spare;
pub use worker::run_worker;

/// What of a worker other threads may touch.
#[repr(align(128))]
struct Remote {
    /// The service that became ready last. Owner puts, owner and watcher take.
    lifo_slot: LifoSlot,
    /// Counts the worker's turns; written by the owner.
    ticks: AtomicU64,
    /// `ticks` when the owner last woke another worker.
    woke_at: AtomicU64,
    /// `ticks` from which on the owner may notify the watcher; never, where there is no other worker to watch it.
    notify_watcher_at: AtomicU64,
    /// Others are to be woken at once for what the owner puts into its slot, since callbacks take long now and then. Written
    /// by the owner, and by who finds it held up.
    watched: AtomicBool,
    /// Turns until it may again; the owner doubles it, the watcher sets it back.
    notify_watcher_every: AtomicU64,
    /// `ticks` when the watchdog found that what is in the slot has waited for long.
    held_at: AtomicU64,
    /// Counts the worker's looks at the queues while it has no work; written by the owner.
    looks: AtomicU32,
    queue: RunQueue,
    activity: Activity,
    /// A thread has the other half.
    claimed: AtomicBool,
}

/// What only the thread of a worker may do with its place. There is one thread for each at a time that has this.
#[derive(Clone, Copy)]
struct Local {
    remote: &'static Remote,
    thread: PhantomData<*const ()>,
}

assert_not_impl!(Local, Send);

impl Deref for Local {
    type Target = Remote;

    #[inline(always)]
    fn deref(&self) -> &Remote {
        self.remote
    }
}

struct Shared {
    workers: Box<[Remote]>,
    idle: Idle,
    /// Index + 1 of the watcher while it sleeps between two looks.
    watcher: AtomicUsize,
    /// Until when a worker sleeps that looks at the timers then, in nanoseconds of the monotonic clock; `u64::MAX` if none
    /// does. And its index.
    timed: AtomicU64,
    timed_worker: AtomicUsize,
    /// When a worker last ended a long stretch of work, in nanoseconds of the monotonic clock.
    long_stretch: AtomicU64,
    quit: AtomicBool,
    on_empty: fn(),
}

static SHARED: OnceLock<Shared> = OnceLock::new();
/// What no worker made ready.
static INJECTOR: LazyLock<Injector<Ready>> = LazyLock::new(Injector::new);
/// What workers made ready that found no room in their rings.
static OVERFLOW: LazyLock<Injector<Ready>> = LazyLock::new(Injector::new);

thread_local! {
    /// The worker that this thread is.
    static WORKER: Cell<Option<Local>> = const { Cell::new(None) };
}

/// Makes the workers' places. Once, before any [`run_worker`]. If the last service has ended by then, it was not reported:
/// the caller calls [`on_empty`].
pub fn start(workers: usize, hooks: Hooks) {
    park::wake_poller_with(hooks.wake_poller);
    // Before there are workers, of which one would allocate it while others wait for that.
    LazyLock::force(&INJECTOR);
    LazyLock::force(&OVERFLOW);
    let workers = workers + spare::places();
    let remote = || Remote {
        lifo_slot: LifoSlot::default(),
        ticks: AtomicU64::new(1),
        woke_at: AtomicU64::new(0),
        notify_watcher_at: AtomicU64::new(if workers == 1 { u64::MAX } else { 0 }),
        watched: AtomicBool::new(true),
        notify_watcher_every: AtomicU64::new(1),
        held_at: AtomicU64::new(0),
        looks: AtomicU32::new(0),
        queue: RunQueue::new(),
        activity: Activity::default(),
        claimed: AtomicBool::new(false),
    };
    let _ = SHARED.set(Shared {
        workers: (0..workers).map(|_| remote()).collect(),
        idle: Idle::new((0..workers).map(|_| Parker::default()).collect()),
        watcher: AtomicUsize::new(0),
        timed: AtomicU64::new(u64::MAX),
        timed_worker: AtomicUsize::new(0),
        long_stretch: AtomicU64::new(0),
        quit: AtomicBool::new(false),
        on_empty: hooks.on_empty,
    });
}

/// Puts the service where a worker will find it, and wakes one if need be.
#[inline]
pub fn submit(ready: Ready) {
    let (Some(worker), Some(shared)) = (WORKER.get(), SHARED.get()) else {
        return inject(ready);
    };
    match worker.replace_lifo_slot(ready, shared) {
        // The only worker has nobody to notify.
        None if shared.is_single() => {}
        None => worker.notify_if_needed(shared),
        Some(before) => {
            worker.keep(before);
            shared.wake_for_surplus();
        }
    }
}

/// Any thread: puts a ready service behind all others.
pub fn inject(ready: Ready) {
    INJECTOR.push(ready);
    if let Some(shared) = SHARED.get() {
        shared.wake_for_surplus();
    }
}

/// Any thread: takes a ready service out of the shared queue, or from a worker ("skynet_mq.h", `skynet_globalmq_pop`).
pub fn take_any() -> Option<Ready> {
    INJECTOR
        .pop()
        .or_else(|| SHARED.get()?.workers.iter().find_map(|w| w.queue.pop()))
        .or_else(|| OVERFLOW.pop())
}

/// Turns after which a worker notifies the watcher again, at most.
const NOTIFY_WATCHER_MOST: u64 = 1 << 20;

impl Local {
    /// After it filled its slot: sees to it that another worker looks whether the slot has to wait.
    #[inline]
    fn notify_if_needed(self, shared: &Shared) {
        if shared.idle.should_notify() {
            if self.watched.load(Ordering::Relaxed) {
                self.notify_worker(shared);
            } else {
                watchdog::arm();
            }
        } else if self.ticks.load(Ordering::Relaxed)
            >= self.notify_watcher_at.load(Ordering::Relaxed)
        {
            self.notify_watcher(shared);
        }
    }

    #[cold]
    fn notify_watcher(self, shared: &Shared) {
        let watcher = shared.watcher.load(Ordering::SeqCst);
        if watcher == 0 {
            return;
        }
        let every = self.notify_watcher_every.load(Ordering::Relaxed);
        let now = self.ticks.load(Ordering::Relaxed);
        self.notify_watcher_at.store(now + every, Ordering::Relaxed);
        self.notify_watcher_every
            .store((every * 2).min(NOTIFY_WATCHER_MOST), Ordering::Relaxed);
        self.woke_at.store(now, Ordering::Relaxed);
        shared.idle.parker(watcher - 1).wake();
    }

    #[cold]
    fn notify_worker(self, shared: &Shared) {
        let now = self.ticks.load(Ordering::Relaxed);
        self.woke_at.store(now, Ordering::Relaxed);
        shared.notify_one();
    }

    /// Puts a ready service behind those of the ring.
    #[inline]
    fn keep(self, ready: Ready) {
        if let Err(ready) = self.producer().push(ready) {
            OVERFLOW.push(ready);
        }
    }

    /// The oldest of a shared queue, and the worker's part of it into its ring, which is empty. Others find them here or there at
    /// any time, but one, if the system does not run this thread in between.
    fn take_shared(self, shared: &Shared) -> Option<Ready> {
        let queue = [&*INJECTOR, &*OVERFLOW]
            .into_iter()
            .find(|queue| !queue.is_empty())?;
        for _ in 0..shared.part_of(queue) {
            let Some(ready) = queue.pop() else { break };
            self.keep(ready);
        }
        self.queue.pop().or_else(|| queue.pop())
    }

    /// Moves half of another ring to its own, and takes the oldest.
    fn steal_from(self, victim: &Remote) -> Option<Ready> {
        self.producer().steal_from(&victim.queue)
    }

    #[inline(always)]
    fn producer(&self) -> queue::Producer<'_> {
        // SAFETY: the ring's own worker, which is one thread.
        unsafe { self.queue.producer() }
    }

    /// Fills the slot; what was in it.
    #[inline]
    fn replace_lifo_slot(self, ready: Ready, shared: &Shared) -> Option<Ready> {
        if shared.is_single() {
            // SAFETY: this is the only worker; other threads do not touch its slot.
            return unsafe { self.lifo_slot.replace_alone(ready) };
        }
        self.lifo_slot.replace(ready)
    }

    /// Empties the slot.
    #[inline]
    fn take_lifo_slot(self, shared: &Shared) -> Option<Ready> {
        if shared.is_single() {
            // SAFETY: as in `replace_lifo_slot`.
            return unsafe { self.lifo_slot.take_alone() };
        }
        self.lifo_slot.take()
    }
}

impl Remote {
    /// A message is being handled there, and not one that waits for a person.
    fn works(&self) -> bool {
        self.activity.is_busy() && !self.activity.is_held()
    }

    /// The half of the worker, for the thread that asks first.
    fn claim(&'static self) -> Option<Local> {
        let first = !self.claimed.swap(true, Ordering::Acquire);
        first.then_some(Local {
            remote: self,
            thread: PhantomData,
        })
    }

    /// The thread that has claimed it is about to end, and uses its half no more; another one may claim it.
    fn give_back(&self) {
        self.claimed.store(false, Ordering::Release);
    }

    /// Who found the owner held up: the owner may notify it at once the next time.
    fn reset_notify_backoff(&self) {
        self.watched.store(true, Ordering::Relaxed);
        self.notify_watcher_every.store(1, Ordering::Relaxed);
        self.notify_watcher_at.store(0, Ordering::Relaxed);
    }
}

impl Shared {
    /// There is one worker, so that only the owner touches its slot.
    #[inline]
    fn is_single(&self) -> bool {
        self.workers.len() == 1
    }

    /// How many workers share what all may take from.
    fn sharers(&self) -> usize {
        self.workers.len() - spare::places()
    }

    /// What one of them takes from a shared queue at a time, less one.
    #[cold]
    fn part_of(&self, queue: &Injector<Ready>) -> usize {
        (queue.len() / (self.sharers() + 1)).min(32)
    }

    /// There is a ready service that its worker does not run next: another worker should.
    #[inline]
    fn wake_for_surplus(&self) {
        let watcher = self.watcher.load(Ordering::SeqCst);
        if watcher != 0 {
            self.idle.parker(watcher - 1).wake();
        } else if self.idle.should_notify() {
            self.notify_one();
        }
    }

    #[cold]
    fn notify_one(&self) {
        if self.idle.notify_one() {
            watchdog::arm();
        }
    }

    /// Whether something is in a shared queue or a ring.
    fn anything(&self) -> bool {
        !INJECTOR.is_empty()
            || !OVERFLOW.is_empty()
            || self.workers.iter().any(|w| !w.queue.is_empty())
    }

    /// Whether something is in a slot.
    fn any_slot(&self) -> bool {
        let full = |w: &Remote| !w.lifo_slot.is_empty();
        self.workers.iter().any(full)
    }

    fn quits(&self) -> bool {
        self.quit.load(Ordering::Acquire)
    }
}

/// The last service has ended: the workers stop, and with them the node.
pub fn on_empty() {
    let Some(shared) = SHARED.get() else { return };
    shared.quit.store(true, Ordering::SeqCst);
    for index in 0..shared.workers.len() {
        shared.idle.parker(index).wake();
    }
    spare::end();
    (shared.on_empty)();
}

/// Whether one thread serves in all: the calling one, if that is a worker.
pub fn has_one_worker() -> bool {
    SHARED
        .get()
        .is_some_and(|shared| spare::running(shared.workers.len()) == 1)
}

/// Any thread: whether a worker has nothing to do.
pub fn has_idle_worker() -> bool {
    SHARED.get().is_some_and(|s| s.idle.has_idle_worker())
}

/// Any thread but the workers, at time `now`: a timer is due, and no worker has come to it. The one that slept until then does not
/// run, and another is to be woken before it.
pub fn timer_is_late(now: u64) {
    let Some(shared) = SHARED.get() else { return };
    if shared.timed.load(Ordering::Relaxed) <= now {
        let late = shared.timed_worker.load(Ordering::Relaxed);
        shared.timed.store(u64::MAX, Ordering::Relaxed);
        shared.idle.pass_over(late);
    }
}

/// True once the workers stop.
pub fn has_ended() -> bool {
    SHARED.get().is_some_and(Shared::quits)
}

/// How many turns all workers have had: another number, and services have run.
pub fn turns() -> u64 {
    let workers = SHARED.get().map_or(&[][..], |shared| &shared.workers);
    workers
        .iter()
        .map(|worker| worker.ticks.load(Ordering::Relaxed))
        .fold(0, u64::wrapping_add)
}

/// A number of the turn that the calling thread, a worker, is in or has had last: another one for each turn of each worker,
/// for a long time. 0 on other threads.
pub fn current_turn() -> u64 {
    WORKER.get().map_or(0, |worker| {
        let place = std::ptr::from_ref(worker.remote) as u64;
        worker
            .ticks
            .load(Ordering::Relaxed)
            .wrapping_add(place << 32)
            .max(1)
    })
}

/// What every worker is doing, in their order.
///
/// Some may be places of spare workers that rest, or were never started ([`Activity::is_attached`]).
pub fn activities() -> impl ExactSizeIterator<Item = &'static Activity> {
    let workers = SHARED.get().map_or(&[][..], |shared| &shared.workers);
    workers.iter().map(|worker| &worker.activity)
}

/// The worker that the thread with this id is, and what it is doing. Async-signal-safe.
pub fn worker_of(thread: i32) -> Option<(usize, Option<Running>)> {
    let workers = &SHARED.get()?.workers;
    let index = workers.iter().position(|w| w.activity.thread() == thread)?;
    Some((index, workers[index].activity.running()))
}

/// Which message the calling worker is in, as [`Activity::count`] says; `None` on other threads.
#[cfg(feature = "lua")]
pub fn current_count() -> Option<i32> {
    WORKER.get().map(|worker| worker.activity.count())
}
