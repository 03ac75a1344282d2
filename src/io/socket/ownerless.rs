//! Sockets whose service has ended and of which no event tells.
//!
//! An event for a service that is gone closes its socket. But nothing comes from one that was accepted and never started, that
//! is paused, or that listens without being asked: its descriptor would stay, and its peer wait, for ever. So they are looked
//! for now and then, and closed when they had no owner at two looks: meanwhile another service may start what was handed to it.

use super::command::Command;
use super::server::SocketServer;
use super::slot::Slot;
use super::state::Phase;
use std::collections::HashSet;
use std::sync::atomic::Ordering;

/// What was seen at the last look.
#[derive(Default)]
pub struct Ownerless {
    suspects: HashSet<i32>,
}

impl Ownerless {
    /// One look; `is_alive` tells whether there is such a service. For one thread that is not in a hurry: it goes through the
    /// table as far as there are sockets.
    pub fn look(&mut self, server: &SocketServer, is_alive: &dyn Fn(usize) -> bool) {
        let table = &server.shared.table;
        let before = std::mem::take(&mut self.suspects);
        for slot in table.in_use() {
            let tag = slot.tag();
            let owner = slot.owner.load(Ordering::Relaxed);
            if !is_silent(slot, tag.state().phase) || is_alive(owner) {
                continue;
            }
            let id = tag.id();
            if before.contains(&id) {
                server.shared.post(Command::Abandoned { id, owner });
            } else {
                self.suspects.insert(id);
            }
        }
    }
}

/// Whether nothing may ever be reported of the socket.
pub(super) fn is_silent(slot: &Slot, phase: Phase) -> bool {
    match phase {
        Phase::Accepted => !slot.starting.load(Ordering::Relaxed),
        Phase::PreListen | Phase::Listen => true,
        Phase::Open => !slot.reading.load(Ordering::Relaxed),
        _ => false,
    }
}
