//! What only the consumer of a mailbox may do.

use super::node::{self, Node};
use super::{BUSY, CLOSED, IDLE, Local, Mailbox, OVERLOAD, Ordering, order_for_loom};
use crate::alloc::freelist::Class;
use crate::base::message::Message;
use std::marker::PhantomData;

/// The role of a mailbox's consumer: see the head of [`crate::actor::mailbox`]. This value does not leave its thread. When the
/// role passes to another one, through a run queue, this is dropped, and the next consumer makes it anew
/// ([`Mailbox::consumer`]).
#[must_use]
pub struct Consumer<'a> {
    pub(super) mailbox: &'a Mailbox,
    pub(super) thread: PhantomData<*const ()>,
}

impl<'a> Consumer<'a> {
    /// # Safety
    /// Not while the last answer is in use.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "the role is what makes it exclusive")]
    unsafe fn local(&self) -> &'a mut Local {
        // SAFETY: only the holder of the role touches it, and by contract it has no other reference.
        unsafe { &mut *self.mailbox.local.get() }
    }

    /// Takes in what has arrived, so that [`Consumer::len`] counts it.
    #[inline(always)]
    pub fn drain_inbox(&mut self) {
        let head = self.mailbox.head.load(Ordering::Acquire);
        // SAFETY: one look.
        let seen = unsafe { self.local() }.seen;
        if head == seen || head == BUSY || head == IDLE || head == CLOSED {
            return;
        }
        self.append(head);
    }

    /// Appends arrivals (newest first, down to the block seen last) to the list, oldest first.
    #[inline(always)]
    fn append(&mut self, newest: *mut Node) {
        // SAFETY: we are the consumer, so the blocks above the one that we saw last are ours.
        unsafe {
            let local = self.local();
            let mut first = std::ptr::null_mut();
            let mut node = newest;
            while !node.is_null() && node != local.seen {
                let next = Node::next(node);
                Node::set_next(node, first);
                first = node;
                self.count(1);
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
            local.last = newest;
            local.seen = newest;
        }
    }

    /// Adds to the length, modulo the size of a word.
    #[inline(always)]
    fn count(&self, by: usize) {
        let len = self.mailbox.len.load(Ordering::Relaxed);
        self.mailbox
            .len
            .store(len.wrapping_add(by), Ordering::Relaxed);
    }

    /// The oldest message, and the class of its payload.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<(Message, Class)> {
        // SAFETY: the references to `local` follow each other; the blocks of the list are ours.
        unsafe {
            if self.local().first.is_null() {
                self.drain_inbox();
            }
            let local = self.local();
            let node = local.first;
            if node.is_null() {
                // Seen empty: the next overload is reported from the start again.
                local.threshold = OVERLOAD;
                return None;
            }
            local.first = Node::next(node);
            self.count(usize::MAX);
            let len = self.mailbox.last_len();
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

    /// Gives the role up if nothing is left; another thread may be the consumer at once. If something has arrived, the caller
    /// still is.
    #[inline]
    pub fn try_release(self) -> Option<Consumer<'a>> {
        // SAFETY: the references to `local` follow each other, and there is none after the exchange has succeeded.
        unsafe {
            if !self.local().first.is_null() {
                return Some(self);
            }
            // Once the exchange has succeeded another thread may be the consumer.
            let seen = std::mem::replace(&mut self.local().seen, std::ptr::null_mut());
            let expected = if seen.is_null() { BUSY } else { seen };
            let released = self
                .mailbox
                .head
                .compare_exchange(expected, IDLE, Ordering::SeqCst, Ordering::Relaxed)
                .is_ok();
            order_for_loom();
            if !released {
                self.local().seen = seen;
                return Some(self);
            }
            if !seen.is_null() {
                // Popped, and `head` does not refer to it any more.
                node::free(seen);
            }
            None
        }
    }

    /// Number of messages that wait, those included that arrived up to now.
    pub fn len(&mut self) -> usize {
        self.drain_inbox();
        self.mailbox.last_len()
    }

    /// The length at which an overload was noticed since the last call, or 0.
    #[inline]
    pub fn take_overload(&mut self) -> usize {
        // SAFETY: one look.
        std::mem::take(unsafe { &mut self.local().overload })
    }

    /// Accepts nothing any more; the caller pops what is left. The role stays with the caller for ever.
    pub fn close(&mut self) {
        let head = self.mailbox.head.swap(CLOSED, Ordering::AcqRel);
        // SAFETY: one look.
        let seen = unsafe { self.local() }.seen;
        if head != IDLE && head != BUSY && head != CLOSED && head != seen {
            self.append(head);
        }
        // SAFETY: `head` refers to no block any more, so those of the list are freed as they are popped.
        unsafe {
            let local = self.local();
            let seen = std::mem::replace(&mut local.seen, std::ptr::null_mut());
            if local.first.is_null() && !seen.is_null() {
                node::free(seen);
            }
        }
    }
}
