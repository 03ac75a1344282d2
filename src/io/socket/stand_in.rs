//! Who polls while the system does not run the socket thread.
//!
//! That thread waits without the poller lock, so a stop in its wait, where it is nearly always, keeps nobody out. The monitor thread looks
//! every [`TICK`] whether turns are run. If none has been between two looks although something waits, it runs one, and further ones as soon
//! as something comes, until another thread has run one. When nothing is going on it does not look: it sleeps until there are events, as
//! the socket thread does.
//!
//! - A turn takes away the word that commands wake the sleeper, so the stand-in puts it back after each, or wakes the sleeper: the
//!   socket thread may be just late, and be in its wait still.
//! - What its wait has told the socket thread is void if a turn has been run meanwhile (`turns`): it asks again.
//! - A thread that stops in the middle of a turn has the state of the sockets in its hands. All sockets wait for it, and the stand-in too.

use super::event::Sink;
use super::server::SocketServer;
use super::turn::{BRIEF_READY, BULK, LoopIteration};
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;

/// Nanoseconds between two looks, and for which something has to wait.
const TICK: u64 = 2_500_000;

/// What the monitor thread has seen.
#[derive(Default)]
pub struct StandIn {
    turns: u32,
    /// Something has waited since then, and no turn was run.
    since: Option<u64>,
    /// The last turn was one of this thread.
    own: bool,
}

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextLook {
    /// At that time, in nanoseconds of the monotonic clock.
    At(u64),
    /// When there is something to read from this descriptor.
    AtEvents(RawFd),
    /// Not at all.
    Never,
}

impl StandIn {
    /// One look at time `now`.
    pub fn look(&mut self, server: &SocketServer, sink: &mut dyn Sink, now: u64) -> NextLook {
        let (shared, polling) = (&server.shared, &server.polling);
        if polling.ends() {
            return NextLook::Never;
        }
        let turns = server.turns();
        if turns != self.turns {
            *self = StandIn {
                turns,
                since: None,
                own: false,
            };
            return NextLook::At(now + TICK);
        }
        let waits = shared.commands.has_some() || shared.poller.has_events();
        if !waits {
            self.since = None;
            // Else no event would tell of a command, or a worker that has the lease has to be looked after.
            let told = shared.commands.is_asleep() && !polling.workers_may_poll();
            return if told {
                NextLook::AtEvents(shared.poller.events())
            } else {
                NextLook::At(now + TICK)
            };
        }
        let since = *self.since.get_or_insert(now);
        if !self.own && now.saturating_sub(since) < TICK {
            return NextLook::At(since + TICK);
        }
        if let Some(turns) = server.stand_in(sink) {
            *self = StandIn {
                turns,
                since: None,
                own: true,
            };
            // The next look says how it goes on.
            return NextLook::At(now);
        }
        NextLook::At(now + TICK)
    }
}

impl SocketServer {
    /// A turn in place of the thread that should run it, and how many there have been then. `None`: one is under way.
    pub(super) fn stand_in(&self, sink: &mut dyn Sink) -> Option<u32> {
        let (shared, polling) = (&self.shared, &self.polling);
        let before = polling.lock.stand_in()?;
        let turns = self.io.try_lock().map(|mut io| {
            let mut room = [libc::epoll_event { events: 0, u64: 0 }; BRIEF_READY];
            let mut ready = Vec::with_capacity(BRIEF_READY);
            // Errors are for the socket thread to report.
            let _ = shared.poller.wait(&mut room, 0, None, &mut ready);
            let done = LoopIteration::for_events(shared, &mut io, sink, &ready, BULK);
            polling.count(&done, false);
            if done.exit || !shared.commands.fall_asleep() {
                shared.poller.wake();
            }
            polling.turns.load(Ordering::Relaxed)
        });
        if polling.lock.leave(before) || polling.ends() {
            polling.wake_socket_thread();
        }
        turns
    }
}
