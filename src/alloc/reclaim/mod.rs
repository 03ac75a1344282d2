//! Grace periods: memory that other threads may still be looking at is freed when none of them can.
//!
//! Every thread that reads shared structures without a lock is a participant with a word of its own: 0 while it reads
//! nothing, else the global epoch it saw when it last held no reference. The thread that unlinks a block tags it with a new
//! epoch; the block is freed once every participant is at 0 or has seen the tag.
//!
//! Invariant: a reference obtained under a [`Guard`] is not used after that guard is dropped or renewed ([`Guard::renew`]);
//! such references borrow the guard, so the compiler sees to it. Workers hold one guard for as long as they are awake and
//! renew it between turns, so a look-up inside a turn costs no fence and no shared write.
//!
//! A thread that stays inside, as a worker in an endless callback does, keeps what is retired meanwhile from being freed, of
//! the whole process: a few hundred bytes for each service that ends (its instance goes at once), tables of handles that
//! were outgrown, closed message logs. What waits is counted ([`waiting`]), and the monitor thread reports it when it has
//! become much.

mod epoch;

use crate::alloc::memory;
use crate::base::sync::atomic::AtomicU64;
use epoch::Epoch;
use parking_lot::{Mutex, MutexGuard};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(not(feature = "loom"))]
static EPOCH: Epoch = Epoch::new();
#[cfg(feature = "loom")]
loom::lazy_static! { static ref EPOCH: Epoch = Epoch::new(); }
/// As many as there ever were threads at a time that read. Locked inside of `DEFERRED`, never the other way round.
static PARTICIPANTS: Mutex<Vec<&'static Participant>> = Mutex::new(Vec::new());
/// Not in the order of tags: a thread gets its tag before it gets the lock.
static DEFERRED: Mutex<List> = Mutex::new(List {
    blocks: Vec::new(),
    collect_at: COLLECT_AT,
});

/// So many blocks may wait before a `defer` looks whether some can be freed; later twice as many as could not.
const COLLECT_AT: usize = 64;

struct List {
    blocks: Vec<Deferred>,
    collect_at: usize,
}

/// The word of one thread, on a cache line of its own. Never freed; reused by later threads.
#[repr(align(64))]
struct Participant {
    epoch: AtomicU64,
    used: AtomicBool,
}

struct Deferred {
    tag: u64,
    block: *mut (),
    free: unsafe fn(*mut ()),
}

// SAFETY: a deferred block belongs to the list alone; `free` may run on any thread (contract of `defer`).
unsafe impl Send for Deferred {}

struct Local {
    participant: Cell<Option<&'static Participant>>,
    /// Guards of this thread. A callback runs under its worker's guard, and what it calls looks handles up under one of its own:
    /// only the outermost has to announce something.
    depth: Cell<u32>,
}

/// Gives the thread's participant back when the thread ends.
struct Keeper;

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(p) = LOCAL.with(|local| local.participant.take()) {
            EPOCH.leave(&p.epoch);
            p.used.store(false, Ordering::Release);
        }
    }
}

thread_local! {
    // Without a destructor, so that an access is a plain one; the keeper has it.
    static LOCAL: Local = const { Local { participant: Cell::new(None), depth: Cell::new(0) } };
    static KEEPER: Keeper = const { Keeper };
}

#[cold]
fn register() -> &'static Participant {
    // A thread that reads once more while it ends keeps its participant for ever.
    let _ = KEEPER.try_with(|_| ());
    let mut all = PARTICIPANTS.lock();
    // Threads that services make come and go: without reuse the list, which each collection reads, would only grow.
    for p in all.iter() {
        // Acquire: the word that the thread before has left in `Keeper` is its last.
        if p.used
            .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
        {
            return p;
        }
    }
    let p: &'static Participant = Box::leak(Box::new(Participant {
        epoch: AtomicU64::new(0),
        used: AtomicBool::new(true),
    }));
    all.push(p);
    p
}

/// While it lives, what this thread reads from shared structures is not freed. Nests; not `Send`.
pub struct Guard(std::marker::PhantomData<*mut ()>);

/// Starts (or nests) a reading section of the calling thread.
#[inline]
pub fn enter() -> Guard {
    LOCAL.with(|local| {
        let depth = local.depth.get();
        local.depth.set(depth + 1);
        if depth == 0 {
            enter_first(local);
        }
    });
    Guard(std::marker::PhantomData)
}

