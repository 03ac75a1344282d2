//! Whether anything is to come from the sockets: what the jump of a virtual clock waits for
//! ([`crate::io::timer`], "When the clock may jump").

use super::addr::{Protocol, SockAddr};
use super::server::SocketServer;
use super::slot::Slot;
use super::state::Phase;
use super::sys;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;

/// What is to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// Something, when something outside of the node happens.
    Outside,
    /// Bytes are on their way from one socket of the node to another.
    InFlight,
    /// The I/O thread has something to do.
    Busy,
}

/// One end of a connection.
type End = (IpAddr, u16);

/// A connection that stands, as the look finds it.
struct Connection<'a> {
    slot: &'a Slot,
    local: End,
    peer: End,
}

fn end(name: Result<SockAddr, sys::Errno>) -> Option<End> {
    let name = name.ok()?;
    // The accepted end of an IPv4 connection may have the form of an IPv6 one.
    Some((name.ip()?.to_canonical(), name.port()))
}

impl SocketServer {
    /// Any thread. The answer is exact if the I/O thread does not run a turn meanwhile ([`SocketServer::turns`]).
    pub fn at_rest(&self) -> Rest {
        let shared = &self.shared;
        // The kernel reports an event until it is handled, and a handled one has been delivered before the I/O thread
        // falls asleep; so the events first.
        if shared.poller.has_events() || !shared.agenda.is_asleep() {
            return Rest::Busy;
        }
        let mut rest = Rest::Nothing;
        let mut connections = Vec::new();
        for slot in shared.table.in_use() {
            let fd = slot.fd.load(Ordering::Relaxed);
            match slot.tag().state().phase {
                Phase::Free | Phase::PreListen | Phase::Listen => {}
                Phase::Reserved | Phase::Connecting | Phase::Bound => {
                    rest = rest.max(Rest::Outside)
                }
                Phase::ReadClosed | Phase::Draining => {
                    if slot.backlog.load(Ordering::Relaxed) != 0 {
                        rest = rest.max(Rest::Outside);
                    }
                }
                Phase::Accepted | Phase::Open | Phase::WriteClosed => {
                    let ends = match slot.protocol() {
                        Protocol::Tcp => end(sys::local_name(fd)).zip(end(sys::peer_name(fd))),
                        _ => None,
                    };
                    match ends {
                        Some((local, peer)) => connections.push(Connection { slot, local, peer }),
                        None => rest = rest.max(Rest::Outside),
                    }
                }
            }
        }
        let by_ends = connections_by_end(&connections);
        let each = connections
            .iter()
            .map(|connection| connection.rest(&by_ends));
        each.fold(rest, Rest::max)
    }

    /// How many turns the I/O thread has run.
    pub fn turns(&self) -> u32 {
        self.polling.turns()
    }
}

fn connections_by_end<'a>(all: &'a [Connection<'a>]) -> HashMap<(End, End), &'a Slot> {
    all.iter().map(|c| ((c.local, c.peer), c.slot)).collect()
}

impl Connection<'_> {
    /// What this end waits for.
    fn rest(&self, others: &HashMap<(End, End), &Slot>) -> Rest {
        let Some(other) = others.get(&(self.peer, self.local)) else {
            // Accepted and not started: nothing of it is read, whatever comes.
            return match self.slot.tag().state().phase {
                Phase::Accepted => Rest::Nothing,
                _ => Rest::Outside,
            };
        };
        let reads = self.slot.reading.load(Ordering::Relaxed)
            && !self.slot.throttled.load(Ordering::SeqCst);
        let sent = other.written.load(Ordering::Relaxed);
        let waits = other.backlog.load(Ordering::Relaxed) != 0;
        if reads && (waits || sent != self.slot.read.load(Ordering::Relaxed)) {
            return Rest::InFlight;
        }
        Rest::Nothing
    }
}
