//! The table of sockets. A slot is found by `id % 65536`, in fresh zeroed memory that costs nothing before it is used.
//!
//! Which thread may touch what:
//! - `claim`: any thread. "The I/O role" is who has it; one thread at a time has that role for a slot.
//! - `tag` (id, phase, closing): any thread reads, the I/O role writes. `Free -> Reserved` is made by any thread, with the claim.
//! - `handoff`: any thread. `queue`, `peer`: the owner of the handoff lock only. The I/O role has that lock too when it releases a
//!   slot, so while a thread is inside and the tag still names its socket, the descriptor is valid.
//! - `fd`, `owner`, `reading`, `writing`, `hint`, `errors`: written by the I/O role, read by any (statistics). `role`: the I/O role only.
//! - `ahead`, `throttled`: see [`super::ahead`].
//! - counters: relaxed, written by the I/O role (read) and by the owner of the handoff lock (write).
//! - `limit`: any thread writes, the owner of the handoff lock reads.

use super::addr::{Protocol, UdpAddress};
use super::backoff::AcceptBackoff;
use super::claim::Claim;
use super::command::Command;
use super::connect::Connecting;
use super::handoff::HandoffLock;
use super::queue::WriteQueue;
use super::state::{Phase, State};
use crate::scheduler::injector::Token;
use std::alloc::{Layout, handle_alloc_error};
use std::cell::UnsafeCell;
use std::num::NonZero;
use std::ptr::NonNull;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
};

/// Number of slots: the largest number of sockets at a time.
pub const MAX_SOCKETS: usize = 1 << 16;

/// Id, phase and closing in one word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Tag(u64);

impl Tag {
    const fn new(id: i32, state: State) -> Tag {
        Tag(((id as u32 as u64) << 32) | ((state.closing as u64) << 8) | state.phase as u64)
    }

    /// The socket's id; meaningless if the slot is free.
    pub const fn id(self) -> i32 {
        (self.0 >> 32) as i32
    }

    /// The socket's state.
    pub const fn state(self) -> State {
        State {
            phase: Phase::from_u8(self.0 as u8),
            closing: self.0 & 0x100 != 0,
        }
    }

    /// Whether the slot holds the socket `id` now.
    pub fn is(self, id: i32) -> bool {
        self.id() == id && self.state().phase != Phase::Free
    }
}

/// What only the I/O role has of a slot.
#[derive(Default)]
pub struct Role {
    /// What is left to try for a socket that connects.
    pub connecting: Option<Box<Connecting>>,
    /// A listening socket that cannot accept.
    pub backoff: Option<Box<AcceptBackoff>>,
}

/// The claim of a slot, by its number, on its way through the agenda.
pub struct Claimed(NonZero<usize>);

impl Token for Claimed {
    fn into_raw(self) -> NonNull<()> {
        NonNull::without_provenance(self.0)
    }

    unsafe fn from_raw(raw: NonNull<()>) -> Claimed {
        Claimed(raw.addr())
    }
}

/// One socket.
#[repr(align(64))]
pub struct Slot {
    tag: AtomicU64,
    /// Who does the I/O role's work.
    pub claim: Claim<Command>,
    role: UnsafeCell<Role>,
    /// When a listening socket that cannot accept tries again, in milliseconds of the monotonic clock; see [`super::backoff`].
    pub retry_at: AtomicU64,
    /// Who may write.
    pub handoff: HandoffLock,
    queue: UnsafeCell<Option<Box<WriteQueue>>>,
    peer: UnsafeCell<Option<Box<UdpAddress>>>,
    /// The service that gets the events.
    pub owner: AtomicUsize,
    /// The descriptor; -1 while there is none.
    pub fd: AtomicI32,
    protocol: AtomicU8,
    /// Read events are watched for.
    pub reading: AtomicBool,
    /// Write events are watched for.
    pub writing: AtomicBool,
    /// A limit of the write queue was exceeded; nothing goes out any more. Owner of the handoff lock only.
    pub overflowed: AtomicBool,
    /// What waits does so for the end of a turn only; see [`super::cork`]. Owner of the handoff lock writes.
    pub corked: AtomicBool,
    /// The turn that wrote last. Owner of the handoff lock only.
    pub turn: AtomicU64,
    /// The start of this accepted socket was asked for, so what is written may wait for it.
    pub starting: AtomicBool,
    /// Bytes that were delivered and that the owner has not begun to handle.
    pub ahead: AtomicUsize,
    /// Nothing is read, for `ahead` is too much; see [`super::ahead`].
    pub throttled: AtomicBool,
    /// log2 of the next read's size; 0 for small reads. I/O role only.
    pub hint: AtomicU8,
    /// Errors seen in a row without a successful read. I/O role only.
    pub errors: AtomicU8,
    /// Bytes (or connections, for a listening socket) received.
    pub read: AtomicU64,
    /// Bytes sent.
    pub written: AtomicU64,
    /// Centiseconds of the last receipt.
    pub read_time: AtomicU64,
    /// Centiseconds of the last sending.
    pub write_time: AtomicU64,
    /// Bytes that wait to be written, for readers outside of the handoff lock.
    pub backlog: AtomicUsize,
    /// The limit of the write queue in bytes; 0 is that of the node.
    pub limit: AtomicUsize,
}

