//! "skynet_server.h": contexts, for the core's own parts and programs that embed it.

use super::skynet_mq::MessageQueue;
use super::text;
use crate::actor::service::{self, Context, ServiceRef};
use crate::alloc::freelist::Class;
use crate::alloc::reclaim;
use crate::base::message::Message;
use crate::base::panic::thread;
use crate::diag::crash::contain;
use crate::diag::stuck::Monitor;
use crate::scheduler::{self, TimesliceResult};
use libc::{c_char, c_int, c_void};
use std::ptr::NonNull;

/// Launches a service. Its handle, 0 on failure.
///
/// # Safety
/// `name` is a C string, `parm` NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_new(name: *const c_char, parm: *const c_char) -> u32 {
    contain("skynet_context_new", 0, || {
        // SAFETY: contract of this function.
        let (name, parm) = unsafe { (text(name), text(parm)) };
        name.and_then(|name| service::launch(name, parm))
            .map_or(0, |service| service.handle())
    })
}

/// Adds a reference.
///
/// # Safety
/// The context is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_grab(ctx: *mut Context) {
    contain("skynet_context_grab", (), || {
        // SAFETY: contract of this function.
        let more = unsafe { ctx.as_ref() }.and_then(Context::reference);
        // C drops it.
        more.map(ServiceRef::into_raw);
    })
}

/// Adds a reference, and the service no longer keeps the node up.
///
/// # Safety
/// The context is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_reserve(ctx: *mut Context) {
    contain("skynet_context_reserve", (), || {
        // SAFETY: contract of this function.
        if let Some(more) = unsafe { ctx.as_ref() }.and_then(Context::reference) {
            more.reserve();
            // C drops it.
            more.into_raw();
        }
    })
}

/// Drops a reference; the last one releases the service. The pointer (programs of v1.8.0 and before use it), NULL when
/// it was the last.
///
/// # Safety
/// The context is alive and the caller has a reference.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_release(ctx: *mut Context) -> *mut Context {
    contain("skynet_context_release", std::ptr::null_mut(), || {
        // SAFETY: contract of this function.
        let reference = NonNull::new(ctx).map(|ctx| unsafe { ServiceRef::from_raw(ctx) });
        if reference.is_none_or(ServiceRef::release) {
            std::ptr::null_mut()
        } else {
            ctx
        }
    })
}

/// The handle of a context.
///
/// # Safety
/// The context is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_handle(ctx: *mut Context) -> u32 {
    contain("skynet_context_handle", 0, || {
        // SAFETY: contract of this function.
        unsafe { ctx.as_ref() }.map_or(0, Context::handle)
    })
}

/// Puts a message into a mailbox: 0, or -1 when the handle is unknown (the message still belongs to the caller then).
///
/// # Safety
/// `message` is readable and its data is NULL or a block of skynet_malloc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_push(handle: u32, message: *mut Message) -> c_int {
    contain("skynet_context_push", -1, || {
        // SAFETY: contract of this function.
        match unsafe { message.as_ref() } {
            Some(message) if service::push(handle, *message) => 0,
            _ => -1,
        }
    })
}

/// Sends straight to a context; `msg` is taken over.
///
/// # Safety
/// The context is alive, `msg` is NULL or a block of skynet_malloc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_send(
    context: *mut Context,
    msg: *mut c_void,
    sz: usize,
    source: u32,
    r#type: c_int,
    session: c_int,
) {
    contain("skynet_context_send", (), || {
        // SAFETY: contract of this function.
        let taken = unsafe { context.as_ref() }.is_some_and(|context| {
            context.deliver(
                Message::with_data(source, r#type, session, msg, sz),
                Class::UNPOOLED,
            )
        });
        if !taken {
            // SAFETY: the block was not taken.
            unsafe { libc::free(msg) };
        }
    })
}

/// A new session of the service: positive, wraps to 1.
///
/// # Safety
/// The context is a live service of the calling thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_newsession(ctx: *mut Context) -> c_int {
    contain("skynet_context_newsession", 0, || {
        // SAFETY: contract of this function.
        unsafe { ctx.as_ref() }.map_or(0, Context::new_session)
    })
}

/// One turn of `q`, or of the next ready queue if `q` is NULL: one message with a negative weight, else the length of the
/// queue divided by 2^weight. The queue to go on with, NULL when nothing is ready.
///
/// # Safety
/// `monitor` is NULL or from skynet_monitor_new; `q` is NULL or what the last call on this thread answered.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_message_dispatch(
    monitor: *mut Monitor,
    q: *mut MessageQueue,
    weight: c_int,
) -> *mut MessageQueue {
    thread(|| {
        let nothing = std::ptr::null_mut();
        // SAFETY: contract of this function; a queue that was handed out makes its holder the consumer.
        let given = NonNull::new(q).map(|q| unsafe { MessageQueue::given_back(q) });
        let Some(mut ready) = given.or_else(scheduler::take_any) else {
            return nothing;
        };
        let own = Monitor::default();
        let guard = reclaim::enter();
        let budget = if weight < 0 {
            1
        } else {
            (MessageQueue::waiting(&mut ready) >> weight.min(31)).max(1)
        };
        // SAFETY: contract of this function.
        let activity = &unsafe { monitor.as_ref() }.unwrap_or(&own).activity;
        let turn = service::turn(ready, &guard, activity, budget);
        activity.end();
        let mut next = scheduler::take_any();
        if let TimesliceResult::More(ready) = turn {
            if next.is_some() {
                scheduler::inject(ready);
            } else {
                next = Some(ready);
            }
        }
        next.map_or(nothing, MessageQueue::lend)
    })
}

/// Number of services that keep the node up.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_context_total() -> c_int {
    contain("skynet_context_total", 0, service::total)
}

/// Dispatches all messages of a service on the calling thread; only while no worker runs.
///
/// # Safety
/// The context is alive and no worker runs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_context_dispatchall(context: *mut Context) {
    thread(|| {
        if !context.is_null() {
            // SAFETY: contract of this function.
            unsafe { (*context).own() }.drain();
        }
    })
}

/// Marks a service as stuck (command STAT endless).
#[unsafe(no_mangle)]
pub extern "C" fn skynet_context_endless(handle: u32) {
    contain("skynet_context_endless", (), || {
        let guard = reclaim::enter();
        if let Some(context) = service::find(&guard, handle) {
            context.mark_endless();
        }
    })
}

/// Prepares the calling (main) thread.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_globalinit() {
    contain("skynet_globalinit", (), || {
        service::init_thread(service::ThreadClass::Main);
    })
}

/// The counterpart of skynet_globalinit; nothing is left to do.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_globalexit() {}

/// Names the class of the calling thread (THREAD_*).
#[unsafe(no_mangle)]
pub extern "C" fn skynet_initthread(m: c_int) {
    contain("skynet_initthread", (), || {
        service::init_thread_class(m);
    })
}

/// CPU accounting of services that are launched from now on: 0 is off.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_profile_enable(enable: c_int) {
    contain("skynet_profile_enable", (), || {
        service::set_profile(enable != 0);
    })
}
