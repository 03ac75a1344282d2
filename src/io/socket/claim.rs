//! Which thread does the work of the I/O role on one socket: its commands, what the kernel reports of it, its end. One at a time,
//! and no other waits for it, as it may be one that the system does not run.
//!
//! A socket (more exactly its slot) has a claim, and who has the claim may change what is the I/O role's of the slot. The claim is
//! - free,
//! - in the [`Agenda`](super::agenda::Agenda), since there are commands: whoever takes it from there has it,
//! - with a thread that works on the slot, or stopped there. What is asked meanwhile is handed over to it, and done before it
//!   leaves. Readiness is skipped meanwhile: the kernel reports it again,
//! - or with the owner of the handoff lock, when the work cannot go on before that thread has left
//!   ([`HandoffLock::want`]): it puts the claim into the agenda then.
//!
//! So the commands for one socket are done in the order in which they were asked, and a thread that stops has those of one socket.

use super::handoff::{Entry, Handed, HandoffLock, Leaving, Node};
use std::cell::UnsafeCell;

/// A command that waits.
pub struct Item<C> {
    next: *mut Item<C>,
    command: C,
}

// SAFETY: `next` is only followed by the owner of the list that the item is in.
unsafe impl<C: Send> Send for Item<C> {}

// SAFETY: the link belongs to the item, and a pointer is aligned to eight bytes.
unsafe impl<C> Node for Item<C> {
    fn link(&mut self) -> &mut *mut Item<C> {
        &mut self.next
    }
}

impl<C> Item<C> {
    fn new(command: C) -> Box<Item<C>> {
        Box::new(Item {
            next: std::ptr::null_mut(),
            command,
        })
    }
}

/// See the module's documentation. Zeroed memory is a free claim.
pub struct Claim<C> {
    lock: HandoffLock,
    /// Commands that were taken from the lock and are not done yet. Nothing while the claim is free.
    kept: UnsafeCell<Handed<Item<C>>>,
}

// SAFETY: only who has the claim touches the cell, and commands only move from one thread to another.
unsafe impl<C: Send> Sync for Claim<C> {}

impl<C> Claim<C> {
    /// A free claim.
    #[cfg(test)]
    pub fn new() -> Claim<C> {
        Claim {
            lock: HandoffLock::new(),
            kept: UnsafeCell::new(Handed::NONE),
        }
    }

    /// Any thread: asks for something. `true`: the caller has got the claim by that, and puts it into the agenda.
    #[must_use]
    pub fn ask(&self, command: C) -> bool {
        match self.lock.enter_or_hand_over(Item::new(command)) {
            Entry::HandedOver => false,
            Entry::Owner(item) => {
                // SAFETY: this thread has the claim.
                unsafe { &mut *self.kept.get() }.push_front(item);
                true
            }
        }
    }

    /// Any thread: takes the claim if it is free.
    #[inline]
    pub fn try_enter(&self) -> bool {
        self.lock.try_enter()
    }

    /// The next command. `None`: there is none, and the claim is free.
    ///
    /// # Safety
    /// The caller has the claim.
    pub unsafe fn next(&self) -> Option<C> {
        // SAFETY: contract of this function; the reference ends before the claim does.
        unsafe { self.leave() }.err().map(|item| item.command)
    }

    /// Frees the claim; the error is a command that has to be done first.
    ///
    /// # Safety
    /// As for [`Claim::next`].
    #[allow(clippy::result_large_err)]
    unsafe fn leave(&self) -> Result<(), Box<Item<C>>> {
        loop {
            // SAFETY: contract of this function.
            if let Some(item) = unsafe { &mut *self.kept.get() }.next() {
                return Err(item);
            }
            // SAFETY: contract of this function; only items are handed over here.
            match unsafe { self.lock.try_leave(false) } {
                // SAFETY: the caller has the claim still.
                Leaving::Stays(items) => unsafe { *self.kept.get() = items },
                // Nobody wants a claim.
                Leaving::Left | Leaving::Passed { .. } => return Ok(()),
            }
        }
    }

    /// Puts a command in front of the others, and keeps the claim.
    ///
    /// # Safety
    /// As for [`Claim::next`].
    pub unsafe fn put_back(&self, command: C) {
        // SAFETY: contract of this function.
        unsafe { &mut *self.kept.get() }.push_front(Item::new(command));
    }

    /// Frees the claim if nothing was asked. `false`: the caller has it still.
    ///
    /// # Safety
    /// As for [`Claim::next`].
    pub unsafe fn try_leave(&self) -> bool {
        // SAFETY: contract of this function.
        match unsafe { self.leave() } {
            Ok(()) => true,
            Err(item) => {
                // SAFETY: the caller has the claim still.
                unsafe { &mut *self.kept.get() }.push_front(item);
                false
            }
        }
    }

    /// Drops what was asked.
    ///
    /// # Safety
    /// No other thread uses the claim any more.
    pub unsafe fn clear(&self) {
        // SAFETY: contract of this function.
        unsafe {
            drop(self.lock.take_handed::<Item<C>>());
            *self.kept.get() = Handed::NONE;
        }
    }
}
