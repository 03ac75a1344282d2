//! Garbage of Lua services that have become quiet.
//!
//! Lua's collector moves with allocations only. What a burst leaves behind stays until the service has allocated about as
//! much again, which a quiet one never does. So:
//!
//! - At the end of a turn a VM with more than [`FLOOR`] bytes, and others than after its last collection, is put on a list
//!   ([`Watch`]). That is one comparison; services that are no VMs, and VMs on the list, pay less. A VM in which something
//!   depends on what its collector finds has no such floor ([`await_collector`]).
//! - The monitor thread, which wakes every few seconds anyway, asks for a look at those on the list ([`mark_due`]): it marks the
//!   service, and makes it ready if it is idle. There is no message, so that nobody counts, logs or sees one.
//! - The worker that has the turn looks ([`end_of_turn`]). A service whose own collector will soon be at work is left to it.
//!   The others are collected, a few milliseconds in each turn, behind the messages that have come meanwhile, and other services
//!   have their turns in between.
//!
//! A collection that finds little costs as much as one that finds much. After such a one the next comes later, up to
//! [`LONGEST`], unless the VM has grown by half; and all of a VM's collections together take at most a fiftieth of the time of
//! one worker. A service that does nothing at all after its collection is not looked at again.
//!
//! The mark may come when the turn has looked for it already, and the service idle soon after: then the next look of the
//! monitor makes it ready.

use super::context::{Context, grab};
use super::dispatch::settle;
use super::own::Own;
use super::vm::{self, Piece};
use crate::actor::module::Module;
use crate::alloc::memory;
use crate::base::clock;
use crate::base::message::{Message, ptype};
use crate::scheduler::{self, Activity, cpu};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// A VM with so many bytes is not worth a look.
const FLOOR: usize = 8 * 1024 * 1024;
const SECOND: u64 = 1_000_000_000;
/// Nanoseconds from the end of a collection to the next look: at least, and at most after several that found little.
const SHORTEST: u64 = 5 * SECOND;
const LONGEST: u64 = 300 * SECOND;
/// The same as [`LONGEST`] for a VM that depends on its collector; more where this is less than so many times what the last
/// collection took.
const LONGEST_AWAITED: u64 = 30 * SECOND;
const AWAITED_SHARE: u64 = 200;
/// One part in so many is what collections may take of a worker's time.
const SHARE: u64 = 50;
/// A service that has allocated less than one part in so many of what it has, between two looks, is quiet.
const QUIET: usize = 48;

/// In [`Watch::bytes`]: not to be put on the list.
const UNWATCHED: usize = usize::MAX;

static ENABLED: AtomicBool = AtomicBool::new(false);
/// Services with an [`Entry`]. Locked for a few instructions.
static LIST: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// Whether services that are launched from now on are looked after. Somebody has to call [`mark_due`] then.
pub fn enable(on: bool) {
    ENABLED.store(on, Relaxed);
}

/// What a service's own turns look at.
pub(super) struct Watch {
    /// What the VM had after its last collection; [`UNWATCHED`] for a service that is no VM, or one that waits for a look.
    bytes: AtomicUsize,
    /// A VM with no more is not put on the list: [`FLOOR`], or 0 when something waits for its collector.
    floor: AtomicUsize,
    /// The monitor wants a look, or a collection is under way.
    wanted: AtomicBool,
    /// Of a VM above the floor. The service's own thread has it locked during a piece of a collection, others for a moment.
    entry: Mutex<Option<Box<Entry>>>,
}

impl Watch {
    pub(super) fn new(module: &Module) -> Watch {
        let watched = ENABLED.load(Relaxed) && vm::is_vm(module);
        Watch {
            bytes: AtomicUsize::new(if watched { 0 } else { UNWATCHED }),
            floor: AtomicUsize::new(FLOOR),
            wanted: AtomicBool::new(false),
            entry: Mutex::new(None),
        }
    }
}

/// What is remembered of a VM above the floor.
#[derive(Debug, Default)]
struct Entry {
    /// It has run since its last collection.
    waits: bool,
    /// Not before this time, unless it has grown.
    due: u64,
    /// Not before this time in any case.
    due_at_best: u64,
    /// How long it waits after its next collection.
    pause: u64,
    /// What it had after its last collection.
    left: usize,
    seen: Option<Seen>,
    collection: Option<Collection>,
}

/// What a look found.
#[derive(Clone, Copy, Debug)]
struct Seen {
    bytes: usize,
    /// Changes when the VM's own collector does something.
    collector: usize,
    /// The look before found about as much.
    steady: bool,
}

#[derive(Debug)]
struct Collection {
    /// The VM's business.
    phase: i32,
    before: usize,
    spent: u64,
}

