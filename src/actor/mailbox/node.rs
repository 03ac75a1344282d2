//! Blocks that hold one queued message.

use crate::alloc::freelist::{self, Class};
use crate::base::message::Message;

/// One queued message: 32 bytes.
///
/// The lowest four bits of `next` are no part of the pointer (blocks are aligned to 16 bytes): they are the class of the payload's
/// block. A field for that would make the block larger by half.
pub(super) struct Node {
    next: *mut Node,
    message: Message,
}

const CLASS: Class = Class::holding(size_of::<Node>());
const CLASS_MASK: usize = 15;

// What makes room for the class: blocks of the C allocator have the alignment of the largest type.
const _: () =
    assert!(align_of::<libc::max_align_t>() > CLASS_MASK && Class::COUNT <= CLASS_MASK + 1);

impl Node {
    /// Stores the message. Field by field, because that is how it comes, in registers: a compiler
    /// that copies it as one 32-byte block first writes the fields to the stack, and reading them back at once from there
    /// stalls.
    ///
    /// # Safety
    /// `node` belongs to the caller.
    #[inline(always)]
    pub(super) unsafe fn put(node: *mut Node, message: Message) {
        // SAFETY: contract of this function. Volatile, so that the four are not joined again.
        unsafe {
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
    /// `node` belongs to the caller and holds a message with its class.
    #[inline(always)]
    pub(super) unsafe fn message(node: *const Node) -> (Message, Class) {
        // SAFETY: contract of this function.
        unsafe {
            let place = &raw const (*node).message;
            let message = Message {
                source: (&raw const (*place).source).read_volatile(),
                session: (&raw const (*place).session).read_volatile(),
                data: (&raw const (*place).data).read_volatile(),
                sz: (&raw const (*place).sz).read_volatile(),
            };
            (message, Class::of_number((*node).next.addr() & CLASS_MASK))
        }
    }

    /// The block behind this one.
    ///
    /// # Safety
    /// `node` belongs to the caller, or is one of a list that does.
    #[inline(always)]
    pub(super) unsafe fn next(node: *const Node) -> *mut Node {
        // SAFETY: contract of this function.
        unsafe { (*node).next }.map_addr(|address| address & !CLASS_MASK)
    }

    /// Sets the block behind this one, and the class of its payload.
    ///
    /// # Safety
    /// `node` belongs to the caller.
    #[inline(always)]
    pub(super) unsafe fn link(node: *mut Node, next: *mut Node, payload: Class) {
        let next = next.map_addr(|address| address | payload.number());
        // SAFETY: contract of this function.
        unsafe { (&raw mut (*node).next).write(next) };
    }

    /// Sets the block behind this one.
    ///
    /// # Safety
    /// As [`Node::next`].
    #[inline(always)]
    pub(super) unsafe fn set_next(node: *mut Node, next: *mut Node) {
        // SAFETY: contract of this function.
        unsafe {
            let tag = (*node).next.addr() & CLASS_MASK;
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
