//! What run queues hold: a mailbox and whose it is. `struct message_queue` of "skynet_mq.h".
//!
//! Services carry theirs in the context. C programs that drive the core's parts themselves can also make queues that
//! belong to a handle but to no context (`skynet_mq_create`).
//!
//! The right to consume a mailbox becomes a token of the scheduler here ([`Queue::ready`]), and is made out of that again
//! ([`open`]). While there is such a token the queue is alive: only its consumer ends it. C has the token as a pointer to the
//! queue ([`Queue::lend`]), and gives it back as one.
//!
//! The end of a queue without a service is as that of a service: the thread that marks it tries to acquire the mailbox afterwards, and a
//! consumer that gives its role up looks at the mark afterwards and tries the same ([`Held::try_release`]). Both are
//! sequentially consistent, so exactly one of them has the role then, and frees the queue ([`Held::free`]); the other may still
//! look at it, so that its memory goes through [`crate::alloc::reclaim`].

use super::own::{Answers, Own};
use super::{Context, send_to};
use crate::actor::mailbox::{Consumer, Mailbox, Pushed};
use crate::alloc::freelist::Class;
use crate::alloc::reclaim::{self, Guard};
use crate::base::message::{Message, ptype};
use crate::scheduler::{self, Ready, TimesliceResult};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

/// See the module's documentation.
pub struct Queue {
    pub(super) mailbox: Mailbox<Answers>,
    owner: AtomicPtr<Context>,
    handle: u32,
    release: AtomicBool,
}

/// What came out of a run queue, with the role of its consumer.
pub(super) enum Opened<'a> {
    Service(Own<'a>),
    Alone(Held<'a>),
}

/// A queue with the role of its consumer.
pub struct Held<'a> {
    queue: &'a Queue,
    consumer: Consumer<'a, Answers>,
}

/// The token is used up: the role is the caller's.
#[inline(always)]
pub(super) fn open(ready: Ready, _guard: &Guard) -> Opened<'_> {
    let queue = ready.into_raw().cast::<Queue>();
    // SAFETY: tokens are made by `Queue::ready`, of a queue that lives as long as its token, and is freed through `reclaim`
    // by its last consumer; the guard keeps the memory until then. The token is given up for the role. That of
    // the queue of a service is the service's.
    unsafe {
        let queue = queue.as_ref();
        match queue.service() {
            Some(service) => Opened::Service(service.own()),
            None => Opened::Alone(Held {
                queue,
                consumer: queue.mailbox.assume_consumer(),
            }),
        }
    }
}

impl Queue {
    /// The queue of a service that is being launched.
    pub(super) fn new() -> Queue {
        Queue::of_handle(0)
    }

    fn of_handle(handle: u32) -> Queue {
        Queue {
            mailbox: Mailbox::new(Answers::default()),
            owner: AtomicPtr::new(std::ptr::null_mut()),
            handle,
            release: AtomicBool::new(false),
        }
    }

    /// A queue without a service, for messages to `handle`; the right to consume it is the caller's.
    pub fn create(handle: u32) -> Ready {
        let queue: &Queue = Box::leak(Box::new(Queue::of_handle(handle)));
        let consumer = queue.mailbox.try_acquire();
        queue.ready(consumer.expect("it is not shared yet"))
    }

    /// Before the queue is shared.
    pub(super) fn set_owner(&self, owner: *mut Context) {
        self.owner.store(owner, Ordering::Relaxed);
    }

    /// The service that it belongs to.
    #[inline]
    fn service(&self) -> Option<&Context> {
        // SAFETY: a context outlives its queue, which is a part of it.
        unsafe { self.owner.load(Ordering::Relaxed).as_ref() }
    }

    /// The role as run queues hold it.
    #[inline(always)]
    pub(super) fn ready(&self, consumer: Consumer<'_, Answers>) -> Ready {
        assert!(consumer.is_of(&self.mailbox));
        // SAFETY: the role is given up for the token. `open` looks for a queue in it.
        unsafe { Ready::from_raw(NonNull::from(self).cast()) }
    }

    /// The token as C has it: a pointer to the queue.
    pub fn lend(ready: Ready) -> *mut Queue {
        ready.into_raw().cast().as_ptr()
    }

    /// The token that C had.
    ///
    /// # Safety
    /// `queue` is an answer of [`Queue::lend`], and C has not given it back since.
    pub unsafe fn given_back(queue: NonNull<Queue>) -> Ready {
        // SAFETY: contract of this function.
        unsafe { Ready::from_raw(queue.cast()) }
    }

    /// The queue with the role of its consumer, for a call from C.
    ///
    /// # Safety
    /// C has the token ([`Queue::lend`]) until the answer is gone. If the answer gives the role up, or frees the queue, so is
    /// the token.
    pub unsafe fn lent<'a>(&'a self, _guard: &'a Guard) -> Held<'a> {
        Held {
            queue: self,
            // SAFETY: contract of this function.
            consumer: unsafe { self.mailbox.assume_consumer() },
        }
    }

