//! Who may write to a socket: one owner at a time, and nobody waits.
//!
//! The whole protocol lives in one word per socket:
//!
//! | word | meaning |
//! |---|---|
//! | `0` | nobody owns the socket |
//! | `1` | owned, nothing handed over |
//! | `node address \| 1` | owned, and a list of nodes was handed over to the owner (newest first) |
//!
//! A sender that finds the gate free becomes the owner and may touch the write queue and the descriptor. A sender that
//! finds it taken pushes its node and goes on with its life; the owner cannot leave before it has taken every node. So
//! the order of the writes is the order of the successful updates of this word, and two writes of one thread never swap.

use crate::sync::atomic::{AtomicUsize, Ordering};
use std::ptr::NonNull;

const OWNED: usize = 1;

/// What can be handed over. `next` links the list; it is only used while the node is inside a gate.
///
/// # Safety
/// `link` must give a place that belongs to the node, and nodes must be aligned to at least two bytes.
pub unsafe trait Node {
    /// The place of the link to the next older node.
    fn link(&mut self) -> &mut *mut Self;
}

/// How an attempt to enter ended.
pub enum Entry<T> {
    /// The caller owns the socket now and has its node back.
    Owner(Box<T>),
    /// The present owner got the node.
    HandedOver,
}

/// The ownership word of one socket.
pub struct Gate {
    word: AtomicUsize,
}

impl Gate {
    /// A free gate.
    #[cfg_attr(not(test), allow(dead_code))]
    pub fn new() -> Gate {
        Gate {
            word: AtomicUsize::new(0),
        }
    }

    /// Becomes the owner if there is none.
    #[inline]
    pub fn try_enter(&self) -> bool {
        self.word
            .compare_exchange(0, OWNED, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Becomes the owner, or hands `node` over to the present one.
    pub fn enter_or_hand_over<T: Node>(&self, mut node: Box<T>) -> Entry<T> {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            if seen == 0 {
                match self
                    .word
                    .compare_exchange(0, OWNED, Ordering::Acquire, Ordering::Relaxed)
                {
                    Ok(_) => return Entry::Owner(node),
                    Err(now) => seen = now,
                }
                continue;
            }
            *node.link() = (seen & !OWNED) as *mut T;
            let raw = Box::into_raw(node);
            match self.word.compare_exchange(
                seen,
                raw as usize | OWNED,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Entry::HandedOver,
                Err(now) => {
                    // SAFETY: the exchange failed, so nobody else has seen `raw`.
                    node = unsafe { Box::from_raw(raw) };
                    seen = now;
                }
            }
        }
    }

    /// Waits until the caller is the owner. Owners never block, so this is short; it is for rare operations only.
    pub fn enter(&self) {
        let mut rounds = 0u32;
        while !self.try_enter() {
            rounds += 1;
            if rounds < 64 && cfg!(not(loom)) {
                crate::sync::hint::spin_loop();
            } else {
                crate::sync::thread::yield_now();
            }
        }
    }

    /// Gives the socket up if nothing was handed over meanwhile; otherwise the caller stays the owner and gets the nodes,
    /// oldest first.
    ///
    /// # Safety
    /// The caller is the owner, and `T` is the type that everybody hands over at this gate.
    pub unsafe fn try_leave<T: Node>(&self) -> Option<Handed<T>> {
        if self
            .word
            .compare_exchange(OWNED, 0, Ordering::Release, Ordering::Relaxed)
            .is_ok()
        {
            return None;
        }
        let list = self.word.swap(OWNED, Ordering::Acquire) & !OWNED;
        let mut newest = list as *mut T;
        let mut oldest: *mut T = std::ptr::null_mut();
        while let Some(mut node) = NonNull::new(newest) {
            // SAFETY: the swap took the list out of the word, so this thread alone has these nodes.
            let link = unsafe { node.as_mut() }.link();
            newest = std::mem::replace(link, oldest);
            oldest = node.as_ptr();
        }
        Some(Handed { next: oldest })
    }
}

/// Nodes that were handed over, oldest first.
pub struct Handed<T: Node> {
    next: *mut T,
}

impl<T: Node> Iterator for Handed<T> {
    type Item = Box<T>;

    fn next(&mut self) -> Option<Box<T>> {
        let first = NonNull::new(self.next)?;
        // SAFETY: every node of the list came from `Box::into_raw` and is taken once.
        let mut node = unsafe { Box::from_raw(first.as_ptr()) };
        self.next = std::mem::replace(node.link(), std::ptr::null_mut());
        Some(node)
    }
}

impl<T: Node> Drop for Handed<T> {
    fn drop(&mut self) {
        for node in self.by_ref() {
            drop(node);
        }
    }
}
