//! What run queues hold: a mailbox and whose it is. `struct message_queue` of "skynet_mq.h".
//!
//! Services carry theirs in the context. C programs that drive the core's parts themselves can also make queues that
//! belong to a handle but to no context (`skynet_mq_create`).

use super::dispatch::Turn;
use super::{Context, send_to};
use crate::mailbox::Mailbox;
use crate::message::{Message, ptype};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// See the module's documentation.
pub struct Queue {
    /// The messages.
    pub mailbox: Mailbox,
    owner: Cell<*mut Context>,
    handle: u32,
    release: AtomicBool,
}

// SAFETY: `owner` is set before anybody else knows the queue; the rest is atomic or constant.
unsafe impl Sync for Queue {}

impl Queue {
    /// The queue of a service that is being launched.
    pub(super) fn new() -> Queue {
        Queue::of_handle(0)
    }

    /// A queue without a service, for messages to `handle`. Its consumer is the caller.
    pub fn of_handle(handle: u32) -> Queue {
        Queue {
            mailbox: Mailbox::new(),
            owner: Cell::new(std::ptr::null_mut()),
            handle,
            release: AtomicBool::new(false),
        }
    }

    pub(super) fn set_owner(&self, owner: *mut Context) {
        self.owner.set(owner);
    }

    /// The service, or null.
    #[inline]
    pub(super) fn owner(&self) -> *mut Context {
        self.owner.get()
    }

    /// Whom the messages are for.
    pub fn handle(&self) -> u32 {
        // SAFETY: a context outlives its queue.
        unsafe { self.owner.get().as_ref() }.map_or(self.handle, Context::handle)
    }

    /// The queue may be freed by its consumer. False if it was said before.
    pub fn mark_release(&self) -> bool {
        !self.release.swap(true, Ordering::AcqRel)
    }

    /// True after [`Queue::mark_release`].
    pub fn is_marked(&self) -> bool {
        self.release.load(Ordering::Acquire)
    }

    /// A worker met a queue without a service: with its release marked it is freed and its mail bounces.
    pub(super) unsafe fn turn_alone(queue: *mut Queue) -> Turn {
        // SAFETY: the caller is the consumer of a queue that nobody has freed.
        let this = unsafe { &*queue };
        if !this.is_marked() {
            return if this.mailbox.rest() {
                Turn::Idle
            } else {
                Turn::More
            };
        }
        let handle = this.handle;
        // SAFETY: made by `Box::into_raw` in `skynet_mq_create`; marked, so nobody uses it any more.
        let queue = unsafe { Box::from_raw(queue) };
        while let Some((message, _)) = queue.mailbox.pop() {
            // SAFETY: the payload belongs to the message.
            unsafe { libc::free(message.data) };
            if message.source != 0 {
                send_to(
                    message.source,
                    Message::empty(handle, ptype::ERROR, message.session),
                );
            }
        }
        Turn::Ended
    }
}