// SAFETY: the cells are only touched by the owner of the handoff lock, or `role` by who has the claim (see the module's documentation).
unsafe impl Sync for Slot {}

impl Slot {
    /// Id and state as they are now.
    #[inline]
    pub fn tag(&self) -> Tag {
        Tag(self.tag.load(Ordering::Acquire))
    }

    /// The state, if the slot holds `id`.
    #[inline]
    pub fn state_of(&self, id: i32) -> Option<State> {
        let tag = self.tag();
        tag.is(id).then(|| tag.state())
    }

    /// Sets the state (I/O role).
    pub fn set_state(&self, id: i32, state: State) {
        self.tag.store(Tag::new(id, state).0, Ordering::Release);
    }

    /// What the socket speaks.
    pub fn protocol(&self) -> Protocol {
        Protocol::from_u8(self.protocol.load(Ordering::Relaxed))
    }

    /// The write queue.
    ///
    /// # Safety
    /// The caller owns the handoff lock, and holds no other reference from here or from [`Slot::peer`].
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn queue(&self) -> &mut Option<Box<WriteQueue>> {
        // SAFETY: the owner of the handoff lock is alone with the cell.
        unsafe { &mut *self.queue.get() }
    }

    /// The default peer of a UDP socket.
    ///
    /// # Safety
    /// As for [`Slot::queue`].
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn peer(&self) -> &mut Option<Box<UdpAddress>> {
        // SAFETY: the owner of the handoff lock is alone with the cell.
        unsafe { &mut *self.peer.get() }
    }

    /// What only the I/O role has.
    ///
    /// # Safety
    /// The caller has the claim, and holds no other reference from here.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn role(&self) -> &mut Role {
        // SAFETY: who has the claim is alone with the cell.
        unsafe { &mut *self.role.get() }
    }

    fn prepare(&self, protocol: Protocol, owner: usize) {
        self.owner.store(owner, Ordering::Relaxed);
        self.protocol.store(protocol as u8, Ordering::Relaxed);
        self.fd.store(-1, Ordering::Relaxed);
        self.reading.store(false, Ordering::Relaxed);
        self.writing.store(false, Ordering::Relaxed);
        self.overflowed.store(false, Ordering::Relaxed);
        self.corked.store(false, Ordering::Relaxed);
        self.turn.store(0, Ordering::Relaxed);
        self.starting.store(false, Ordering::Relaxed);
        self.limit.store(0, Ordering::Relaxed);
        self.ahead.store(0, Ordering::Relaxed);
        self.throttled.store(false, Ordering::Relaxed);
        self.hint.store(0, Ordering::Relaxed);
        self.errors.store(0, Ordering::Relaxed);
        for counter in [&self.read, &self.written, &self.read_time, &self.write_time] {
            counter.store(0, Ordering::Relaxed);
        }
    }
}

/// All slots of one server.
pub struct Table {
    slots: NonNull<Slot>,
    /// Ids that were tried: more than 2^31 where they have started again.
    ids: AtomicU64,
    taken: AtomicU32,
}

// SAFETY: the table owns its slots, and they are Sync.
unsafe impl Send for Table {}
// SAFETY: shared references to the table lead to shared references to slots alone, and a slot is Sync.
unsafe impl Sync for Table {}

impl Table {
    const LAYOUT: Layout = match Layout::array::<Slot>(MAX_SOCKETS) {
        Ok(l) => l,
        Err(_) => unreachable!(),
    };

