//! A turn: one worker takes one ready service and gives it some of its messages.

use super::context::{Context, finish};
use super::{Queue, notices, on_turn};
use crate::alloc::freelist::{self, Class};
use crate::alloc::memory;
use crate::base::log;
use crate::base::message::{Message, SocketMessage, ptype};
use crate::scheduler::{Activity, Ready, TimesliceResult, cpu};
use libc::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Dispatches up to `budget` messages of the service that is `ready`.
///
/// # Safety
/// The caller is the consumer of the mailbox and inside a guard until it has dealt with the answer.
pub unsafe fn turn(ready: *mut Ready, activity: &Activity, budget: usize) -> TimesliceResult {
    let queue = Queue::of_ready(ready);
    // SAFETY: the owner of the queue keeps it until its consumer, the caller, has seen the end of it.
    let context = unsafe { (*queue).owner() };
    if context.is_null() {
        // SAFETY: as above.
        return unsafe { Queue::turn_alone(queue) };
    }
    // SAFETY: the consumer's context is alive: it is finished by the consumer only, us or the thread that has the role
    // after us.
    let this = unsafe { &*context };
    // SAFETY: we are the consumer until the release of the role.
    unsafe { on_turn::begin_turn(this) };
    activity.enter(this.handle());
    // SAFETY: we are the consumer.
    unsafe {
        if this.profile {
            messages::<true>(this, activity, budget);
        } else {
            messages::<false>(this, activity, budget);
        }
    }
    on_turn::end_turn();
    if !this.is_retired() {
        // SAFETY: we are the consumer.
        if let Some(mut consumer) = unsafe { this.queue.mailbox.consumer() }.try_release() {
            // So that others see how much waits.
            consumer.drain_inbox();
            return TimesliceResult::More;
        }
        // Retired between our look and the release: the thread that acquires the mailbox ends the service.
        if !this.is_retired() || this.queue.mailbox.try_acquire().is_none() {
            return TimesliceResult::Idle;
        }
    }
    // The end of a service is none of its messages.
    activity.end();
    // SAFETY: we are the consumer (again); the guard of the caller keeps the memory.
    unsafe { finish(context) };
    cpu::interrupt();
    TimesliceResult::Ended
}

/// Gives up to `budget` messages to the callback, none after the service has been retired, and about as many as
/// [`cpu::is_long_turn`] allows: a service with long messages gets fewer of them in a row.
///
/// The counter is looked at after two, four, eight messages and so on: seldom for short messages, not at all for a single
/// one, and a turn of long ones takes about twice its time at most. With `PROFILE` also after the first one and at the end of
/// the turn: what passed belongs to the service, whichever of its messages it was.
///
/// # Safety
/// The caller is the consumer of the mailbox. `PROFILE` is the context's. `budget` is at least 1.
#[inline(always)]
unsafe fn messages<const PROFILE: bool>(this: &Context, activity: &Activity, budget: usize) {
    // SAFETY: contract of this function.
    let mut mailbox = unsafe { this.queue.mailbox.consumer() };
    let mut now = if PROFILE { cpu::begin_turn() } else { 0 };
    let (mut done, mut settled) = (0, 0);
    // When to look at the counter, at the end of the budget at the latest, and what it was at first.
    let (mut look_at, mut first) = (budget.min(if PROFILE { 1 } else { 2 }), now);
    while !this.is_retired() {
        let Some((message, payload)) = mailbox.pop() else {
            break;
        };
        let overload = mailbox.take_overload();
        if overload != 0 {
            report_overload(this.handle(), overload);
        }
        activity.message(&message);
        // SAFETY: contract of this function.
        unsafe { dispatch(this, message, payload) };
        done += 1;
        if done == look_at {
            if done == budget {
                break;
            }
            look_at = budget.min(look_at * 2);
            if PROFILE {
                now = settle(this, now);
                settled = done;
            }
            let passed = if PROFILE { now } else { cpu::ticks() };
            if first == 0 {
                first = passed;
            } else if cpu::is_long_turn(passed.wrapping_sub(first)) {
                break;
            }
        }
    }
    if PROFILE && done != settled {
        settle(this, now);
    }
}

