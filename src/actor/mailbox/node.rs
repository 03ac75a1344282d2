//! Blocks that hold one queued message.

use crate::alloc::freelist::{self, Class};
use crate::base::message::Message;

/// One queued message: 32 bytes.
///
/// The lowest bit of `next` is no part of the pointer (blocks are aligned to more than that): it says that the payload is
/// a copy that the core made, whose block has the class of its size. A field for that would make the block larger by half.
pub(super) struct Node {
    next: *mut Node,
    message: Message,
}

const CLASS: Class = Class::holding(size_of::<Node>());
const COPIED: usize = 1;

impl Node {
    /// Stores the message; `next` is null then. Field by field, because that is how it comes, in registers: a compiler
    /// that copies it as one 32-byte block first writes the fields to the stack, and reading them back at once from there
    /// stalls.
    ///
    /// # Safety
    /// `node` belongs to the caller.
    #[inline(always)]
    pub(super) unsafe fn put(node: *mut Node, message: Message, payload: Class) {
        // SAFETY: by contract. Volatile, so that the four are not joined again.
        unsafe {
            let tag = usize::from(payload != Class::UNPOOLED);
            (&raw mut (*node).next).write(std::ptr::without_provenance_mut(tag));
            let place = &raw mut (*node).message;
            (&raw mut (*place).source).write_volatile(message.source);
            (&raw mut (*place).session).write_volatile(message.session);
            (&raw mut (*place).data).write_volatile(message.data);
            (&raw mut (*place).sz).write_volatile(message.sz);
        }
    }

    /// Reads the message, as [`Node::put`] writes it, and the class of its payload.
    ///
    /// # Safety
    /// `node` belongs to the caller and holds a message.
    #[inline(always)]
    pub(super) unsafe fn message(node: *const Node) -> (Message, Class) {
        // SAFETY: by contract.
        unsafe {
            let place = &raw const (*node).message;
            let message = Message {
                source: (&raw const (*place).source).read_volatile(),
                session: (&raw const (*place).session).read_volatile(),
                data: (&raw const (*place).data).read_volatile(),
                sz: (&raw const (*place).sz).read_volatile(),
            };
            let payload = if (*node).next.addr() & COPIED == 0 {
                Class::UNPOOLED
            } else {
                freelist::class_of_copy(message.size())
            };
            (message, payload)
        }
    }

    /// The block behind this one.
    ///
    /// # Safety
    /// `node` belongs to the caller, or is one of a list that does.
    #[inline(always)]
    pub(super) unsafe fn next(node: *const Node) -> *mut Node {
        // SAFETY: by contract.
        unsafe { (*node).next }.map_addr(|address| address & !COPIED)
    }

    /// Sets the block behind this one.
    ///
    /// # Safety
    /// As [`Node::next`].
    #[inline(always)]
    pub(super) unsafe fn set_next(node: *mut Node, next: *mut Node) {
        // SAFETY: by contract.
        unsafe {
            let tag = (*node).next.addr() & COPIED;
            (*node).next = next.map_addr(|address| address | tag);
        }
    }
}

/// A block for a message; what is in it is unspecified.
#[inline(always)]
pub(super) fn alloc() -> *mut Node {
    freelist::alloc(CLASS).cast()
}

/// Gives a block back.
///
/// # Safety
/// `node` comes from [`alloc`] and no other reference to it is left.
#[inline(always)]
pub(super) unsafe fn free(node: *mut Node) {
    // SAFETY: contract of this function.
    unsafe { freelist::dealloc(CLASS, node.cast()) };
}