impl Seen {
    /// Whether the VM's own collector has nothing to do between the looks, and will have nothing soon. When it has done
    /// something and the VM is as large as before, that may be chance once.
    fn is_quiet(&mut self, before: &Seen) -> bool {
        let change = self.bytes.abs_diff(before.bytes);
        self.steady = change <= self.bytes / QUIET;
        self.steady && (self.collector == before.collector || before.steady)
    }
}

impl Entry {
    fn is_due(&self, now: u64, bytes: usize) -> bool {
        self.waits
            && (now >= self.due || now >= self.due_at_best && bytes > self.left + self.left / 2)
    }

    /// A look at the VM, which has so many bytes. Whether it is to be collected.
    fn has_become_quiet(&mut self, mut seen: Seen) -> bool {
        let quiet = (self.seen).is_some_and(|before| seen.is_quiet(&before));
        self.seen = Some(seen);
        quiet
    }

    /// A collection has ended at time `now`, and `left` bytes.
    fn schedule_next(&mut self, now: u64, left: usize, collection: &Collection, longest: u64) {
        let freed = collection.before.saturating_sub(left);
        self.pause = if freed < collection.before / 4 {
            (self.pause * 2).min(longest)
        } else {
            SHORTEST
        };
        self.due_at_best = now + SHORTEST.max(collection.spent * SHARE);
        self.due = self.due_at_best.max(now + self.pause);
        self.left = left;
        self.waits = false;
        self.seen = None;
    }
}

/// Monitor thread, now and then: asks for a look at those whose time has come.
pub fn mark_due(now: u64) {
    let handles = LIST.lock().clone();
    for handle in handles {
        let Some(this) = grab(handle) else {
            LIST.lock().retain(|&listed| listed != handle);
            continue;
        };
        // Locked: it is being collected.
        let entry = this.watch.entry.try_lock();
        let due = entry.is_some_and(|entry| {
            let entry = entry.as_ref();
            entry.is_some_and(|entry| entry.is_due(now, this.vm_bytes()))
        });
        if due {
            this.watch.wanted.store(true, Relaxed);
            if let Some(own) = this.try_own() {
                scheduler::submit(own.into_ready());
            }
        }
    }
}

/// From now on the VM is looked after however small it is: what its collector finds is waited for.
pub fn await_collector(this: &Own<'_>) {
    this.watch.floor.store(0, Relaxed);
}

/// The end of a turn. True if the service is to have another one.
///
/// # Safety
/// No callback of the service runs.
#[inline(always)]
pub(super) unsafe fn end_of_turn(this: &mut Own<'_>, activity: &Activity) -> bool {
    let known = this.watch.bytes.load(Relaxed);
    if known != UNWATCHED {
        let bytes = this.vm_bytes();
        if bytes > this.watch.floor.load(Relaxed) && bytes != known {
            put_on_list(this);
        }
    }
    // SAFETY: contract of this function.
    this.watch.wanted.load(Relaxed) && unsafe { attend(this, activity) }
}

#[cold]
fn put_on_list(this: &Context) {
    this.watch.bytes.store(UNWATCHED, Relaxed);
    memory::uncharged(|| {
        let mut entry = this.watch.entry.lock();
        if let Some(entry) = entry.as_mut() {
            entry.waits = true;
            return;
        }
        *entry = Some(Box::new(Entry {
            waits: true,
            pause: SHORTEST,
            ..Entry::default()
        }));
        LIST.lock().push(this.handle());
    });
}

#[cold]
fn take_off_list(this: &Context) {
    let handle = this.handle();
    LIST.lock().retain(|&listed| listed != handle);
    this.watch.bytes.store(0, Relaxed);
}

/// Looks at the service, and does a piece of its collection. True if there is more to do.
///
/// # Safety
/// As [`end_of_turn`].
#[cold]
unsafe fn attend(this: &mut Own<'_>, activity: &Activity) -> bool {
    if this.is_retired() {
        return false;
    }
    // So that it is found, should a finalizer of the service not return.
    activity.message(&Message::empty(0, ptype::SYSTEM, 0));
    let start = if this.profile { cpu::begin_turn() } else { 0 };
    memory::turn_begin();
    // SAFETY: contract of this function.
    let more = unsafe { step(this) };
    memory::turn_end(&this.memory);
    if this.profile {
        settle(this, start);
    }
    if !more {
        this.watch.wanted.store(false, Relaxed);
    }
    more
}