#[cold]
fn enter_first(local: &Local) {
    let p = local.participant.get().unwrap_or_else(|| {
        let p = register();
        local.participant.set(Some(p));
        p
    });
    EPOCH.enter(&p.epoch);
}

impl Drop for Guard {
    #[inline]
    fn drop(&mut self) {
        LOCAL.with(|local| {
            let depth = local.depth.get() - 1;
            local.depth.set(depth);
            if depth == 0
                && let Some(p) = local.participant.get()
            {
                EPOCH.leave(&p.epoch);
            }
        });
    }
}

impl Guard {
    /// Keeps nothing from before this call alive any more; as dropping it and entering anew, but cheaper. Inside of another
    /// guard of the same thread it does nothing.
    #[inline]
    pub fn renew(&mut self) {
        LOCAL.with(|local| {
            if local.depth.get() == 1
                && let Some(p) = local.participant.get()
            {
                EPOCH.renew(&p.epoch);
            }
        });
    }
}

/// Frees `block` with `free` when no thread can hold a reference to it any more.
///
/// # Safety
/// `block` is unlinked: no thread finds it from now on. `free` frees it once, on whichever thread comes first.
pub unsafe fn defer(block: *mut (), free: unsafe fn(*mut ())) {
    let tag = EPOCH.tag();
    // Whoever defers or collects, it is not the memory of the service on turn.
    memory::uncharged(|| {
        let many = {
            let mut list = DEFERRED.lock();
            list.blocks.push(Deferred { tag, block, free });
            list.blocks.len() >= list.collect_at
        };
        if many {
            collect();
        }
    });
}

/// Frees what no participant can see any more.
pub fn collect() {
    collect_from(DEFERRED.lock());
}

fn collect_from(mut list: MutexGuard<'_, List>) {
    let free: Vec<Deferred> = {
        let oldest = EPOCH.oldest(PARTICIPANTS.lock().iter().map(|p| &p.epoch));
        // The lock of the participants is released by now: a thread may enter meanwhile, and reads nothing of what was unlinked.
        let mut free = Vec::with_capacity(list.blocks.len());
        free.extend(list.blocks.extract_if(.., |d| d.tag <= oldest));
        // A turn that retires many services must not look at all of them at each.
        list.collect_at = (2 * list.blocks.len()).max(COLLECT_AT);
        let room = 2 * list.collect_at;
        list.blocks.shrink_to(room);
        drop(list);
        free
    };
    // Without the lock: `free` may take long (a message log is closed), and may defer what it unlinks itself.
    for d in free {
        // SAFETY: every participant is outside a reading section or entered it after the block was unlinked.
        unsafe { (d.free)(d.block) }
    }
}

/// Number of blocks that wait; 0 if that cannot be told without a wait: the monitor thread asks, which stands in for threads that
/// the system does not run, and one of these may have the lock.
pub fn waiting() -> usize {
    DEFERRED.try_lock().map_or(0, |list| list.blocks.len())
}

/// [`collect`] if anything waits, and no other thread is in it: never blocks. Cheap if nothing waits. For threads
/// that are about to sleep.
pub fn collect_some() {
    if let Some(list) = DEFERRED.try_lock()
        && !list.blocks.is_empty()
    {
        collect_from(list);
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    static FREED: AtomicUsize = AtomicUsize::new(0);

    /// # Safety
    /// None needed; the signature is that of [`defer`].
    unsafe fn count(_: *mut ()) {
        FREED.fetch_add(1, Ordering::SeqCst);
    }

    #[test]
    fn a_block_outlives_every_reader_that_may_hold_it() {
        let mut guard = enter();
        // SAFETY: `count` touches no block.
        unsafe { defer(std::ptr::null_mut(), count) };
        collect();
        assert_eq!(
            FREED.load(Ordering::SeqCst),
            0,
            "a reader was inside when it was unlinked"
        );
        {
            let mut inner = enter();
            inner.renew();
            collect();
            let freed = FREED.load(Ordering::SeqCst);
            assert_eq!(freed, 0, "the outer guard still protects");
        }
        guard.renew();
        // Other tests of this process may be inside for a moment; they leave by themselves.
        while FREED.load(Ordering::SeqCst) == 0 {
            collect();
            std::thread::yield_now();
        }
        drop(guard);
        assert_eq!(FREED.load(Ordering::SeqCst), 1);
    }
}
