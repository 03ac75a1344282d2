//! A turn: one worker takes one ready service and gives it some of its messages.

use super::context::{Context, finish};
use super::{Queue, cpu, send};
use crate::message::{Message, ptype};
use crate::socket::SocketMessage;
use crate::{log, memory};
use std::cell::Cell;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

/// What a worker is doing, for the monitor: `struct skynet_monitor`, opaque to C.
/// Written by one worker, read by the monitor thread.
#[repr(align(64))]
#[derive(Default)]
pub struct Monitor {
    version: AtomicI32,
    source: AtomicU32,
    destination: AtomicU32,
    seen: AtomicI32,
}

impl Monitor {
    /// A message from `source` to `destination` begins; 0, 0 when it has ended ("skynet_monitor.h", `skynet_monitor_trigger`).
    #[inline]
    pub fn trigger(&self, source: u32, destination: u32) {
        self.source.store(source, Ordering::Relaxed);
        self.destination.store(destination, Ordering::Relaxed);
        // One writer: no need for an atomic addition.
        self.version.store(
            self.version.load(Ordering::Relaxed).wrapping_add(1),
            Ordering::Release,
        );
    }

    /// Monitor thread: reports the message that was already running at the last check ("skynet_monitor.h", `skynet_monitor_check`).
    pub fn check(&self) {
        let version = self.version.load(Ordering::Acquire);
        if version != self.seen.load(Ordering::Relaxed) {
            self.seen.store(version, Ordering::Relaxed);
            return;
        }
        let destination = self.destination.load(Ordering::Relaxed);
        if destination == 0 {
            return;
        }
        let guard = crate::reclaim::enter();
        if let Some(context) = crate::handle::find(&guard, destination) {
            context.mark_endless();
        }
        let source = self.source.load(Ordering::Relaxed);
        log::error(
            0,
            format!("error: A message from [ :{source:08x} ] to [ :{destination:08x} ] maybe in an endless loop (version = {version})")
                .as_bytes(),
        );
    }

    /// True while a message is being dispatched.
    pub fn is_busy(&self) -> bool {
        self.destination.load(Ordering::Relaxed) != 0
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing is left; whoever sends the next message schedules the service.
    Idle,
    /// Messages wait; the caller puts the service back into a run queue.
    More,
    /// The service has ended; the context must not be touched any more.
    Ended,
}

thread_local! {
    /// Begin of the running callback, in counter ticks; 0 outside.
    static STARTED: Cell<u64> = const { Cell::new(0) };
}

/// Microseconds that the callback running on this thread has used so far.
pub(super) fn running_micros() -> u64 {
    let start = STARTED.get();
    if start == 0 {
        0
    } else {
        cpu::micros(cpu::so_far(start))
    }
}

/// Dispatches up to `budget` messages of the service that owns `queue`.
///
/// # Safety
/// The caller is the consumer of the mailbox and inside a guard until it has dealt with the answer.
pub(crate) unsafe fn turn(queue: *mut Queue, monitor: &Monitor, budget: usize) -> Turn {
    // SAFETY: whoever owns the queue keeps it until its consumer, the caller, has seen the end of it.
    let context = unsafe { (*queue).owner() };
    if context.is_null() {
        // SAFETY: as above.
        return unsafe { Queue::turn_alone(queue) };
    }
    // SAFETY: the consumer's context is alive: it is finished by the consumer only, or by whoever got the role from us.
    let this = unsafe { &*context };
    let mailbox = &this.queue.mailbox;
    let handle = this.handle();
    let before = send::enter_service(handle);
    let mut now = if this.profile { cpu::begin_turn() } else { 0 };
    let mut left = budget;
    let mut retired = this.is_retired();
    while !retired && left > 0 {
        let Some(message) = mailbox.pop() else { break };
        let overload = mailbox.take_overload();
        if overload != 0 {
            log::error(
                handle,
                format!("error: May overload, message queue length = {overload}").as_bytes(),
            );
        }
        monitor.trigger(message.source, handle);
        // SAFETY: we are the consumer.
        now = unsafe { dispatch(context, message, now) };
        monitor.trigger(0, 0);
        left -= 1;
        retired = this.is_retired();
    }
    if this.profile {
        cpu::end_turn(now);
    }
    send::leave_service(before);
    if retired {
        // SAFETY: we are the consumer and the caller is inside a guard.
        unsafe { finish(context) };
        cpu::interrupt();
        return Turn::Ended;
    }
    if !mailbox.rest() {
        return Turn::More;
    }
    // Retired between our look and our rest: whoever claims the mailbox first ends the service.
    if this.is_retired() && mailbox.claim() {
        // SAFETY: claimed; the guard of the caller keeps the memory even if somebody else was first.
        unsafe { finish(context) };
        cpu::interrupt();
        return Turn::Ended;
    }
    Turn::Idle
}

/// Gives one message to the callback. `now` is the counter when it begins; answers the counter when it has ended.
#[inline(always)]
unsafe fn dispatch(context: *mut Context, message: Message, now: u64) -> u64 {
    // SAFETY: the caller is the consumer.
    let this = unsafe { &*context };
    let Some(callback) = this.callback.get() else {
        // SAFETY: the payload belongs to the message.
        unsafe { libc::free(message.data) };
        return now;
    };
    let file = this.logfile.load(Ordering::Acquire);
    if !file.is_null() {
        // SAFETY: LOGOFF closes the file only after every guard that is held now, the payload belongs to the message.
        unsafe {
            log::record::output(
                file,
                message.source,
                message.ty(),
                message.session,
                message.data.cast(),
                message.size(),
            );
        }
    }
    this.messages.set(this.messages.get() + 1);
    let ud = this.callback_ud.get();
    if this.profile {
        STARTED.set(now);
    }
    // Only the callback is charged: the core's own allocations around it are nobody's.
    memory::turn_begin();
    if message.ty() == ptype::SOCKET && message.size() >= size_of::<SocketMessage>() {
        // SAFETY: messages of this type are made by the socket server, and the buffer is for the service to free.
        unsafe { memory::block_received((*message.data.cast::<SocketMessage>()).buffer.cast()) };
    }
    // SAFETY: the callback and its data were given by the service for this use.
    let keep = unsafe {
        callback(
            context,
            ud,
            message.ty(),
            message.session,
            message.source,
            message.data,
            message.size(),
        )
    };
    if keep != 0 {
        memory::payload_kept(message.size());
    }
    memory::turn_end(&this.memory);
    let mut now = now;
    if this.profile {
        let (cost, end) = cpu::spent(now);
        STARTED.set(0);
        this.cost.set(this.cost.get() + cost);
        now = end;
    }
    if keep == 0 {
        // SAFETY: the callback left the payload to us.
        unsafe { libc::free(message.data) };
    }
    now
}

/// Dispatches everything that waits, outside of a worker's turn ("skynet_server.h", `skynet_context_dispatchall`).
///
/// # Safety
/// The caller holds a reference, and is the consumer of the mailbox, or no worker runs.
pub unsafe fn drain(context: *mut Context) {
    // SAFETY: nobody else is consumer; whether the mailbox is idle or queued does not matter.
    let this = unsafe { &*context };
    let before = send::enter_service(this.handle());
    while let Some(message) = this.queue.mailbox.pop() {
        // SAFETY: as above.
        unsafe { dispatch(context, message, cpu::ticks()) };
    }
    send::leave_service(before);
}

/// At start: what must not cost the first message anything.
pub(crate) fn prepare(profile: bool) {
    memory::report::set_directory(super::context::each_memory);
    if profile {
        cpu::calibrate();
    }
}
