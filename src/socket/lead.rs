//! Workers that poll.
//!
//! A request that the socket thread reads and a worker answers costs a wake-up of that worker, which takes longer than the
//! rest of the work. So while sockets are busy with small messages ("hot"), a worker without work waits for news of the
//! sockets itself, and runs the services that they make ready, on the spot. The socket thread stands by meanwhile.
//!
//! - Whoever runs turns holds the [`Role`], and locks what belongs to the I/O thread alone ([`Io`]): everything that the
//!   documentation of the other files says of the I/O thread holds for the holder of the role, and passes from one to the
//!   next with that lock. Nobody else takes the lock, but programs that run turns themselves (`skynet_socket_poll`); if
//!   one does, workers do not poll.
//! - Nobody has the role while the last holder runs services. That is short as a rule. The socket thread looks every
//!   [`TICK`]; when nobody has polled between two looks it takes the role until there are news. So no news and no command
//!   of another thread wait longer than two ticks, and with all workers busy all the time the sockets are polled once a
//!   tick. (A worker that watches another in a long callback polls too.)
//! - When nothing came for [`QUIET`] ticks, the worker that polls may go on to, but no other begins. The socket thread
//!   sleeps until that worker gives the role up (which may be never: an idle node does not wake up), and polls from then
//!   on. It does so too when much is moved: large data is read by one thread and worked on by another at the same time.
//! - A worker that polls sleeps in the kernel as others sleep on their word; who wakes it writes to the eventfd.

use super::event::{Event, Sink};
use super::role::Role;
use super::server::SocketServer;
use super::turn::{BULK, Done, Io, Turn, Wait};
use parking_lot::{Mutex, MutexGuard};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Between two looks of the socket thread that stands by.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without news after which the sockets are not hot any more.
const QUIET: u32 = 20;
/// So many turns in a row that had news, none later than a tick after the last, make the sockets hot.
const WARM_UP: u32 = 16;

/// What of a server is about who polls.
pub struct Lead {
    role: Role,
    /// Workers may begin to poll.
    hot: AtomicBool,
    /// Turns of workers, and those of them that had news.
    turns: AtomicU32,
    news: AtomicU32,
    exit: AtomicBool,
    /// The kernel knows waits shorter than a millisecond.
    brief: bool,
    /// The socket thread.
    standby: Mutex<Option<Thread>>,
}

impl Lead {
    pub(super) fn new(brief: bool) -> Lead {
        Lead {
            role: Role::new(),
            hot: AtomicBool::new(false),
            turns: AtomicU32::new(0),
            news: AtomicU32::new(0),
            exit: AtomicBool::new(false),
            brief,
            standby: Mutex::new(None),
        }
    }

    fn wake_standby(&self) {
        if let Some(thread) = &*self.standby.lock() {
            thread.unpark();
        }
    }

    /// The socket thread waits until nobody else polls. `false`: the server was told to end.
    fn stand_by(&self) -> bool {
        let mut turns = self.turns.load(Ordering::Relaxed);
        let mut news = self.news.load(Ordering::Relaxed);
        let mut quiet = 0;
        loop {
            if self.exit.load(Ordering::Acquire) {
                return false;
            }
            if !self.hot.load(Ordering::Relaxed) {
                if self.role.take_or_await() {
                    return true;
                }
                thread::park();
                continue;
            }
            thread::park_timeout(TICK);
            let now = self.turns.load(Ordering::Relaxed);
            if now == turns && self.role.try_take() {
                return true;
            }
            turns = now;
            let now = self.news.load(Ordering::Relaxed);
            quiet = if now == news { quiet + 1 } else { 0 };
            news = now;
            if quiet >= QUIET {
                self.hot.store(false, Ordering::Relaxed);
            }
        }
    }
}

/// Whether news come often enough, and in small enough pieces, for workers to poll.
struct Pace {
    last: Instant,
    row: u32,
}

impl Pace {
    /// After a turn of the socket thread that had news. `idlers`: a worker had nothing to do when they came.
    fn note(&mut self, done: &Done, hot: &AtomicBool, idlers: bool) {
        let now = Instant::now();
        let gap = now - self.last;
        self.last = now;
        if gap > TICK || done.bytes > BULK {
            self.row = 0;
        }
        self.row += 1;
        if gap > QUIET * TICK || done.bytes > BULK {
            hot.store(false, Ordering::Relaxed);
        } else if self.row >= WARM_UP && idlers {
            hot.store(true, Ordering::Relaxed);
        }
    }
}