/// # Safety
/// As [`end_of_turn`].
unsafe fn step(this: &mut Own<'_>) -> bool {
    let mut place = this.context().watch.entry.lock();
    let Some(entry) = place.as_mut() else {
        return false;
    };
    // SAFETY: contract of this function.
    let more = unsafe { entry.collect_piece(this) };
    if !more && entry.left <= FLOOR && !entry.waits {
        memory::uncharged(|| *place = None);
        take_off_list(this);
    }
    more
}

impl Entry {
    /// Looks or collects. Whether there is more to do.
    ///
    /// # Safety
    /// As [`end_of_turn`].
    unsafe fn collect_piece(&mut self, this: &mut Own<'_>) -> bool {
        let bytes = this.vm_bytes();
        if self.collection.is_none() {
            if bytes <= this.watch.floor.load(Relaxed) {
                // Its own collector was faster.
                (self.left, self.waits) = (bytes, false);
                return false;
            }
            let seen = Seen {
                bytes,
                collector: this.vm_collector(),
                steady: false,
            };
            if !self.has_become_quiet(seen) {
                return false;
            }
        }
        let mut collection = self.collection.take().unwrap_or(Collection {
            phase: 0,
            before: bytes,
            spent: 0,
        });
        let begin = clock::monotonic_nanos();
        // SAFETY: contract of this function.
        let piece = unsafe { this.vm_collect(&mut collection.phase) };
        let now = clock::monotonic_nanos();
        collection.spent += now - begin;
        if piece == Piece::More {
            self.collection = Some(collection);
            return true;
        }
        let left = this.vm_bytes();
        let longest = if this.watch.floor.load(Relaxed) == 0 {
            LONGEST_AWAITED
                .max(collection.spent * AWAITED_SHARE)
                .min(LONGEST)
        } else {
            LONGEST
        };
        self.schedule_next(now, left, &collection, longest);
        this.watch.bytes.store(left, Relaxed);
        false
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    const MB: usize = 1 << 20;

    fn waiting() -> Entry {
        Entry {
            waits: true,
            pause: SHORTEST,
            ..Entry::default()
        }
    }

    fn seen(bytes: usize, collector: usize) -> Seen {
        Seen {
            bytes,
            collector,
            steady: false,
        }
    }

    fn collected(entry: &mut Entry, now: u64, before: usize, left: usize, spent: u64) {
        let collection = Collection {
            phase: 0,
            before,
            spent,
        };
        entry.schedule_next(now, left, &collection, LONGEST);
        entry.waits = true;
    }

    #[test]
    fn a_service_is_quiet_when_its_collector_does_nothing_and_it_hardly_allocates() {
        let mut entry = waiting();
        assert!(
            !entry.has_become_quiet(seen(500 * MB, 1)),
            "nothing to compare with"
        );
        assert!(entry.has_become_quiet(seen(501 * MB, 1)));
        assert!(!entry.has_become_quiet(seen(530 * MB, 1)), "it allocates");
    }

    #[test]
    fn a_collector_at_work_that_leaves_as_much_as_before_is_believed_the_second_time() {
        let mut entry = waiting();
        assert!(!entry.has_become_quiet(seen(500 * MB, 1)));
        assert!(!entry.has_become_quiet(seen(500 * MB, 2)));
        assert!(entry.has_become_quiet(seen(500 * MB, 3)));
    }

    #[test]
    fn what_finds_little_comes_less_and_less_often_and_a_burst_does_not_wait_for_it() {
        let mut entry = waiting();
        let mut pauses = Vec::new();
        for _ in 0..10 {
            collected(&mut entry, 0, 200 * MB, 190 * MB, SECOND / 10);
            pauses.push(entry.due / SECOND);
        }
        assert_eq!(pauses, [10, 20, 40, 80, 160, 300, 300, 300, 300, 300]);
        assert!(!entry.is_due(299 * SECOND, 200 * MB));
        assert!(entry.is_due(300 * SECOND, 200 * MB));
        assert!(entry.is_due(5 * SECOND, 300 * MB), "grown by half");
        collected(&mut entry, 0, 600 * MB, 190 * MB, SECOND / 10);
        assert_eq!(entry.due, 5 * SECOND, "much was found");
    }

    #[test]
    fn collections_take_a_fiftieth_of_the_time_at_most() {
        let mut entry = waiting();
        collected(&mut entry, 0, 4000 * MB, 1000 * MB, 2 * SECOND);
        assert!(!entry.is_due(99 * SECOND, 4000 * MB));
        assert!(entry.is_due(100 * SECOND, 4000 * MB));
    }

    #[test]
    fn a_service_that_has_done_nothing_since_is_not_due() {
        let mut entry = waiting();
        collected(&mut entry, 0, 500 * MB, 190 * MB, SECOND / 10);
        entry.waits = false;
        assert!(!entry.is_due(10_000 * SECOND, 190 * MB));
    }
}
