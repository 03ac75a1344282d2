//! What all sockets of a server have done together, those included that are closed.

use super::shared::Shared;
use super::slot::Slot;
use super::state::Phase;
use crate::base::rising::Rising;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that outlive their sockets. Nothing here is touched by a read or a write: a socket has counters of its own,
/// which are added up when it goes.
#[derive(Default)]
pub struct Totals {
    read: AtomicU64,
    written: AtomicU64,
    accepted: AtomicU64,
    shown: [Rising; 3],
    /// Sockets that were closed because a limit of queued bytes was exceeded.
    pub overflows: AtomicU64,
    /// Datagrams that were dropped for that reason.
    pub dropped: AtomicU64,
}

impl Totals {
    /// Adds up what a socket has done that is released now (I/O thread).
    pub fn fold_totals(&self, slot: &Slot) {
        let listener = matches!(slot.tag().state().phase, Phase::PreListen | Phase::Listen);
        let received = if listener { &self.accepted } else { &self.read };
        // In this order: a reader in between misses some, and counts none twice.
        received.fetch_add(slot.read.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        let written = slot.written.swap(0, Ordering::Relaxed);
        self.written.fetch_add(written, Ordering::Relaxed);
    }
}

/// A look at a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Sockets at present.
    pub sockets: usize,
    /// Bytes that wait to be written.
    pub queued: usize,
    /// Bytes received.
    pub read: u64,
    /// Bytes sent.
    pub written: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Sockets closed because of a limit of queued bytes.
    pub overflows: u64,
    /// Datagrams dropped for that reason.
    pub dropped: u64,
}

impl Figures {
    pub(super) fn of(shared: &Shared) -> Figures {
        let totals = &shared.totals;
        let mut figures = Figures {
            sockets: shared.table.taken(),
            queued: shared.queued.load(Ordering::Relaxed),
            overflows: totals.overflows.load(Ordering::Relaxed),
            dropped: totals.dropped.load(Ordering::Relaxed),
            ..Figures::default()
        };
        // The totals first: a socket that is released meanwhile is missed, not counted twice.
        figures.read = totals.read.load(Ordering::Acquire);
        figures.written = totals.written.load(Ordering::Acquire);
        figures.accepted = totals.accepted.load(Ordering::Acquire);
        let mut left = figures.sockets;
        for slot in shared.table.iter() {
            if left == 0 {
                break;
            }
            match slot.tag().state().phase {
                Phase::Free => continue,
                Phase::PreListen | Phase::Listen => {
                    figures.accepted += slot.read.load(Ordering::Relaxed);
                }
                _ => figures.read += slot.read.load(Ordering::Relaxed),
            }
            figures.written += slot.written.load(Ordering::Relaxed);
            left -= 1;
        }
        figures.read = totals.shown[0].show(figures.read);
        figures.written = totals.shown[1].show(figures.written);
        figures.accepted = totals.shown[2].show(figures.accepted);
        figures
    }
}