/// A sink that looks at the workers before they are given something to do.
struct Looking<'a> {
    sink: &'a mut dyn Sink,
    idlers: &'a dyn Fn() -> bool,
    seen: bool,
}

impl Sink for Looking<'_> {
    fn deliver(&mut self, event: Event) -> bool {
        self.sink.deliver(event)
    }

    fn awake(&mut self) {
        self.sink.awake();
        self.seen = (self.idlers)();
    }

    fn counts(&self) -> bool {
        self.sink.counts()
    }
}

impl SocketServer {
    /// Thread role: socket. Runs turns until the server is told to end, unless workers do. `idlers`: whether a worker
    /// has nothing to do.
    pub fn serve(&self, sink: &mut dyn Sink, idlers: &dyn Fn() -> bool) {
        *self.lead.standby.lock() = Some(thread::current());
        let mut pace = Pace {
            last: Instant::now(),
            row: 0,
        };
        while self.lead.stand_by() {
            let go_on = self.serve_while_needed(sink, idlers, &mut pace);
            // Nobody but this thread awaits the role.
            let _ = self.lead.role.give_back();
            if !go_on {
                return;
            }
        }
    }

    /// Holder of the role: runs turns as long as no worker should. `false`: the server was told to end.
    fn serve_while_needed(
        &self,
        sink: &mut dyn Sink,
        idlers: &dyn Fn() -> bool,
        pace: &mut Pace,
    ) -> bool {
        loop {
            let mut looking = Looking {
                sink: &mut *sink,
                idlers,
                seen: false,
            };
            let done = self.turn(&mut looking, true);
            if done.exit {
                return false;
            }
            if done.delivered != 0 {
                pace.note(&done, &self.lead.hot, looking.seen);
                if self.lead.hot.load(Ordering::Relaxed) {
                    return true;
                }
            }
        }
    }

    /// Lets workers poll as if there had been much to do.
    #[cfg(test)]
    pub fn heat(&self) {
        self.lead.hot.store(true, Ordering::Relaxed);
    }

    /// For a worker that has nothing to do: the right to wait for news in place of the socket thread, if that is worth it.
    /// `briefly`: for less than a millisecond.
    pub fn try_lead(&self, briefly: bool) -> Option<Leader<'_>> {
        let lead = &self.lead;
        let may = lead.hot.load(Ordering::Relaxed) && (lead.brief || !briefly);
        if !may || !lead.role.try_take() {
            return None;
        }
        // Drop gives the role back if the lock fails.
        let mut leader = Leader {
            server: self,
            io: None,
        };
        leader.io = self.io.try_lock();
        leader.io.is_some().then_some(leader)
    }
}

/// The right to run turns, of a worker.
pub struct Leader<'a> {
    server: &'a SocketServer,
    io: Option<MutexGuard<'a, Io>>,
}

impl Leader<'_> {
    /// Runs one turn, which waits for news, no longer than `limit`. It does less than a turn of the socket thread, for
    /// what it makes ready waits for its end.
    pub fn turn(mut self, sink: &mut dyn Sink, limit: Option<Duration>) {
        let Some(io) = &mut self.io else { return };
        let lead = &self.server.lead;
        let done = Turn::run(&self.server.shared, io, sink, Wait::Brief(limit));
        if done.delivered != 0 {
            // One holder at a time, so these need no atomic addition.
            let news = lead.news.load(Ordering::Relaxed).wrapping_add(1);
            lead.news.store(news, Ordering::Relaxed);
        }
        if done.bytes > BULK {
            lead.hot.store(false, Ordering::Relaxed);
        }
        if done.exit {
            lead.exit.store(true, Ordering::Release);
        }
        let turns = lead.turns.load(Ordering::Relaxed).wrapping_add(1);
        lead.turns.store(turns, Ordering::Relaxed);
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.io = None;
        let lead = &self.server.lead;
        let awaited = lead.role.give_back();
        if awaited || lead.exit.load(Ordering::Relaxed) || !lead.hot.load(Ordering::Relaxed) {
            lead.wake_standby();
        }
    }
}
