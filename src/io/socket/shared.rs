//! The part of the server that every thread sees: table, commands, limits. [`super::send`] and [`super::flush`] write.

use super::addr::{Protocol, Text, UdpAddress};
use super::agenda::Agenda;
use super::backoff::Retries;
use super::buffer::{Ask, Block, ObjectInterface};
use super::command::Command;
use super::handoff::Entry;
use super::poller::Poller;
use super::resolve::Resolver;
use super::rules::Rules;
use super::server::Hooks;
use super::slot::{Claimed, Slot, Table};
use super::spare::Spare;
use super::sys::Errno;
use super::totals::Totals;
use super::turn::Scratch;
use super::wait::Events;
use parking_lot::RwLock;
use std::os::fd::{OwnedFd, RawFd};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Where the times of the statistics come from, in centiseconds.
pub enum Clock {
    /// Set from outside (`socket_server_updatetime`).
    Manual(AtomicU64),
    /// Read when needed.
    Function(fn() -> u64),
}

impl Clock {
    fn now(&self) -> u64 {
        match self {
            Clock::Manual(t) => t.load(Ordering::Relaxed),
            Clock::Function(f) => f(),
        }
    }
}

/// How the server takes a connection from a listening descriptor; a test may bring its own.
pub type Accept = dyn Fn(RawFd) -> Result<(OwnedFd, super::addr::SockAddr), Errno> + Send + Sync;

/// Limits for queued bytes; `usize::MAX` means none. A socket that would exceed one is closed with an ERROR event.
pub struct Limits {
    pub(super) per_socket: AtomicUsize,
    pub(super) total: AtomicUsize,
}

/// See the module's documentation.
pub struct Shared {
    /// The sockets.
    pub table: Table,
    /// The kernel's side.
    pub poller: Poller,
    /// For the I/O role: slots of which something is asked.
    pub agenda: Agenda<Claimed>,
    /// When listening sockets accept again.
    pub(super) retries: Retries,
    /// What turns work with, for the next one.
    pub(super) scratch: Spare<Scratch>,
    pub(super) events: Spare<Events>,
    /// For the statistics.
    pub clock: Clock,
    /// See [`super::Hooks::turn`].
    pub turn: fn() -> u64,
    /// For buffers of kind object.
    pub objects: RwLock<ObjectInterface>,
    /// Name look-ups.
    pub resolver: Resolver,
    /// Taking connections.
    pub accept: Box<Accept>,
    /// Where the server's own log lines go.
    pub report: fn(&str),
    /// What differs between the releases.
    pub rules: Rules,
    pub(super) limits: Limits,
    /// TCP keep-alive of new sockets.
    pub(super) keepalive: super::keepalive::ForNew,
    /// Bytes in all write queues.
    pub(super) queued: AtomicUsize,
    /// What is held back until the end of a turn.
    pub(super) corks: super::cork::Corks,
    /// What the node has seen in all.
    pub(super) totals: Totals,
}

impl Shared {
    /// A server without sockets.
    pub fn new(poller: Poller, hooks: Hooks) -> Shared {
        Shared {
            table: Table::new(),
            poller,
            agenda: Agenda::new(),
            retries: Retries::default(),
            scratch: Spare::default(),
            events: Spare::default(),
            clock: hooks.clock,
            turn: hooks.turn,
            objects: RwLock::new(ObjectInterface::default()),
            resolver: Resolver::new(hooks.lookup),
            accept: hooks.accept,
            report: hooks.report,
            rules: hooks.rules,
            limits: Limits {
                per_socket: AtomicUsize::new(usize::MAX),
                total: AtomicUsize::new(usize::MAX),
            },
            keepalive: super::keepalive::ForNew::default(),
            queued: AtomicUsize::new(0),
            corks: super::cork::Corks::default(),
            totals: Totals::default(),
        }
    }

    /// Gives the I/O role something to do.
    pub fn post(&self, command: Command) {
        let slot = self.table.slot(command.id());
        if slot.claim.ask(command) {
            self.schedule(slot);
        }
    }

    /// The caller gives the claim of a slot away, to whoever runs a turn.
    pub(super) fn schedule(&self, slot: &Slot) {
        if self.agenda.push(self.table.claimed(slot)) {
            self.poller.wake();
        }
    }

    /// The caller gives the claim of a slot back.
    pub(super) fn leave_claim(&self, slot: &Slot) {
        // SAFETY: the caller has the claim.
        if !unsafe { slot.claim.try_leave() } {
            self.schedule(slot);
        }
    }

    /// Tells the I/O role to end.
    pub fn ask_exit(&self) {
        if self.agenda.ask_exit() {
            self.poller.wake();
        }
    }

    /// Takes a free slot for a new socket. `None`: there is none.
    pub fn reserve(&self, protocol: Protocol, owner: usize) -> Option<i32> {
        let id = self.reserve_claimed(protocol, owner)?;
        self.leave_claim(self.table.slot(id));
        Some(id)
    }

    /// As [`Shared::reserve`], and the caller has the claim of the slot.
    pub(super) fn reserve_claimed(&self, protocol: Protocol, owner: usize) -> Option<i32> {
        let leave = |slot: &Slot| self.leave_claim(slot);
        self.table.reserve(protocol, owner, leave)
    }

    /// Limits the bytes that may wait to be written, of one socket and of all together. `None`: no limit.
    pub fn set_limits(&self, per_socket: Option<usize>, total: Option<usize>) {
        self.limits
            .per_socket
            .store(per_socket.unwrap_or(usize::MAX), Ordering::Relaxed);
        self.limits
            .total
            .store(total.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    /// The bytes that may wait in one socket.
    pub(super) fn limit_of(&self, slot: &Slot) -> usize {
        match slot.limit.load(Ordering::Relaxed) {
            0 => self.limits.per_socket.load(Ordering::Relaxed),
            own => own,
        }
    }

    /// Limits the bytes that may wait in one socket. `None`: as the node's sockets; `usize::MAX`: no limit. `false`: there
    /// is no such socket.
    pub fn set_limit(&self, id: i32, bytes: Option<usize>) -> bool {
        let slot = self.table.slot(id);
        if slot.state_of(id).is_none() {
            return false;
        }
        slot.limit.store(bytes.unwrap_or(0), Ordering::Relaxed);
        true
    }

    /// The centisecond that goes into the statistics.
    pub fn now(&self) -> u64 {
        self.clock.now()
    }

    /// Sets the default peer of a UDP socket. `false`: there is no such socket.
    pub fn set_peer(&self, id: i32, to: UdpAddress) -> bool {
        let slot = self.table.slot(id);
        if slot.state_of(id).is_none() {
            return false;
        }
        if to.protocol() != slot.protocol() || to == UdpAddress::NONE {
            self.post(Command::Report {
                id,
                text: Text::from("protocol mismatch"),
            });
            return true;
        }
        let mut block = Block::asking(id, Ask::SetPeer);
        block.to = to;
        if let Entry::Owner(block) = slot.handoff.enter_or_hand_over(block) {
            self.take_over(slot, *block);
            self.leave(slot);
        }
        true
    }
}
