//! "skynet_mq.h": mailboxes, for programs that drive the core's parts themselves.

pub use crate::actor::service::Queue as MessageQueue;
use crate::alloc::freelist::Class;
use crate::alloc::reclaim;
use crate::base::message::Message;
use crate::diag::crash::contain;
use crate::scheduler;
use libc::{c_int, c_void};
use std::ptr::{self, NonNull};

/// Gets each message that was not delivered; its data belongs to the function.
pub type MessageDrop = Option<unsafe extern "C" fn(*mut Message, *mut c_void)>;

/// Makes a queue ready for the workers.
///
/// # Safety
/// `queue` is NULL, or alive and the caller is its consumer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_globalmq_push(queue: *mut MessageQueue) {
    contain("skynet_globalmq_push", (), || {
        if let Some(queue) = NonNull::new(queue) {
            // SAFETY: contract of this function.
            scheduler::inject(unsafe { MessageQueue::given_back(queue) });
        }
    })
}

/// Takes a ready queue; NULL when there is none. The caller is its consumer.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_globalmq_pop() -> *mut MessageQueue {
    contain("skynet_globalmq_pop", ptr::null_mut(), || {
        scheduler::take_any().map_or(ptr::null_mut(), MessageQueue::lend)
    })
}

/// A queue for messages to `handle`, which counts as being dispatched by the caller.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_mq_create(handle: u32) -> *mut MessageQueue {
    contain("skynet_mq_create", ptr::null_mut(), || {
        MessageQueue::lend(MessageQueue::create(handle))
    })
}

/// Says that nothing will be pushed any more: the queue is freed when it is dispatched next.
///
/// # Safety
/// `q` is alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_mq_mark_release(q: *mut MessageQueue) {
    contain("skynet_mq_mark_release", (), || {
        let guard = reclaim::enter();
        // SAFETY: contract of this function.
        if let Some(queue) = unsafe { q.as_ref() } {
            queue.mark_release(&guard);
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
        let guard = reclaim::enter();
        // SAFETY: contract of this function.
        unsafe {
            let Some(queue) = q.as_ref() else { return };
            if !queue.is_marked() {
                return scheduler::inject(MessageQueue::given_back(NonNull::from(queue)));
            }
            queue.lent(&guard).free(|mut message| match drop_func {
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
            let guard = reclaim::enter();
            let mut role = q.as_ref().map(|queue| queue.lent(&guard));
            while let Some(mut queue) = role {
                if let Some(popped) = queue.pop() {
                    message.write(popped);
                    return 0;
                }
                role = queue.try_release();
            }
            1
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
            if !queue.push(*message, Class::UNPOOLED) {
                libc::free(message.data);
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
        let guard = reclaim::enter();
        // SAFETY: contract of this function.
        let waiting = unsafe { q.as_ref().map_or(0, |queue| queue.lent(&guard).len()) };
        waiting.try_into().unwrap_or(c_int::MAX)
    })
}

/// The length at which an overload was noticed since the last call, or 0.
///
/// # Safety
/// `q` is alive and the caller is its consumer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_mq_overload(q: *mut MessageQueue) -> c_int {
    contain("skynet_mq_overload", 0, || {
        let guard = reclaim::enter();
        // SAFETY: contract of this function.
        let overload = unsafe {
            q.as_ref()
                .map_or(0, |queue| queue.lent(&guard).take_overload())
        };
        overload.try_into().unwrap_or(c_int::MAX)
    })
}

/// Nothing to do.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_mq_init() {}