/// What passed since `start` is the service's; answers the counter now, from where the next settlement counts.
#[inline(always)]
fn settle(this: &Context, start: u64) -> u64 {
    let (cost, now) = cpu::spent(start);
    this.cost
        .store(this.cost.load(Ordering::Relaxed) + cost, Ordering::Relaxed);
    let messages = this.messages.load(Ordering::Relaxed);
    this.settled.store(messages, Ordering::Relaxed);
    now
}

#[cold]
fn report_overload(handle: u32, length: usize) {
    log::error(
        handle,
        format!("error: May overload, message queue length = {length}").as_bytes(),
    );
}

/// Writes a message to the log that LOGON has opened.
#[cold]
fn write_record(file: *mut libc::FILE, message: &Message) {
    // SAFETY: LOGOFF closes the file only after every guard that is held now, the payload belongs to the message.
    unsafe {
        super::record::output(
            file,
            message.source,
            message.ty(),
            message.session,
            message.data.cast(),
            message.size(),
        );
    }
}

/// Adds to a counter that only the consumer writes.
#[inline(always)]
fn add(counter: &AtomicUsize, n: usize) {
    counter.store(counter.load(Ordering::Relaxed) + n, Ordering::Relaxed);
}

/// A socket's data becomes the service's. Not inlined: other messages would pay for the comparison of sizes.
///
/// # Safety
/// `data` is that of a message of type SOCKET with `size` bytes.
#[inline(never)]
unsafe fn charge_buffer(data: *mut c_void, size: usize) {
    if size >= size_of::<SocketMessage>() {
        // SAFETY: messages of this type are made by the socket server, and the buffer is for the service to free.
        unsafe {
            memory::block_received((*data.cast::<SocketMessage>()).buffer.cast());
            notices::socket_message_taken(data, size);
        }
    }
}

/// Gives one message to the callback.
///
/// # Safety
/// The caller is the consumer of the mailbox. `payload` is the class of the message's block.
#[inline(always)]
unsafe fn dispatch(this: &Context, message: Message, payload: Class) {
    let Some((callback, ud)) = this.callback() else {
        // SAFETY: the payload belongs to the message.
        unsafe {
            if message.ty() == ptype::SOCKET {
                notices::socket_message_taken(message.data, message.size());
            }
            libc::free(message.data);
        }
        add(&this.dropped_no_callback, 1);
        return;
    };
    let file = this.logfile.load(Ordering::Acquire);
    if !file.is_null() {
        write_record(file, &{ message });
    }
    add(&this.messages, 1);
    // Only the callback is charged: the core's own allocations around it are charged to no service.
    memory::turn_begin();
    if message.ty() == ptype::SOCKET {
        // SAFETY: the data of the message, as large as it says.
        unsafe { charge_buffer(message.data, message.size()) };
    }
    // SAFETY: the callback and its data were given by the service for this use.
    let keep = unsafe {
        callback(
            std::ptr::from_ref(this).cast_mut(),
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
    if keep == 0 {
        if payload == Class::UNPOOLED {
            // SAFETY: the callback left the payload to us.
            unsafe { libc::free(message.data) };
        } else {
            // SAFETY: as above, and the sender took the block from this class.
            unsafe { freelist::dealloc(payload, message.data.cast()) };
        }
    }
}

/// Dispatches everything that waits, outside of a worker's turn ("skynet_server.h", `skynet_context_dispatchall`).
///
/// # Safety
/// The caller holds a reference, and is the consumer of the mailbox, or no worker runs.
pub unsafe fn drain(context: *mut Context) {
    // SAFETY: no other thread is consumer; whether the mailbox is idle or queued does not matter.
    let this = unsafe { &*context };
    // SAFETY: by contract the consumer's role is ours, or no other thread will acquire it.
    let before = unsafe { on_turn::enter_service(this) };
    // SAFETY: as above.
    let mut mailbox = unsafe { this.queue.mailbox.consumer() };
    let outer = cpu::leave();
    while let Some((message, payload)) = mailbox.pop() {
        // SAFETY: as above.
        unsafe {
            if this.profile {
                let start = cpu::begin_turn();
                dispatch(this, message, payload);
                settle(this, start);
            } else {
                dispatch(this, message, payload);
            }
        }
    }
    cpu::return_to(outer);
    on_turn::leave_service(before);
}

/// At start: what must not cost the first message anything.
pub fn prepare(profile: bool) {
    if profile {
        cpu::calibrate();
    }
}
