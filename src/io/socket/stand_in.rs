//! Who polls while the system does not run the socket thread.
//!
//! That thread waits without the poller lock, so a stop in its wait, where it is nearly always, keeps nobody out. The monitor thread looks
//! every [`TICK`] whether turns are run. If none has been between two looks although something waits, it runs one, and further ones as soon
//! as something comes, until another thread has run one. When nothing is going on it does not look: it sleeps until there are events, as
//! the socket thread does.
//!
//! - A wake-up that the stand-in finds was meant for the socket thread, which may be just late, and be in its wait still. So commands go on to
//!   wake the sleeper during the turn, and if there are some at its end the stand-in does.
//! - What its wait has told the socket thread is void if a turn has been run meanwhile (`turns`): it asks again.
//! - A thread that stops in the middle of a turn keeps the socket that it has in its hands, and the stand-in takes the right to run turns
//!   away from it, as if it were in its wait.

use super::event::Sink;
use super::server::SocketServer;
use super::turn::{BRIEF_READY, BULK, Done, LoopIteration};
use crate::scheduler::poller_lock::{Before, Progress};
use std::os::fd::RawFd;

/// Nanoseconds between two looks, and for which something has to wait. So twice as much is the most that it waits
/// (docs/internals/scheduler.md, "How long a thread is waited for").
const TICK: u64 = 2_500_000;

/// What the monitor thread has seen.
#[derive(Default)]
pub struct StandIn {
    turns: u32,
    /// How far the turn under way was.
    progress: Progress,
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
        let (turns, progress) = (server.turns(), polling.lock.progress());
        if turns != self.turns || progress != self.progress {
            *self = StandIn {
                turns,
                progress,
                since: None,
                own: false,
            };
            return NextLook::At(now + TICK);
        }
        let waits = shared.agenda.has_some() || shared.poller.has_events();
        if !waits {
            self.since = None;
            // Else no event would tell of a command, or a worker that has the lease has to be looked after.
            let told = shared.agenda.is_asleep() && !polling.workers_may_poll();
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
        let Some(done) = server.stand_in(sink, progress) else {
            return NextLook::At(now + TICK);
        };
        *self = StandIn {
            turns: server.turns(),
            progress: polling.lock.progress(),
            since: None,
            own: !done.futile,
        };
        // The next look says how it goes on.
        NextLook::At(if done.futile { now + TICK } else { now })
    }
}

impl SocketServer {
    /// A turn in place of the thread that should run it, or that is in one and has not gone on since `seen`. `None`: one is
    /// under way.
    fn stand_in(&self, sink: &mut dyn Sink, seen: Progress) -> Option<Done> {
        let (shared, polling) = (&self.shared, &self.polling);
        let taken_away = || Some((polling.lock.take_from(seen)?, Before::TAKEN_AWAY));
        let (right, before) = polling.lock.stand_in().or_else(taken_away)?;
        let mut room = [libc::epoll_event { events: 0, u64: 0 }; BRIEF_READY];
        let mut ready = Vec::with_capacity(BRIEF_READY);
        // Errors are for the socket thread to report.
        let _ = shared.poller.wait(&mut room, 0, None, &mut ready);
        // If this thread stops in the turn, the socket thread is told of the next command: it may be just late.
        shared.agenda.fall_asleep();
        let lock = (&polling.lock, &right);
        let done = LoopIteration::for_events(shared, lock, sink, &ready, BULK);
        polling.count(&done, false);
        if done.exit || !shared.agenda.fall_asleep() {
            shared.poller.wake();
        }
        if polling.lock.leave(right, before) || polling.ends() {
            polling.wake_socket_thread();
        }
        Some(done)
    }
}
