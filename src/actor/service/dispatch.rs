//! A turn: one worker takes one ready service and gives it some of its messages.

use super::context::finish;
use super::own::Own;
use super::queue::{self, Opened};
use super::{notices, on_turn, waiting};
use crate::alloc::freelist::{self, Class};
use crate::alloc::memory;
use crate::alloc::reclaim::Guard;
use crate::base::log;
use crate::base::message::{Message, SocketMessage, ptype};
use crate::scheduler::{Activity, Ready, TimesliceResult, cpu};
use libc::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What the log service gets in a turn, in turns of others, as a power of two. All of them write to it, one line a microsecond if
/// they like, and it writes a line in a third of that: with a turn like theirs it would fall behind as soon as two of them do.
const LOG_TURNS: u32 = 4;

/// How much one turn may do: messages, and the time of [`cpu::is_long_turn`] times two to the power of `more`, about.
#[derive(Clone, Copy)]
struct Allowance {
    messages: usize,
    more: u32,
}

impl Allowance {
    #[cold]
    fn of_log(budget: usize) -> Allowance {
        // Where one message at a time is asked for, in a seeded order, no clock may decide.
        let more = if budget > 1 { LOG_TURNS } else { 0 };
        Allowance {
            messages: budget << more,
            more,
        }
    }
}

/// Dispatches up to `budget` messages of the service that is `ready`; more of the log service's.
pub fn turn(ready: Ready, guard: &Guard, activity: &Activity, budget: usize) -> TimesliceResult {
    let mut own = match queue::open(ready, guard) {
        Opened::Service(own) => own,
        Opened::Alone(queue) => return queue.turn(),
    };
    let more = on_turn::turn_of(&mut own, |own| {
        activity.enter(own.handle());
        let allowance = if own.handle() == log::reader() {
            Allowance::of_log(budget)
        } else {
            Allowance {
                messages: budget,
                more: 0,
            }
        };
        if own.profile {
            messages::<true>(own, activity, allowance);
        } else {
            messages::<false>(own, activity, allowance);
        }
        end_of_turn(own, activity)
    });
    let context = own.context();
    let rest = if more { Some(own) } else { own.try_release() };
    let own = match rest {
        Some(mut own) if !own.is_retired() => {
            // So that others see how much waits.
            own.consumer.drain_inbox();
            return TimesliceResult::More(own.into_ready());
        }
        Some(own) => own,
        None if !context.is_retired() => return TimesliceResult::Idle,
        // Retired before the release: the thread that acquires the mailbox ends the service.
        None => match context.try_own() {
            Some(own) => own,
            None => return TimesliceResult::Idle,
        },
    };
    // The end of a service is none of its messages.
    activity.end();
    // SAFETY: it is retired.
    unsafe { finish(own) };
    cpu::interrupt();
    TimesliceResult::Ended
}

/// What else the turn does, behind its messages. True if the service is to have another turn for that.
#[inline(always)]
fn end_of_turn(own: &mut Own<'_>, activity: &Activity) -> bool {
    #[cfg(feature = "lua")]
    // SAFETY: no callback runs.
    return unsafe { super::quiet::end_of_turn(own, activity) };
    #[cfg(not(feature = "lua"))]
    {
        let _ = (own, activity);
        false
    }
}

/// Gives as many messages to the callback as `allowed`, none after the service has been retired, and about as many as
/// [`cpu::is_long_turn`] allows: a service with long messages gets fewer of them in a row.
///
/// The counter is looked at after two, four, eight messages and so on: seldom for short messages, not at all for a single
/// one, and a turn of long ones takes about twice its time at most. With `PROFILE` also after the first one and at the end of
/// the turn: what passed belongs to the service, whichever of its messages it was. `PROFILE` is the context's; at least one
/// message is allowed.
#[inline(always)]
fn messages<const PROFILE: bool>(this: &mut Own<'_>, activity: &Activity, allowed: Allowance) {
    let budget = allowed.messages;
    let mut now = if PROFILE { cpu::begin_turn() } else { 0 };
    let (mut done, mut settled) = (0, 0);
    // When to look at the counter, at the end of the budget at the latest, and what it was at first.
    let (mut look_at, mut first) = (budget.min(if PROFILE { 1 } else { 2 }), now);
    let context = this.context();
    while let Some((message, payload)) = this.consumer.pop_if(|| !context.is_retired()) {
        let overload = this.consumer.take_overload();
        if overload != 0 {
            report_overload(this.handle(), overload);
        }
        activity.message(&message);
        dispatch(this, message, payload);
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
            } else if cpu::is_long_turn(passed.wrapping_sub(first) >> allowed.more) {
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
pub(super) fn settle(this: &mut Own<'_>, start: u64) -> u64 {
    let (cost, now) = cpu::spent(start);
    this.cost
        .store(this.cost.load(Ordering::Relaxed) + cost, Ordering::Relaxed);
    let messages = this.messages.load(Ordering::Relaxed);
    this.settled.store(messages, Ordering::Relaxed);
    now
}

/// Of the log service only what is much in bytes: a thousand lines are a few writes for it, and the report is one more.
#[cold]
fn report_overload(handle: u32, length: usize) {
    if handle == log::reader() && !waiting::is_much(handle) {
        return;
    }
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

/// Gives one message, which its mailbox held, to the callback.
#[inline(always)]
fn dispatch(this: &mut Own<'_>, message: Message, payload: Class) {
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
    // SAFETY: the callback and its data were given by the service for this use. It has the role lent until it returns.
    let keep = unsafe {
        callback(
            std::ptr::from_ref(this.context()).cast_mut(),
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
            // SAFETY: the callback left the payload to the core.
            unsafe { freelist::dealloc_payload(message.data.cast(), message.size()) };
        } else {
            // SAFETY: as above, and the sender took the block from this class.
            unsafe { freelist::dealloc(payload, message.data.cast()) };
        }
    }
}

impl Own<'_> {
    /// Dispatches everything that waits, outside of a worker's turn ("skynet_server.h", `skynet_context_dispatchall`).
    pub fn drain(&mut self) {
        on_turn::nested(self, |this| {
            let outer = cpu::leave();
            while let Some((message, payload)) = this.consumer.pop() {
                if this.profile {
                    let start = cpu::begin_turn();
                    dispatch(this, message, payload);
                    settle(this, start);
                } else {
                    dispatch(this, message, payload);
                }
            }
            cpu::return_to(outer);
        });
    }
}

/// At start: what must not cost the first message anything.
pub fn prepare(profile: bool) {
    if profile {
        cpu::calibrate();
    }
}
