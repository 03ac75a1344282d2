//! What services have done, for the figures of the node.

use super::context::Context;
use super::{inspect, limit, registry};
use crate::alloc::reclaim;
use crate::base::rising::Rising;
use crate::scheduler::cpu;
use std::ffi::CStr;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

static STARTED: AtomicU64 = AtomicU64::new(0);
static UNDELIVERED: AtomicU64 = AtomicU64::new(0);
/// Of services that have ended.
static MESSAGES: AtomicU64 = AtomicU64::new(0);
static TICKS: AtomicU64 = AtomicU64::new(0);

/// A service was launched.
pub(super) fn count_start() {
    STARTED.fetch_add(1, Ordering::Relaxed);
}

/// A message was sent back because its service had ended.
pub(super) fn count_bounce() {
    UNDELIVERED.fetch_add(1, Ordering::Relaxed);
}

/// The service has ended: what it did counts on.
pub(super) fn fold_totals(context: &Context) {
    let messages = context.messages.load(Ordering::Relaxed) as u64;
    MESSAGES.fetch_add(messages, Ordering::Relaxed);
    TICKS.fetch_add(context.cost.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// What the services of the node have done together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Services at present.
    pub live: u64,
    /// Services launched so far.
    pub started: u64,
    /// Messages handled.
    pub messages: u64,
    /// CPU time of their callbacks, in microseconds.
    pub cpu_micros: u64,
    /// Messages that wait, as far as workers have seen them.
    pub waiting: u64,
    /// The longest mailbox.
    pub largest: u64,
    /// Messages that were sent back.
    pub undelivered: u64,
    /// Messages rejected by mailboxes with a limit.
    pub rejected: u64,
    /// Messages dropped there.
    pub dropped: u64,
}

/// Calls `f` with every live service.
pub(super) fn each(mut f: impl FnMut(&Context)) {
    for handle in registry::all() {
        let guard = reclaim::enter();
        if let Some(context) = registry::find(&guard, handle) {
            f(context);
        }
    }
}

/// A look at all services.
pub fn figures() -> Figures {
    static SHOWN_MESSAGES: Rising = Rising::new();
    static SHOWN_TICKS: Rising = Rising::new();
    let (rejected, dropped) = limit::refused();
    let mut sum = Figures {
        started: STARTED.load(Ordering::Relaxed),
        messages: MESSAGES.load(Ordering::Relaxed),
        undelivered: UNDELIVERED.load(Ordering::Relaxed),
        rejected,
        dropped,
        ..Figures::default()
    };
    let mut ticks = TICKS.load(Ordering::Relaxed);
    each(|context| {
        let waiting = context.queue.mailbox.last_len() as u64;
        sum.live += 1;
        sum.messages += context.messages.load(Ordering::Relaxed) as u64;
        sum.waiting += waiting;
        sum.largest = sum.largest.max(waiting);
        ticks += context.cost.load(Ordering::Relaxed);
    });
    sum.messages = SHOWN_MESSAGES.show(sum.messages);
    sum.cpu_micros = cpu::micros(SHOWN_TICKS.show(ticks));
    sum
}

/// What one service has and has done.
#[derive(Debug)]
pub struct ServiceFigures<'a> {
    /// Its address.
    pub handle: u32,
    /// What it was launched as: module, and the begin of the arguments.
    pub title: (&'a CStr, &'a [u8]),
    /// Messages that wait, as far as workers have seen them.
    pub waiting: usize,
    /// Messages handled.
    pub messages: u64,
    /// CPU time of its callbacks, in microseconds.
    pub cpu_micros: u64,
    /// Bytes of its Lua VM; 0 for others.
    pub lua_bytes: usize,
    /// Bytes that it has allocated, those of its VM included (jemalloc only).
    pub bytes: usize,
}

/// Calls `f` with the figures of every live service.
pub fn each_service(f: &mut dyn FnMut(&ServiceFigures<'_>)) {
    each(|context| {
        f(&ServiceFigures {
            handle: context.handle(),
            title: context.title(),
            waiting: context.queue.mailbox.last_len(),
            messages: context.messages.load(Ordering::Relaxed) as u64,
            cpu_micros: context.cost_micros(),
            lua_bytes: inspect::lua_bytes(context.handle()),
            bytes: context.memory.bytes(),
        });
    });
}

/// A line for each service: handle, module, messages that wait, messages handled, CPU seconds, bytes of its Lua VM
/// ("docs/commands.md", SERVICES).
pub fn list() -> String {
    let mut text = String::new();
    each_service(&mut |service| {
        let _ = writeln!(
            text,
            ":{:08x} {} {} {} {:.6} {}",
            service.handle,
            service.title.0.to_string_lossy(),
            service.waiting,
            service.messages,
            service.cpu_micros as f64 / 1e6,
            service.lua_bytes,
        );
    });
    text
}