    /// A table of free slots.
    pub fn new() -> Table {
        // Straight from the kernel: an allocator that has to align the block would write all of it.
        // SAFETY: a new mapping touches nothing that exists. All-zero is a valid Slot: a free tag and lock, and no boxes.
        let raw = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                Self::LAYOUT.size(),
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        let slots = match NonNull::new(raw.cast::<Slot>()) {
            Some(slots) if raw != libc::MAP_FAILED => slots,
            _ => handle_alloc_error(Self::LAYOUT),
        };
        Table {
            slots,
            ids: AtomicU64::new(0),
            taken: AtomicU32::new(0),
        }
    }

    /// The slot in which `id` would be.
    #[inline]
    pub fn slot(&self, id: i32) -> &Slot {
        // SAFETY: the index is below the number of slots.
        unsafe { self.slots.add(id as u32 as usize % MAX_SOCKETS).as_ref() }
    }

    /// A slot's claim, which the caller has, to be given to another thread.
    pub fn claimed(&self, slot: &Slot) -> Claimed {
        let at = (&raw const *slot).addr() - self.slots.addr().get();
        Claimed(NonZero::<usize>::MIN.saturating_add(at / size_of::<Slot>()))
    }

    /// The slot whose claim the caller has with this.
    pub fn slot_of(&self, claimed: Claimed) -> &Slot {
        self.slot((claimed.0.get() - 1) as i32)
    }

    /// All slots in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Slot> {
        (0..MAX_SOCKETS as i32).map(|i| self.slot(i))
    }

    /// The slots that are taken, as far as that can be told while others take and release some.
    pub fn in_use(&self) -> impl Iterator<Item = &Slot> {
        self.touched()
            .filter(|slot| slot.tag().state().phase != Phase::Free)
            .take(self.taken())
    }

    /// All slots but those that were never taken.
    pub fn touched(&self) -> impl Iterator<Item = &Slot> {
        // Slots behind the highest id were never touched.
        let last = self.ids.load(Ordering::Relaxed);
        let most = last.min(MAX_SOCKETS as u64 - 1) as i32;
        (0..=most).map(|i| self.slot(i))
    }

    /// Number of sockets.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed) as usize
    }

    /// Takes a free slot for a new socket, with its claim: ids grow by one, skip what is taken, and start again after 2^31 - 1.
    /// `leave` gives back a claim that is not needed.
    pub fn reserve(&self, protocol: Protocol, owner: usize, leave: impl Fn(&Slot)) -> Option<i32> {
        if self.taken.fetch_add(1, Ordering::AcqRel) as usize >= MAX_SOCKETS {
            self.taken.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        // The count above promises a free slot; a thread that has its claim may hide it, perhaps for long.
        for _ in 0..2 * MAX_SOCKETS {
            let id = (self.ids.fetch_add(1, Ordering::Relaxed) + 1) as i32 & i32::MAX;
            let slot = self.slot(id);
            if id == 0 || slot.tag().state().phase != Phase::Free || !slot.claim.try_enter() {
                continue;
            }
            if slot.tag().state().phase == Phase::Free {
                slot.prepare(protocol, owner);
                slot.set_state(id, State::new(Phase::Reserved));
                return Some(id);
            }
            // Another thread has just got it.
            leave(slot);
        }
        self.taken.fetch_sub(1, Ordering::AcqRel);
        None
    }

    /// Gives a slot back (I/O role, inside the handoff lock, after everything else of the socket is gone).
    pub fn release(&self, id: i32) {
        self.slot(id).set_state(id, State::new(Phase::Free));
        self.taken.fetch_sub(1, Ordering::AcqRel);
    }

    /// Lets the ids go on behind `id`.
    #[cfg(all(test, not(feature = "loom")))]
    pub fn set_last_id(&self, id: i32) {
        self.ids.store(id as u64, Ordering::Relaxed);
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        for slot in self.touched() {
            // SAFETY: `&mut self`: no other thread has the table; untouched slots have nothing to drop.
            unsafe {
                (*slot.queue.get()).take();
                (*slot.peer.get()).take();
                *slot.role.get() = Role::default();
                slot.claim.clear();
            }
        }
        // SAFETY: mapped in `new` with this size, and slots are borrowed from the table.
        unsafe { libc::munmap(self.slots.as_ptr().cast(), Self::LAYOUT.size()) };
    }
}
