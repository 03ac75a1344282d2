//! A limit for the messages that wait for a service, for services that want one.
//!
//! A mailbox does not count what is pushed: that would be a word that all its senders write. A limited service has the
//! word: senders add to it, and what the service has taken out is counted anyway. All that other services pay is a look
//! at [`Limit::is_set`].
//!
//! Only what services send is refused ([`offer`]). Timers, sockets, bounces and notices of the core are counted in and
//! always accepted, and so are the types of messages that a service waits for, or that are lost with what they carry.

use super::Context;
use super::own::Own;
use crate::alloc::freelist::Class;
use crate::alloc::{memory, reclaim};
use crate::base::clock;
use crate::base::log;
use crate::base::message::{Message, ptype};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// What becomes of a message that is one too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The send fails as if the service were dead.
    Reject,
    /// The send succeeds; a request gets an error as its answer.
    Drop,
}

impl Policy {
    /// `reject` or `drop`.
    pub fn parse(word: &[u8]) -> Option<Policy> {
        match word {
            b"reject" => Some(Policy::Reject),
            b"drop" => Some(Policy::Drop),
            _ => None,
        }
    }
}

/// The limit of new services; 0 is none.
static DEFAULT: AtomicUsize = AtomicUsize::new(0);
static DEFAULT_DROPS: AtomicBool = AtomicBool::new(false);
/// Messages refused in the whole node.
static REJECTED: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Limits the mailboxes of services that are launched from now on; 0 is no limit.
pub fn set_default(most: usize, policy: Policy) {
    DEFAULT.store(most, Ordering::Relaxed);
    DEFAULT_DROPS.store(policy == Policy::Drop, Ordering::Relaxed);
}

/// Messages that were rejected and dropped so far.
pub(super) fn refused() -> (u64, u64) {
    (
        REJECTED.load(Ordering::Relaxed),
        DROPPED.load(Ordering::Relaxed),
    )
}

/// One service's limit.
pub(super) struct Limit {
    /// 0: none.
    most: AtomicUsize,
    drops: AtomicBool,
    /// Messages put into the mailbox.
    entered: AtomicU64,
    /// Messages that were dropped.
    dropped: AtomicU64,
    report: Mutex<Report>,
}

/// What the log has not been told yet.
struct Report {
    /// Centisecond of the last line.
    at: Option<u64>,
    refused: u64,
}

/// The log hears of a service's refusals no more often than this, in centiseconds.
const REPORT_EVERY: u64 = 100;

impl Limit {
    /// The node's limit.
    pub(super) fn new() -> Limit {
        Limit {
            most: AtomicUsize::new(DEFAULT.load(Ordering::Relaxed)),
            drops: AtomicBool::new(DEFAULT_DROPS.load(Ordering::Relaxed)),
            entered: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            report: Mutex::new(Report {
                at: None,
                refused: 0,
            }),
        }
    }

    #[inline(always)]
    pub(super) fn is_set(&self) -> bool {
        self.most.load(Ordering::Relaxed) != 0
    }

    /// A message that is never refused.
    #[cold]
    pub(super) fn note(&self) {
        self.entered.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets one more in if there is room, where `taken` were taken out.
    fn enter(&self, taken: u64) -> bool {
        let most = self.most.load(Ordering::Relaxed) as u64;
        let waiting = self
            .entered
            .fetch_add(1, Ordering::Relaxed)
            .wrapping_sub(taken);
        // Those that came before there was a limit may be missing in the count: it is below zero then.
        if waiting.cast_signed() < most.cast_signed() || most == 0 {
            return true;
        }
        self.entered.fetch_sub(1, Ordering::Relaxed);
        false
    }

    /// Number of refused messages that the log is to be told of now; 0: later.
    fn refused_to_report(&self) -> u64 {
        let now = clock::now();
        let mut report = self.report.lock();
        report.refused += 1;
        // A clock that has gone back, as in a restored process, is no reason for silence.
        let is_recent = |at| (at..at + REPORT_EVERY).contains(&now);
        if report.at.is_some_and(is_recent) {
            return 0;
        }
        report.at = Some(now);
        std::mem::take(&mut report.refused)
    }
}

impl Own<'_> {
    /// Limits the messages that may wait for this service; 0 is no limit.
    pub fn set_mailbox_limit(&mut self, most: usize, policy: Policy) {
        let waiting = self.waiting() as u64;
        let limit = &self.limit;
        limit.drops.store(policy == Policy::Drop, Ordering::Relaxed);
        if !limit.is_set() {
            // Exact but for what arrives meanwhile.
            limit
                .entered
                .store(self.taken_out() + waiting, Ordering::Relaxed);
        }
        limit.most.store(most, Ordering::Relaxed);
    }
}

