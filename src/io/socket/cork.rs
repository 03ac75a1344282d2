//! Several writes to one stream in one turn of a service. A service often has more to say to a client than one packet: the
//! first goes out at once, and what follows in the same turn is put together and goes out at the end of the turn, by one
//! system call.
//!
//! What is held back is in the socket's write queue, and `corked` of its slot says so. Thus it keeps its place before
//! whatever any thread sends later. It goes out
//! - at the end of the turn ([`Shared::end_turn`]),
//! - as soon as it is more than [`MOST`], or something follows that is large, of low priority, or over a limit of queued bytes,
//! - before the socket is closed, before the end of its stream is seen to, and before somebody asks for its statistics,
//! - when the turn goes on for more than [`PATIENCE`]: the monitor thread looks ([`Shared::uncork_late`]), or the timer thread if that is
//!   late itself. They wait for no thread: what another one has in its hands they look at again later, and not the end of the turn,
//! - and before the process ends by `exit`.
//!
//! Only small writes are held back, only on threads for which [`super::Hooks::turn`] has a number, and each goes on a list, of
//! which every worker has its own. The list is filled after the queue, and both ends of `corked` are under the handoff lock, so
//! whoever takes a socket off a list finds what it is there for.

use super::buffer::{Ask, Block};
use super::handoff::Entry;
use super::shared::Shared;
use super::slot::Slot;
use crate::base::clock;
use crate::scheduler::watchdog;
use parking_lot::Mutex;
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest write that is held back, and the bytes that one socket holds back at most.
const SMALL: usize = 1024;
const MOST: usize = 16 * 1024;
/// Nanoseconds after which the monitor thread sees to what is held back: more than all but few turns take, and less than a player
/// notices (docs/internals/scheduler.md, "How long a thread is waited for").
const PATIENCE: u64 = 2_000_000;
/// The timer thread looks so much later.
const LATE: u64 = 3_000_000;
/// Workers beyond this number share the lists.
const LISTS: usize = 16;
/// A list keeps its memory for so many sockets at most.
const MOST_KEPT: usize = 16 * 1024;

/// Sockets that hold something back, of the workers that have this list.
#[derive(Default)]
#[repr(align(64))]
struct List {
    corked: Mutex<Corked>,
}

#[derive(Default)]
struct Corked {
    ids: Vec<i32>,
    /// When the first of them came.
    since: u64,
}

/// What is held back, of all threads.
#[derive(Default)]
pub(super) struct Corks {
    lists: [List; LISTS],
    /// What each of those that look has taken off the lists, and another thread had in its hands.
    late: [Mutex<Vec<i32>>; 2],
}

/// Who looks whether something is held back for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looker {
    Monitor,
    /// In the monitor thread's place.
    Timer,
}

impl Looker {
    fn patience(self) -> u64 {
        match self {
            Looker::Monitor => PATIENCE,
            Looker::Timer => PATIENCE + LATE,
        }
    }
}

thread_local! {
    /// Index of the thread's list.
    static MINE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % LISTS
    };
    /// Something is on the list that this thread has put there. (One server of a process has turns: the node's.)
    static SOME: Cell<bool> = const { Cell::new(false) };
}

/// Whether the turn that ends on this thread has held something back.
#[inline(always)]
pub(super) fn is_some_here() -> bool {
    SOME.get()
}

impl Shared {
    /// Whether a write of so many bytes is to be held back, on a socket on which nothing waits: the turn has written to it
    /// before. The caller owns the handoff lock.
    pub(super) fn is_to_cork(&self, slot: &Slot, low: bool, bytes: usize) -> bool {
        let turn = (self.turn)();
        if turn == 0 || slot.turn.swap(turn, Ordering::Relaxed) != turn {
            return false;
        }
        !low && self.may_hold_back(slot, 0, bytes)
    }

