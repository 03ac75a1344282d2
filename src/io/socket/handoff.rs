//! Which thread may write to a socket: one owner at a time, and the others do not wait.
//!
//! The whole protocol lives in one word per socket: the address of the newest of the nodes that were handed over (each
//! links the next older one), and three bits.
//!
//! | bit | meaning |
//! |---|---|
//! | `OWNED` | the socket has an owner: a thread, or with `PASSED` the I/O role |
//! | `PASSED` | the owner has left, and who has the claim of the socket ([`super::claim`]) goes on as the owner |
//! | `WANTED` | the owner passes the socket on when it leaves |
//!
//! A sender that finds the word zero becomes the owner and may touch the write queue and the descriptor. A sender that
//! finds it taken pushes its node and goes on; the owner cannot leave before it has taken every node, unless
//! it passes them on with the socket. So the order of the writes is the order of the successful updates of this
//! word, and two writes of one thread never swap.
//!
//! Senders that are faster than the owner could keep it busy for ever, so after some rounds it passes the socket on. And they could
//! keep the I/O role out, hence `WANTED`: the role does not wait, and has the socket when the owner leaves. No thread waits here for
//! another, which may be one that the system does not run.
//!
//! The claim of a socket is such a lock too, of which only `OWNED` is used.

use crate::base::sync::atomic::{AtomicUsize, Ordering};
use crate::base::sync::stop_point;
use std::ptr::NonNull;

const OWNED: usize = 1;
const PASSED: usize = 2;
const WANTED: usize = 4;
const BITS: usize = OWNED | PASSED | WANTED;

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

/// How an attempt to leave ended.
pub enum Leaving<T: Node> {
    /// The socket is free.
    Left,
    /// Who has the claim goes on with it.
    Passed {
        /// The claim was left with the caller, which hands it on now ([`HandoffLock::want`]).
        wanted: bool,
    },
    /// The caller is the owner still, and has this to do.
    Stays(Handed<T>),
}

/// The ownership word of one socket.
pub struct HandoffLock {
    word: AtomicUsize,
}

impl HandoffLock {
    /// A free lock.
    // The slots of the socket table are zeroed, which is a free lock.
    #[cfg(test)]
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
        loop {
            stop_point();
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

    /// Who has the claim: becomes the owner if there is none, or if the last one has passed the socket on.
    pub fn try_enter_claimed(&self) -> bool {
        let mut seen = self.word.load(Ordering::Relaxed);
        while seen == 0 || seen & PASSED != 0 {
            let next = (seen | OWNED) & !PASSED;
            match self
                .word
                .compare_exchange(seen, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Whether the owner has passed the socket on to who has the claim.
    pub fn is_passed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & PASSED != 0
    }

    /// Who has the claim: has the owner pass the socket on, and the claim goes with it. `false`: there is no owner that could, and
    /// the caller has kept the claim.
    pub fn want(&self) -> bool {
        let mut seen = self.word.load(Ordering::Relaxed);
        while seen != 0 && seen & PASSED == 0 {
            stop_point();
            // Release: who gets the claim sees what was done under it.
            match self.word.compare_exchange(
                seen,
                seen | WANTED,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Gives the socket up if nothing was handed over meanwhile; otherwise the caller stays the owner and gets the nodes,
    /// oldest first. With `pass`, or if it is wanted, the socket is passed on with what was handed over.
    ///
    /// # Safety
    /// The caller is the owner, and `T` is the type of all nodes that are handed over at this lock.
    pub unsafe fn try_leave<T: Node>(&self, pass: bool) -> Leaving<T> {
        let mut seen = self.word.load(Ordering::Relaxed);
        loop {
            stop_point();
            let list = seen & !BITS;
            let wanted = seen & WANTED != 0;
            let pass = wanted || pass && list != 0;
            let next = match pass {
                true => list | OWNED | PASSED,
                false if list == 0 => 0,
                false => OWNED,
            };
            match self
                .word
                .compare_exchange(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) if pass => return Leaving::Passed { wanted },
                Ok(_) if list == 0 => return Leaving::Left,
                Ok(_) => {
                    // SAFETY: the exchange took the list out of the word.
                    let handed = unsafe { Handed::from_newest(list as *mut T) };
                    return Leaving::Stays(handed);
                }
                Err(now) => seen = now,
            }
        }
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

/// Nodes that were handed over, oldest first.
pub struct Handed<T: Node> {
    next: *mut T,
}

impl<T: Node> Handed<T> {
    /// None. (So is zeroed memory.)
    pub const NONE: Handed<T> = Handed {
        next: std::ptr::null_mut(),
    };

    /// Puts a node in front of the others.
    pub fn push_front(&mut self, mut node: Box<T>) {
        *node.link() = self.next;
        self.next = Box::into_raw(node);
    }

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
