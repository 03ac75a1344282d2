//! What run queues hold: a mailbox and whose it is. `struct message_queue` of "skynet_mq.h".
//!
//! Services carry theirs in the context. C programs that drive the core's parts themselves can also make queues that
//! belong to a handle but to no context (`skynet_mq_create`).
//!
//! The end of such a queue is as that of a service: the thread that marks it tries to acquire the mailbox afterwards, and a
//! consumer that gives its role up looks at the mark afterwards and tries the same ([`Queue::try_release`]). Both are
//! sequentially consistent, so exactly one of them has the role then, and frees the queue ([`Queue::free`]); the other may
//! still look at it, so that its memory goes through [`crate::alloc::reclaim`].

use super::{Context, send_to};
use crate::actor::mailbox::Mailbox;
use crate::alloc::reclaim;
use crate::base::message::{Message, ptype};
use crate::scheduler::{self, Ready, TimesliceResult};
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// See the module's documentation.
pub struct Queue {
    /// The messages.
    pub mailbox: Mailbox,
    owner: AtomicPtr<Context>,
    handle: u32,
    release: AtomicBool,
}

impl Queue {
    /// The queue of a service that is being launched.
    pub(super) fn new() -> Queue {
        Queue::of_handle(0)
    }

    /// A queue without a service, for messages to `handle`. Its consumer is the caller.
    pub fn of_handle(handle: u32) -> Queue {
        Queue {
            mailbox: Mailbox::new(),
            owner: AtomicPtr::new(std::ptr::null_mut()),
            handle,
            release: AtomicBool::new(false),
        }
    }

    /// Before the queue is shared.
    pub(super) fn set_owner(&self, owner: *mut Context) {
        self.owner.store(owner, Ordering::Relaxed);
    }

    /// The service, or null.
    #[inline]
    pub(super) fn owner(&self) -> *mut Context {
        self.owner.load(Ordering::Relaxed)
    }

    /// As run queues hold it.
    #[inline]
    pub fn ready(&self) -> *mut Ready {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// What run queues hold is one of these.
    #[inline]
    pub fn of_ready(ready: *mut Ready) -> *mut Queue {
        ready.cast()
    }

    /// Whom the messages are for.
    pub fn handle(&self) -> u32 {
        // SAFETY: a context outlives its queue.
        unsafe { self.owner().as_ref() }.map_or(self.handle, Context::handle)
    }

    /// The queue may be freed by its consumer. False if it was said before.
    pub fn mark_release(&self) -> bool {
        !self.release.swap(true, Ordering::SeqCst)
    }

    /// True after [`Queue::mark_release`].
    pub fn is_marked(&self) -> bool {
        self.release.load(Ordering::SeqCst)
    }

    /// Gives the role of the consumer up if no message waits: true then. The next worker that dispatches the
    /// queue frees it if it was marked meanwhile.
    ///
    /// # Safety
    /// The caller is the consumer of a queue without a service, and inside a guard of [`crate::alloc::reclaim`].
    pub unsafe fn try_release(&self) -> bool {
        // SAFETY: contract of this function.
        if unsafe { self.mailbox.consumer() }.try_release().is_some() {
            return false;
        }
        // The guard keeps the memory, also when another thread has the role now.
        if self.is_marked() && self.mailbox.try_acquire().is_some() {
            scheduler::inject(self.ready());
        }
        true
    }

    /// Ends a queue: what waits goes to `each`, then the memory is freed after a grace period.
    ///
    /// # Safety
    /// Made by `Box::into_raw`, without a service, and marked; the caller is the consumer.
    pub unsafe fn free(queue: *mut Queue, mut each: impl FnMut(Message)) {
        unsafe fn free(queue: *mut ()) {
            // SAFETY: contract of `Queue::free`; the grace period is over.
            drop(unsafe { Box::from_raw(queue.cast::<Queue>()) });
        }
        // SAFETY: contract of this function. The mailbox is not idle, so no thread becomes its consumer after us.
        unsafe {
            let mut consumer = (*queue).mailbox.consumer();
            while let Some((message, _)) = consumer.pop() {
                each(message);
            }
            reclaim::defer(queue.cast(), free);
        }
    }

    /// A worker met a queue without a service: with its release marked it is freed, and its messages are sent
    /// back as errors.
    ///
    /// # Safety
    /// The caller is the consumer, and inside a guard.
    pub(super) unsafe fn turn_alone(queue: *mut Queue) -> TimesliceResult {
        // SAFETY: the caller is the consumer of a queue that was not freed.
        let this = unsafe { &*queue };
        if !this.is_marked() {
            // SAFETY: contract of this function.
            return if unsafe { this.try_release() } {
                TimesliceResult::Idle
            } else {
                TimesliceResult::More
            };
        }
        let handle = this.handle;
        let bounce = |message: Message| {
            // SAFETY: the payload belongs to the message.
            unsafe { libc::free(message.data) };
            if message.source != 0 {
                send_to(
                    message.source,
                    Message::empty(handle, ptype::ERROR, message.session),
                );
            }
        };
        // SAFETY: made by `skynet_mq_create`, and marked.
        unsafe { Queue::free(queue, bounce) };
        TimesliceResult::Ended
    }
}

/// Takes a ready queue from wherever one is ("skynet_mq.h", `skynet_globalmq_pop`). The caller is its consumer.
pub fn take_ready() -> Option<*mut Queue> {
    scheduler::take_any().map(Queue::of_ready)
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_marked_while_it_has_a_consumer_is_still_freed() {
        let queue = Box::into_raw(Box::new(Queue::of_handle(0x77)));
        let _guard = reclaim::enter();
        // SAFETY: ours, as its creator; after the release it belongs to the worker that takes it out of the run queue, which is
        // this test: no worker runs in this process.
        unsafe {
            assert!((*queue).mark_release());
            assert!(
                (*queue).mailbox.try_acquire().is_none(),
                "we are the consumer"
            );
            assert!((*queue).try_release());
            assert_eq!(take_ready(), Some(queue));
            Queue::free(queue, |_| panic!("no message was sent"));
        }
    }
}