    /// Adds a message, and makes the queue ready if it was idle. False when it was closed; the payload still belongs to the
    /// caller then.
    #[inline(always)]
    #[must_use]
    pub fn push(&self, message: Message, payload: Class) -> bool {
        match self.mailbox.push(message, payload) {
            Pushed::Queued => true,
            Pushed::Schedule(consumer) => {
                scheduler::submit(self.ready(consumer));
                true
            }
            Pushed::Closed => false,
        }
    }

    /// Messages that wait.
    pub fn waiting(ready: &mut Ready) -> usize {
        let queue = ready.as_raw().cast::<Queue>();
        // SAFETY: as in `open`; the token is the caller's, which does not use it meanwhile.
        unsafe { queue.as_ref().mailbox.assume_consumer() }.len()
    }

    /// Whom the messages are for.
    pub fn handle(&self) -> u32 {
        self.service().map_or(self.handle, Context::handle)
    }

    /// The queue may be freed by its consumer. If it has none it is made ready, so that the next one does.
    ///
    /// The caller is inside a guard: a worker that finds the mark may free it at once.
    pub fn mark_release(&self, _guard: &Guard) {
        if !self.release.swap(true, Ordering::SeqCst)
            && let Some(consumer) = self.mailbox.try_acquire()
        {
            scheduler::inject(self.ready(consumer));
        }
    }

    /// True after [`Queue::mark_release`].
    pub fn is_marked(&self) -> bool {
        self.release.load(Ordering::SeqCst)
    }
}

impl<'a> Held<'a> {
    /// The oldest message.
    pub fn pop(&mut self) -> Option<Message> {
        self.consumer.pop().map(|(message, _)| message)
    }

    /// Messages that wait.
    pub fn len(&mut self) -> usize {
        self.consumer.len()
    }

    /// As [`Consumer::take_overload`].
    pub fn take_overload(&mut self) -> usize {
        self.consumer.take_overload()
    }

    /// Gives the role of the consumer up if no message waits. The queue is freed by the next worker that dispatches it if it
    /// was marked meanwhile.
    pub fn try_release(self) -> Option<Held<'a>> {
        let queue = self.queue;
        if let Some(consumer) = self.consumer.try_release() {
            return Some(Held { queue, consumer });
        }
        // A guard keeps the memory, also when another thread has the role now.
        if queue.is_marked()
            && let Some(consumer) = queue.mailbox.try_acquire()
        {
            scheduler::inject(queue.ready(consumer));
        }
        None
    }

    /// Ends a queue that is marked: what waits goes to `each`, then the memory is freed after a grace period. That of a
    /// service ends with the service, and only loses its messages here.
    pub fn free(mut self, mut each: impl FnMut(Message)) {
        /// # Safety
        /// `queue` was made by `Queue::create`, nobody consumes it, and no reader has it (contract of `reclaim::defer`).
        unsafe fn free(queue: *mut ()) {
            // SAFETY: contract of this function.
            drop(unsafe { Box::from_raw(queue.cast::<Queue>()) });
        }
        while let Some(message) = self.pop() {
            each(message);
        }
        if self.queue.service().is_some() {
            return;
        }
        let queue = std::ptr::from_ref(self.queue).cast_mut();
        // SAFETY: a queue without a service is one of `Queue::create`. The mailbox is not idle, so no thread becomes its consumer
        // after this, which frees it once.
        unsafe { reclaim::defer(queue.cast(), free) };
    }

    /// A worker met it: with its release marked it is freed, and its messages are sent back as errors.
    pub(super) fn turn(self) -> TimesliceResult {
        if !self.queue.is_marked() {
            return match self.try_release() {
                None => TimesliceResult::Idle,
                Some(Held { queue, consumer }) => TimesliceResult::More(queue.ready(consumer)),
            };
        }
        let handle = self.queue.handle;
        self.free(|message| {
            // SAFETY: the payload belongs to the message.
            unsafe { libc::free(message.data) };
            if message.source != 0 {
                send_to(
                    message.source,
                    Message::empty(handle, ptype::ERROR, message.session),
                );
            }
        });
        TimesliceResult::Ended
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_marked_while_it_has_a_consumer_is_still_freed() {
        let ready = Queue::create(0x77);
        let guard = reclaim::enter();
        let alone = |ready| match open(ready, &guard) {
            Opened::Alone(alone) => alone,
            Opened::Service(_) => panic!("it has no service"),
        };
        let consumer = alone(ready);
        let queue = consumer.queue;
        queue.mark_release(&guard);
        assert!(scheduler::take_any().is_none(), "we are the consumer");
        assert!(consumer.try_release().is_none());
        // It belongs to the thread that takes it out of the run queue now, which is this test: no worker runs in this process.
        let ready = scheduler::take_any().expect("it is ready");
        let consumer = alone(ready);
        assert!(std::ptr::eq(queue, consumer.queue));
        consumer.free(|_| panic!("no message was sent"));
    }
}
