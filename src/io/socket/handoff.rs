//! Which thread may write to a socket: one owner at a time, and the others do not wait.
//!
//! The whole protocol lives in one word per socket: the address of the newest of the nodes that were handed over (each
//! links the next older one), and three bits.
//!
//! | bit | meaning |
//! |---|---|
//! | `OWNED` | a thread owns the socket |
//! | `SHUT` | the owner is about to leave and takes nothing more |
//! | `CLAIMED` | the I/O thread, which needs the socket itself (to release it), is next, whatever is handed over |
//!
//! A sender that finds the word zero becomes the owner and may touch the write queue and the descriptor. A sender that
//! finds it taken pushes its node and goes on; the owner cannot leave before it has taken every node, unless
//! the claimant takes them with the socket. So the order of the writes is the order of the successful updates of this
//! word, and two writes of one thread never swap.
//!
//! Senders that are faster than the owner could keep it busy for ever, so after some rounds it shuts the handoff lock: then
//! they wait (spinning) until it has written or queued what it has. And they could keep the I/O thread out, hence the
//! claim.

use crate::base::sync::atomic::{AtomicUsize, Ordering};
use std::ptr::NonNull;

const OWNED: usize = 1;
const SHUT: usize = 2;
const CLAIMED: usize = 4;
const BITS: usize = OWNED | SHUT | CLAIMED;

/// What can be handed over. `next` links the list; it is only used while the node is inside a handoff lock.
///
/// # Safety
/// `link` must give a place that belongs to the node, and nodes must be aligned to at least eight bytes.
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
pub struct HandoffLock {
    word: AtomicUsize,
}

impl HandoffLock {
    /// A free lock.
    // The slots of the socket table are zeroed, which is a free lock.
    #[cfg_attr(not(test), allow(dead_code))]
    pub fn new() -> HandoffLock {
        HandoffLock {
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
        let mut rounds = 0;
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
            if seen & (SHUT | CLAIMED) == SHUT {
                pause(&mut rounds);
                seen = self.word.load(Ordering::Relaxed);
                continue;
            }
            *node.link() = (seen & !BITS) as *mut T;
            let raw = Box::into_raw(node);
            match self.word.compare_exchange(
                seen,
                raw as usize | (seen & BITS),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Entry::HandedOver,
                Err(now) => {
                    // SAFETY: the exchange failed, so no other thread has seen `raw`.
                    node = unsafe { Box::from_raw(raw) };
                    seen = now;
                }
            }
        }
    }

    /// Waits until the caller is the owner, before any sender. Owners never block, so this is short.
    pub fn enter(&self) {
        let mut rounds = 0;
        loop {
            let seen = self.word.load(Ordering::Relaxed);
            let next = match (seen & OWNED != 0, seen & CLAIMED != 0) {
                // What was handed over meanwhile stays in the word, for the time of leaving.
                (false, _) => (seen & !BITS) | OWNED,
                (true, false) => seen | CLAIMED,
                (true, true) => {
                    pause(&mut rounds);
                    continue;
                }
            };
            let done = self
                .word
                .compare_exchange(seen, next, Ordering::Acquire, Ordering::Relaxed);
            if done.is_ok() && seen & OWNED == 0 {
                return;
            }
        }
    }

    /// Gives the socket up if nothing was handed over meanwhile; otherwise the caller stays the owner and gets the nodes,
    /// oldest first. With `shut` nothing more is handed over after that, so the next call succeeds.
    ///
    /// # Safety
    /// The caller is the owner, and `T` is the type of all nodes that are handed over at this lock.
    pub unsafe fn try_leave<T: Node>(&self, shut: bool) -> Option<Handed<T>> {
        let mut seen = self.word.load(Ordering::Relaxed);
        let list = loop {
            let list = seen & !BITS;
            // A claimant is waiting: it gets everything.
            let leave = list == 0 || seen & CLAIMED != 0;
            let (next, order) = match (leave, shut) {
                (true, _) => (seen & !(OWNED | SHUT), Ordering::Release),
                (false, true) => (OWNED | SHUT, Ordering::Acquire),
                (false, false) => (OWNED, Ordering::Acquire),
            };
            match self
                .word
                .compare_exchange(seen, next, order, Ordering::Relaxed)
            {
                Ok(_) if leave => return None,
                Ok(_) => break list,
                Err(now) => seen = now,
            }
        };
        // SAFETY: the exchange took the list out of the word.
        Some(unsafe { Handed::from_newest(list as *mut T) })
    }

    /// What was handed over so far, oldest first; the caller stays the owner.
    ///
    /// # Safety
    /// As for [`HandoffLock::try_leave`].
    pub unsafe fn take_handed<T: Node>(&self) -> Handed<T> {
        let word = self.word.fetch_and(BITS, Ordering::Acquire);
        // SAFETY: the list was taken out of the word.
        unsafe { Handed::from_newest((word & !BITS) as *mut T) }
    }
}

/// Lets some time pass: first a few instructions, then the processor.
fn pause(rounds: &mut u32) {
    *rounds += 1;
    if *rounds < 64 && cfg!(not(feature = "loom")) {
        crate::base::sync::hint::spin_loop();
    } else {
        crate::base::sync::thread::yield_now();
    }
}

/// Nodes that were handed over, oldest first.
pub struct Handed<T: Node> {
    next: *mut T,
}

impl<T: Node> Handed<T> {
    /// Turns a list round.
    ///
    /// # Safety
    /// `newest` is null or the start of a list that only this thread has.
    unsafe fn from_newest(mut newest: *mut T) -> Handed<T> {
        let mut oldest: *mut T = std::ptr::null_mut();
        while let Some(mut node) = NonNull::new(newest) {
            // SAFETY: by contract.
            let link = unsafe { node.as_mut() }.link();
            newest = std::mem::replace(link, oldest);
            oldest = node.as_ptr();
        }
        Handed { next: oldest }
    }
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
