//! Blocks that hold one queued message.

use crate::blocks::{self, Class};
use crate::message::Message;

/// One queued message.
pub(super) struct Node {
    pub(super) next: *mut Node,
    message: Message,
    payload: Class,
}

const CLASS: Class = Class::holding(size_of::<Node>());

impl Node {
    /// Stores the message. Field by field, because that is how it comes, in registers: a compiler that copies it as
    /// one 32-byte block first writes the fields to the stack, and reading them back at once from there stalls.
    ///
    /// # Safety
    /// `node` belongs to the caller.
    #[inline(always)]
    pub(super) unsafe fn put(node: *mut Node, message: Message, payload: Class) {
        // SAFETY: by contract. Volatile, so that the four are not joined again.
        unsafe {
            (&raw mut (*node).payload).write(payload);
            let place = &raw mut (*node).message;
            (&raw mut (*place).source).write_volatile(message.source);
            (&raw mut (*place).session).write_volatile(message.session);
            (&raw mut (*place).data).write_volatile(message.data);
            (&raw mut (*place).sz).write_volatile(message.sz);
        }
    }

    /// Reads the message, as [`Node::put`] writes it.
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
            (message, (*node).payload)
        }
    }
}

/// A block for a message; what is in it is unspecified.
#[inline(always)]
pub(super) fn alloc() -> *mut Node {
    blocks::take(CLASS).cast()
}

/// Gives a block back.
///
/// # Safety
/// `node` comes from [`alloc`] and nobody else refers to it.
#[inline(always)]
pub(super) unsafe fn free(node: *mut Node) {
    // SAFETY: contract of this function.
    unsafe { blocks::give(CLASS, node.cast()) };
}
