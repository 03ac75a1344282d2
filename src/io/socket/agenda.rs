//! What the I/O role has to do besides the events: the claims of sockets for which something is asked. They are taken one at a time, by any
//! thread that runs a turn, in the order in which they came. A word beside them says whether the role sleeps.

use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::base::sync::{order_for_loom, stop_point};
use crate::scheduler::injector::{Injector, Token};

/// See the module's documentation.
pub struct Agenda<T> {
    claims: Injector<T>,
    /// Who waits for events has to be told.
    asleep: AtomicBool,
    exit: AtomicBool,
}

impl<T: Token> Agenda<T> {
    /// Nothing to do.
    pub fn new() -> Agenda<T> {
        Agenda {
            claims: Injector::new(),
            asleep: AtomicBool::new(false),
            exit: AtomicBool::new(false),
        }
    }

    /// Adds a claim. `true`: the role was asleep, and this caller (and no other) must wake it.
    #[must_use]
    pub fn push(&self, claim: T) -> bool {
        self.claims.push(claim);
        self.is_to_be_told()
    }

    /// Asks for the end of the server. The answer is as for [`Agenda::push`].
    #[must_use]
    pub fn ask_exit(&self) -> bool {
        self.exit.store(true, Ordering::SeqCst);
        self.is_to_be_told()
    }

    fn is_to_be_told(&self) -> bool {
        order_for_loom();
        stop_point();
        // One of the two sees the other: this thread the word, or the one that falls asleep what is there.
        self.asleep.load(Ordering::SeqCst) && self.asleep.swap(false, Ordering::SeqCst)
    }

    /// Takes the oldest.
    pub fn pop(&self) -> Option<T> {
        self.claims.pop()
    }

    /// About how many there are.
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether the end was asked for.
    pub fn is_exit_asked(&self) -> bool {
        self.exit.load(Ordering::SeqCst)
    }

    /// As [`Agenda::is_exit_asked`], for the one that tells of it.
    pub fn take_exit(&self) -> bool {
        self.exit.swap(false, Ordering::SeqCst)
    }

    /// Announces that this thread is about to wait for events. `false`: there is something to do first.
    pub fn fall_asleep(&self) -> bool {
        self.asleep.store(true, Ordering::SeqCst);
        order_for_loom();
        !self.has_some()
    }

    /// A turn begins, and looks at what is there: nobody has to be told.
    pub fn awake(&self) {
        if self.asleep.load(Ordering::Relaxed) {
            self.asleep.store(false, Ordering::SeqCst);
            order_for_loom();
        }
    }

    /// Any thread: whether the role sleeps, or is about to, and nothing is there.
    pub fn is_asleep(&self) -> bool {
        self.asleep.load(Ordering::SeqCst) && !self.has_some()
    }

    /// Any thread: whether something is there.
    pub fn has_some(&self) -> bool {
        !self.claims.is_empty() || self.exit.load(Ordering::SeqCst)
    }
}
