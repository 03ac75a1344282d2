//! What only the consumer of a mailbox may do.

use super::node::{self, Node};
use super::{BUSY, CLOSED, IDLE, Local, Mailbox, OVERLOAD, Ordering, order_for_loom};
use crate::alloc::freelist::Class;
use crate::base::message::Message;
use crate::base::not_impl::assert_not_impl;
use std::marker::PhantomData;

/// The role of a mailbox's consumer: see the head of [`crate::actor::mailbox`]. There is one at a time, which moves: into
/// [`Consumer::try_release`], or into a run queue. It stays on its thread; a run queue's token is what changes threads.
#[must_use = "no message is taken out any more if the role is lost"]
pub struct Consumer<'a, T> {
    pub(super) mailbox: &'a Mailbox<T>,
    pub(super) thread: PhantomData<*const ()>,
}

// Two of them do not compile, and none moves to another thread.
assert_not_impl!(Consumer<'_, ()>, Clone);
assert_not_impl!(Consumer<'_, ()>, Send);

/// Whether `head` is no block.
#[inline(always)]
fn is_state(head: *mut Node) -> bool {
    head == IDLE || head == BUSY || head == CLOSED
}

impl<'a, T> Consumer<'a, T> {
    #[inline(always)]
    fn local(&mut self) -> &mut Local {
        // SAFETY: the holder of the role is the only one who touches it, and has it borrowed mutably.
        unsafe { &mut *self.mailbox.local.get() }
    }

    /// What belongs to the consumer.
    #[inline(always)]
    pub(in crate::actor) fn owned(&mut self) -> &mut T {
        // SAFETY: as in `local`.
        unsafe { &mut *self.mailbox.owned.get() }
    }

    /// Whether it is the consumer of this mailbox.
    #[inline(always)]
    pub(in crate::actor) fn is_of(&self, mailbox: &Mailbox<T>) -> bool {
        std::ptr::eq(self.mailbox, mailbox)
    }

    /// Takes in what has arrived, so that [`Consumer::len`] counts it.
    #[inline(always)]
    pub(in crate::actor) fn drain_inbox(&mut self) {
        let head = self.mailbox.head.load(Ordering::Acquire);
        if head == self.local().seen || is_state(head) {
            return;
        }
        self.append(head);
    }

    /// Appends arrivals (newest first, down to the block seen last) to the list, oldest first.
    #[inline(always)]
    fn append(&mut self, newest: *mut Node) {
        let mailbox = self.mailbox;
        let local = self.local();
        let mut first = std::ptr::null_mut();
        let mut node = newest;
        // SAFETY: this is the consumer, to which the blocks above the one that it saw last belong.
        unsafe {
            while !node.is_null() && node != local.seen {
                let next = Node::next(node);
                Node::set_next(node, first);
                first = node;
                mailbox.count(1);
                node = next;
            }
            if local.first.is_null() {
                local.first = first;
                if !local.seen.is_null() {
                    node::free(local.seen);
                }
            } else {
                Node::set_next(local.last, first);
            }
        }
        local.last = newest;
        local.seen = newest;
    }

    /// The oldest message, and the class of its payload.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<(Message, Class)> {
        self.pop_if(|| true)
    }

    /// [`Consumer::pop`] if `wanted`, which is only asked if there is a message.
    #[inline(always)]
    pub(in crate::actor) fn pop_if(
        &mut self,
        wanted: impl FnOnce() -> bool,
    ) -> Option<(Message, Class)> {
        let mailbox = self.mailbox;
        if self.local().first.is_null() {
            let head = mailbox.head.load(Ordering::Acquire);
            let local = self.local();
            if head == local.seen || is_state(head) {
                // Seen empty: the next overload is reported from the start again.
                local.threshold = OVERLOAD;
                return None;
            }
            if !wanted() {
                return None;
            }
            // SAFETY: this is the consumer, to which the blocks above the one that it saw last belong.
            if unsafe { Node::next(head) } == local.seen {
                // One has come, which need not become a list first. The length stays 0.
                return Some(self.pop_only(head));
            }
            self.append(head);
        } else if !wanted() {
            return None;
        }
        let local = self.local();
        let node = local.first;
        // SAFETY: the blocks of the list belong to the consumer.
        unsafe {
            local.first = Node::next(node);
            mailbox.count(usize::MAX);
            let len = mailbox.last_len();
            if len > local.threshold {
                local.note_overload(len);
            }
            let message = Node::message(node);
            if node != local.seen {
                node::free(node);
            }
            Some(message)
        }
    }

    /// The only message that has come, where nothing else is left.
    #[inline(always)]
    fn pop_only(&mut self, node: *mut Node) -> (Message, Class) {
        let before = std::mem::replace(&mut self.local().seen, node);
        // SAFETY: both are the consumer's; `head` refers to the new one, which stays until a newer one has been seen.
        unsafe {
            if !before.is_null() {
                node::free(before);
            }
            Node::message(node)
        }
    }

    /// Gives the role up if nothing is left; another thread may be the consumer at once. If something has arrived, the caller
    /// still is.
    #[inline]
    pub fn try_release(mut self) -> Option<Consumer<'a, T>> {
        if !self.local().first.is_null() {
            return Some(self);
        }
        let mailbox = self.mailbox;
        // Once the exchange has succeeded another thread may be the consumer.
        let seen = std::mem::replace(&mut self.local().seen, std::ptr::null_mut());
        let expected = if seen.is_null() { BUSY } else { seen };
        // Nothing waits, as in `pop`, which a turn may end without asking once more.
        let threshold = std::mem::replace(&mut self.local().threshold, OVERLOAD);
        let released = mailbox
            .head
            .compare_exchange(expected, IDLE, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok();
        order_for_loom();
        if !released {
            self.local().seen = seen;
            self.local().threshold = threshold;
            return Some(self);
        }
        if !seen.is_null() {
            // SAFETY: popped, and `head` does not refer to it any more.
            unsafe { node::free(seen) };
        }
        None
    }

    /// Number of messages that wait, those included that arrived up to now.
    pub fn len(&mut self) -> usize {
        self.drain_inbox();
        self.mailbox.last_len()
    }

    /// The length at which an overload was noticed since the last call, or 0.
    #[inline(always)]
    pub(in crate::actor) fn take_overload(&mut self) -> usize {
        match self.local().overload {
            // No store for most messages.
            0 => 0,
            _ => std::mem::take(&mut self.local().overload),
        }
    }

    /// Accepts nothing any more; the caller pops what is left. The role stays with the caller for ever.
    pub fn close(&mut self) {
        let head = self.mailbox.head.swap(CLOSED, Ordering::AcqRel);
        if !is_state(head) && head != self.local().seen {
            self.append(head);
        }
        let local = self.local();
        let seen = std::mem::replace(&mut local.seen, std::ptr::null_mut());
        if local.first.is_null() && !seen.is_null() {
            // SAFETY: popped, and `head` refers to no block any more. Those of the list are freed as they are popped.
            unsafe { node::free(seen) };
        }
    }
}