impl Context {
    /// Messages that have left the mailbox.
    pub(super) fn taken_out(&self) -> u64 {
        (self.messages.load(Ordering::Relaxed) + self.dropped_no_callback.load(Ordering::Relaxed))
            as u64
    }
}

/// Messages that a service has taken out of its mailbox. `None`: there is no such service.
pub(super) fn taken_out(handle: u32) -> Option<u64> {
    let guard = reclaim::enter();
    super::find(&guard, handle).map(Context::taken_out)
}

/// Messages that were sent to a service, as their senders know, and that do not wait for it any more: it has taken them out of
/// its mailbox, or they were dropped before. `None`: there is no such service.
pub fn handled(handle: u32) -> Option<u64> {
    let guard = reclaim::enter();
    let context = super::find(&guard, handle)?;
    Some(context.taken_out() + context.limit.dropped.load(Ordering::Relaxed))
}

/// Whether a message of this type may be refused. Responses and errors are what a request waits for; system and debug
/// messages are how a service in trouble is reached; multicast and harbor messages carry references that would be lost.
fn refusable(ty: i32) -> bool {
    /// "skynet.h", `PTYPE_RESERVED_DEBUG`.
    const DEBUG: i32 = 9;
    !matches!(
        ty,
        ptype::RESPONSE
            | ptype::ERROR
            | ptype::SYSTEM
            | ptype::SOCKET
            | ptype::MULTICAST
            | ptype::HARBOR
            | DEBUG
    )
}

/// A service sends to one that has a limit. As [`Context::deliver`], and false also when the message is rejected.
pub(super) fn offer(to: &Context, message: Message, payload: Class) -> bool {
    let Message {
        source,
        session,
        data,
        ..
    } = message;
    let limit = &to.limit;
    if !refusable(message.ty()) {
        return to.deliver(message, payload);
    }
    if limit.enter(to.taken_out()) {
        return to.enter(message, payload);
    }
    let drops = limit.drops.load(Ordering::Relaxed);
    let (total, done) = if drops {
        (&DROPPED, "dropped")
    } else {
        (&REJECTED, "rejected")
    };
    total.fetch_add(1, Ordering::Relaxed);
    let count = limit.refused_to_report();
    // The log service must not be told that too many messages wait for it.
    if count != 0 && to.handle() != log::reader() {
        let most = limit.most.load(Ordering::Relaxed);
        memory::uncharged(|| {
            log::error_fmt(
                to.handle(),
                format_args!(
                    "error: Mailbox is full (limit {most}), messages {done}: {count}, the last from :{source:08x}"
                ),
            );
        });
    }
    if !drops {
        return false;
    }
    limit.dropped.fetch_add(1, Ordering::Relaxed);
    memory::uncharged(|| {
        // SAFETY: the message goes nowhere, so its data stays with the caller, which frees it; a kept block is one of `malloc`.
        unsafe { libc::free(data) };
        if source != 0 && session != 0 {
            let answer = Message::empty(to.handle(), ptype::ERROR, session);
            super::send_to(source, answer);
        }
    });
    true
}
