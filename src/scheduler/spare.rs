//! Workers in the place of those whose message waits for a person: a debugger has stopped the service.
//!
//! Such a message may wait for hours, and other services must not wait for it. So the worker that is about to wait ([`held`])
//! leaves what is ready to all others, and a spare worker takes its place: a thread that is started when there is none yet.
//! When the message goes on there is one too many, and a spare that has finished its turn gives up what it has and rests.
//! Running workers are then as many as the config says, or for the rest of one turn one more.
//!
//! The places of spares ([`super::Remote`]) are made with those of the others, at the start, where a node may need them
//! ([`allow`]). A node that does not has none, and nothing here costs it anything.

use parking_lot::{Condvar, Mutex};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Starts a thread that calls [`super::run_spare`] with the index. False if the system has none.
pub type Spawn = fn(usize) -> bool;

struct Spares {
    /// How many there may be.
    most: usize,
    spawn: Spawn,
}

#[derive(Default)]
struct Count {
    /// Threads that were started.
    started: usize,
    /// ... of which so many rest.
    resting: usize,
    /// Rests that are over, of threads that have not woken up yet.
    called: usize,
}

static SPARES: OnceLock<Spares> = OnceLock::new();
static COUNT: Mutex<Count> = Mutex::new(Count {
    started: 0,
    resting: 0,
    called: 0,
});
static CALL: Condvar = Condvar::new();
/// Messages that wait, and spares that do not rest. Written with the lock of `COUNT` held.
static HELD: AtomicUsize = AtomicUsize::new(0);
static ACTIVE: AtomicUsize = AtomicUsize::new(0);

/// From now on so many messages may be held at a time. Before [`super::start`]; the first call counts.
pub fn allow(most: usize, spawn: Spawn) {
    let _ = SPARES.set(Spares { most, spawn });
}

/// How many places of spares there are.
pub(super) fn places() -> usize {
    SPARES.get().map_or(0, |spares| spares.most)
}

/// Runs `wait`, in which the message that this thread handles may wait for as long as it likes. `None`, and nothing is run, where
/// that is not possible: the thread is no worker, so many messages are held already as were allowed, or there is no thread
/// to be had.
#[cfg(feature = "lua")]
pub fn held<R>(wait: impl FnOnce() -> R) -> Option<R> {
    let (spares, local, shared) = (SPARES.get()?, super::WORKER.get()?, super::SHARED.get()?);
    begin(spares, shared.workers.len() - spares.most)?;
    // What is ready here, others run now.
    local.clear_out();
    shared.wake_for_surplus();
    local.activity.set_held(true);
    let result = wait();
    local.activity.set_held(false);
    let _count = COUNT.lock();
    HELD.fetch_sub(1, Ordering::SeqCst);
    Some(result)
}

/// One message more is held: one spare more is active.
fn begin(spares: &Spares, first: usize) -> Option<()> {
    let mut count = COUNT.lock();
    let held = HELD.load(Ordering::Relaxed) + 1;
    if held > spares.most {
        return None;
    }
    if ACTIVE.load(Ordering::Relaxed) < held {
        if count.resting > count.called {
            count.called += 1;
            CALL.notify_one();
        } else {
            if count.started == spares.most || !(spares.spawn)(first + count.started) {
                return None;
            }
            count.started += 1;
        }
        ACTIVE.fetch_add(1, Ordering::SeqCst);
    }
    HELD.store(held, Ordering::SeqCst);
    Some(())
}

/// A spare between two turns: whether it is one too many. Then it does not count as active any more, and has to [`rest`].
#[inline]
pub(super) fn is_surplus() -> bool {
    ACTIVE.load(Ordering::Relaxed) > HELD.load(Ordering::Relaxed) && gives_up()
}

#[cold]
fn gives_up() -> bool {
    let _count = COUNT.lock();
    let surplus = ACTIVE.load(Ordering::Relaxed) > HELD.load(Ordering::Relaxed);
    if surplus {
        ACTIVE.fetch_sub(1, Ordering::SeqCst);
    }
    surplus
}

/// Until the spare is needed again, or the node ends.
pub(super) fn rest() {
    let mut count = COUNT.lock();
    count.resting += 1;
    while count.called == 0 && !super::has_ended() {
        CALL.wait(&mut count);
    }
    count.resting -= 1;
    count.called = count.called.saturating_sub(1);
}

/// The node ends: nobody rests any more.
pub(super) fn end() {
    let _count = COUNT.lock();
    CALL.notify_all();
}

/// Threads that serve, of which `workers` are no spares.
pub(super) fn running(workers: usize) -> usize {
    workers - places() + ACTIVE.load(Ordering::Relaxed)
}