    /// Whether so many bytes more may be held back. The caller owns the handoff lock.
    pub(super) fn may_hold_back(&self, slot: &Slot, queued: usize, bytes: usize) -> bool {
        let all = queued + bytes;
        bytes <= SMALL
            && all <= MOST.min(self.limit_of(slot))
            && self.queued.load(Ordering::Relaxed) + bytes
                <= self.limits.total.load(Ordering::Relaxed)
    }

    /// What has just been queued on a socket is held back until the end of the turn. The caller owns the handoff lock.
    pub(super) fn cork(&self, slot: &Slot, id: i32) {
        slot.corked.store(true, Ordering::Relaxed);
        let mut list = self.corks.lists[MINE.with(|mine| *mine)].corked.lock();
        if list.ids.is_empty() {
            list.since = clock::monotonic_nanos();
            watchdog::MONITOR.at_latest(list.since + Looker::Monitor.patience());
            watchdog::TIMER.at_latest(list.since + Looker::Timer.patience());
        }
        list.ids.push(id);
        SOME.set(true);
    }

    /// Writes what a socket holds back. The caller owns the handoff lock.
    pub(super) fn uncork(&self, slot: &Slot) {
        if slot.corked.swap(false, Ordering::Relaxed) {
            self.flush_for_others(slot);
        }
    }

    /// The end of a turn on this thread: what it has held back goes out.
    #[cold]
    pub fn end_turn(&self) {
        SOME.set(false);
        self.uncork_list(&self.corks.lists[MINE.with(|mine| *mine)]);
    }

    /// What has been held back for long by time `now` goes out. When to look again.
    pub fn uncork_late(&self, looker: Looker, now: u64) -> u64 {
        let patience = looker.patience();
        let again = now.saturating_add(PATIENCE);
        let mut next = u64::MAX;
        // Only the end of the process takes it as well.
        let mut late = self.corks.late[looker as usize].lock();
        for list in &self.corks.lists {
            let Some(mut corked) = list.corked.try_lock() else {
                next = next.min(again);
                continue;
            };
            if corked.ids.is_empty() {
                continue;
            }
            let due = corked.since.saturating_add(patience);
            if due <= now {
                late.append(&mut corked.ids);
            } else {
                next = next.min(due);
            }
        }
        late.retain(|&id| !self.try_uncork_id(id));
        if late.is_empty() {
            next
        } else {
            next.min(again)
        }
    }

    /// Before the end of the process: what is held back goes out.
    pub fn uncork_all(&self) {
        for list in &self.corks.lists {
            self.uncork_list(list);
        }
        for late in &self.corks.late {
            for id in std::mem::take(&mut *late.lock()) {
                self.uncork_id(id);
            }
        }
    }

    fn uncork_list(&self, list: &List) {
        let ids = std::mem::take(&mut list.corked.lock().ids);
        for &id in &ids {
            self.uncork_id(id);
        }
        let mut list = list.corked.lock();
        if list.ids.capacity() == 0 && ids.capacity() <= MOST_KEPT {
            list.ids = ids;
            list.ids.clear();
        }
    }

    /// Writes what a socket holds back, if it does, or has the owner of the handoff lock do that.
    fn uncork_id(&self, id: i32) {
        let slot = self.table.slot(id);
        if !slot.corked.load(Ordering::Relaxed) {
            return;
        }
        let handoff = &slot.handoff;
        let asks = || Block::asking(id, Ask::Uncork);
        if handoff.try_enter() || matches!(handoff.enter_or_hand_over(asks()), Entry::Owner(_)) {
            self.uncork(slot);
            self.leave(slot);
        }
    }

    /// [`Shared::uncork_id`], unless another thread owns the handoff lock.
    fn try_uncork_id(&self, id: i32) -> bool {
        let slot = self.table.slot(id);
        if !slot.corked.load(Ordering::Relaxed) {
            return true;
        }
        if !slot.handoff.try_enter() {
            return false;
        }
        self.uncork(slot);
        self.leave(slot);
        true
    }
}
