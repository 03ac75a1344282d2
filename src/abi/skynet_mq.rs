//! "skynet_mq.h": mailboxes, for programs that drive the core's parts themselves.

use crate::actor::mailbox::Pushed;
use crate::actor::service;
pub use crate::actor::service::Queue as MessageQueue;
use crate::alloc::freelist::Class;
use crate::alloc::reclaim;
use crate::base::message::Message;
use crate::diag::crash::contain;
use crate::scheduler;
use libc::{c_int, c_void};

/// Gets each message that was not delivered; its data belongs to the function.
pub type MessageDrop = Option<unsafe extern "C" fn(*mut Message, *mut c_void)>;

/// Makes a queue ready for the workers.
///
/// # Safety
/// `queue` is alive, and the caller is its consumer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_globalmq_push(queue: *mut MessageQueue) {
    contain("skynet_globalmq_push", (), || {
        if !queue.is_null() {
            scheduler::inject(queue.cast());
        }
    })
}

/// Takes a ready queue; NULL when there is none. The caller is its consumer.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_globalmq_pop() -> *mut MessageQueue {
    contain("skynet_globalmq_pop", std::ptr::null_mut(), || {
        service::take_ready().unwrap_or(std::ptr::null_mut())
    })
}

/// A queue for messages to `handle`, which counts as being dispatched by the caller.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_mq_create(handle: u32) -> *mut MessageQueue {
    contain("skynet_mq_create", std::ptr::null_mut(), || {
        Box::into_raw(Box::new(MessageQueue::of_handle(handle)))
    })
}

/// Says that nothing will be pushed any more: the queue is freed when it is dispatched next.
///
/// # Safety
/// `q` is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_mq_mark_release(q: *mut MessageQueue) {
    contain("skynet_mq_mark_release", (), || {
        // A worker that finds the mark may free it at once.
        let _guard = reclaim::enter();
        // SAFETY: contract of this function.
        if let Some(queue) = unsafe { q.as_ref() }
            && queue.mark_release()
            && queue.mailbox.try_acquire().is_some()
        {
            scheduler::inject(q.cast());
        }
    })
}

/// Frees a queue that is marked, handing what is left to `drop_func`; makes one that is not marked ready again.
///
/// # Safety
/// `q` is alive, comes from skynet_mq_create, and the caller is its consumer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_mq_release(
    q: *mut MessageQueue,
    drop_func: MessageDrop,
    ud: *mut c_void,
) {
    contain("skynet_mq_release", (), || {
        // SAFETY: contract of this function.
        unsafe {
            if q.is_null() {
                return;
            }
            if !(*q).is_marked() {
                return scheduler::inject(q.cast());
            }
            MessageQueue::free(q, |mut message| match drop_func {
                Some(drop_func) => drop_func(&raw mut message, ud),
                None => libc::free(message.data),
            });
        }
    })
}

/// The service that the messages of a queue are for.
///
/// # Safety
/// `q` is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_mq_handle(q: *mut MessageQueue) -> u32 {
    contain("skynet_mq_handle", 0, || {
        // SAFETY: contract of this function.
        unsafe { q.as_ref() }.map_or(0, MessageQueue::handle)
    })
}

/// Takes the oldest message: 0, or 1 when the queue is empty; the caller is not its consumer any more then.
///
/// # Safety
/// `q` is alive, the caller is its consumer, `message` is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_mq_pop(q: *mut MessageQueue, message: *mut Message) -> c_int {
    contain("skynet_mq_pop", 1, || {
        // SAFETY: contract of this function.
        unsafe {
            let Some(queue) = q.as_ref() else { return 1 };
            let _guard = reclaim::enter();
            loop {
                if let Some((popped, _)) = queue.mailbox.consumer().pop() {
                    message.write(popped);
                    return 0;
                }
                if queue.try_release() {
                    return 1;
                }
            }
        }
    })
}

/// Adds a message, and makes the queue ready if it was idle.
///
/// # Safety
/// `q` is alive, `message` readable; its data is taken over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_mq_push(q: *mut MessageQueue, message: *mut Message) {
    contain("skynet_mq_push", (), || {
        // SAFETY: contract of this function.
        unsafe {
            let (Some(queue), Some(message)) = (q.as_ref(), message.as_ref()) else {
                return;
            };
            match queue.mailbox.push(*message, Class::UNPOOLED) {
                Pushed::Queued => {}
                Pushed::Schedule => scheduler::submit(queue.ready()),
                Pushed::Closed => libc::free(message.data),
            }
        }
    })
}

/// Number of waiting messages.
///
/// # Safety
/// `q` is alive and the caller is its consumer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_mq_length(q: *mut MessageQueue) -> c_int {
    contain("skynet_mq_length", 0, || {
        // SAFETY: contract of this function.
        unsafe { q.as_ref() }.map_or(0, |queue| {
            // SAFETY: contract of this function.
            let waiting = unsafe { queue.mailbox.consumer() }.len();
            waiting.try_into().unwrap_or(c_int::MAX)
        })
    })
}

/// The length at which an overload was noticed since the last call, or 0.
///
/// # Safety
/// `q` is alive and the caller is its consumer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_mq_overload(q: *mut MessageQueue) -> c_int {
    contain("skynet_mq_overload", 0, || {
        // SAFETY: contract of this function.
        unsafe { q.as_ref() }.map_or(0, |queue| {
            // SAFETY: contract of this function.
            let overload = unsafe { queue.mailbox.consumer() }.take_overload();
            overload.try_into().unwrap_or(c_int::MAX)
        })
    })
}

/// Nothing to do.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_mq_init() {}
