//! What has fired and lies in no mailbox yet, and in whose hand it is.
//!
//! The thread with the right to deliver takes timers under the lock of the wheel and sends them outside of it. They are in
//! its *hand* until it comes under the lock again. If the system does not run it meanwhile and another takes the right away,
//! nobody can know which of them it has sent. Timers of one service keep their order all the same: what is due for a service
//! in such a hand is *held* until the thread has come back, and all others go out. A thread that does not come back within a
//! second is given up: what is held for it goes out too, and only what is in its hand comes late then, out of its order.
//!
//! A thread that comes back without the right only says that its hand is empty ([`Hands::finish`]); what was held is due then,
//! before all else, for whoever has the right.

use super::wheel::Fired;

/// See the module's documentation. Everything happens under the lock of the wheel; threads are known by their turns.
#[derive(Default)]
pub struct Hands {
    /// Up to `hand` they are sent, or in `stopped`; from there up to `taken` they are in the hand of `turn`. The others are to
    /// be taken, and none of them is for a service in `stopped`.
    fired: Vec<Fired>,
    hand: usize,
    taken: usize,
    turn: u64,
    /// No service is in two of them: what is in one is held, so no thread takes it.
    stopped: Vec<Stopped>,
}

/// The hand of a thread that has lost the right.
struct Stopped {
    turn: u64,
    services: Vec<u32>,
    /// The tick at which it is given up.
    until: u64,
    held: Vec<Fired>,
}

impl Hands {
    /// The thread with the right is here, at tick `now`, so its own hand is empty. That of another has stopped: it is given up
    /// after `patience` ticks.
    #[inline]
    pub fn begin(&mut self, turn: u64, now: u64, patience: u64) {
        if self.turn != turn {
            if self.hand != self.taken {
                self.stop(now.saturating_add(patience));
            }
            self.turn = turn;
        }
        self.hand = self.taken;
        if !self.stopped.is_empty() {
            self.give_up(now);
        }
    }

    /// The present hand is that of a thread that has stopped.
    #[cold]
    fn stop(&mut self, until: u64) {
        let hand = &self.fired[self.hand..self.taken];
        self.stopped.push(Stopped {
            turn: self.turn,
            services: hand.iter().map(|(service, _)| *service).collect(),
            until,
            held: Vec::new(),
        });
        self.hold_from(self.taken);
    }

    #[cold]
    fn give_up(&mut self, now: u64) {
        while let Some(index) = self.stopped.iter().position(|hand| hand.until <= now) {
            self.release(index);
        }
    }

    /// A thread has sent all that it had taken. True if something was held for it, which is due now.
    pub fn finish(&mut self, turn: u64) -> bool {
        if self.turn == turn {
            self.hand = self.taken;
            return false;
        }
        let index = self.stopped.iter().position(|hand| hand.turn == turn);
        index.is_some_and(|index| self.release(index))
    }

    /// True if something was held.
    fn release(&mut self, index: usize) -> bool {
        let held = self.stopped.remove(index).held;
        let some = !held.is_empty();
        self.fired.splice(self.taken..self.taken, held);
        some
    }

    /// Whether all that has fired is taken, or held.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.taken == self.fired.len()
    }

    /// For more that fires, when all is taken and the hand is empty.
    #[inline]
    pub fn refill<R>(&mut self, fire: impl FnOnce(&mut Vec<Fired>) -> R) -> R {
        self.fired.clear();
        (self.hand, self.taken) = (0, 0);
        let result = fire(&mut self.fired);
        if !self.stopped.is_empty() {
            self.hold_from(0);
        }
        result
    }

    /// Holds what is for services in the hands of threads that stopped.
    #[cold]
    fn hold_from(&mut self, first: usize) {
        let stopped = &mut self.stopped;
        let fired = self.fired.split_off(first);
        self.fired
            .extend(fired.into_iter().filter(|&(service, session)| {
                let hand = stopped
                    .iter_mut()
                    .find(|hand| hand.services.contains(&service));
                hand.map(|hand| hand.held.push((service, session)))
                    .is_none()
            }));
    }

    /// Takes the next ones into the hand, `most` at most.
    #[inline]
    pub fn take(&mut self, most: usize, taken: &mut Vec<Fired>) {
        let end = self.fired.len().min(self.taken.saturating_add(most));
        taken.extend_from_slice(&self.fired[self.taken..end]);
        self.taken = end;
    }

    /// The tick at which something that is held is given up.
    #[inline]
    pub fn next(&self) -> Option<u64> {
        let holding = self.stopped.iter().filter(|hand| !hand.held.is_empty());
        holding.map(|hand| hand.until).min()
    }

    /// How many are held.
    pub fn held(&self) -> usize {
        self.stopped.iter().map(|hand| hand.held.len()).sum()
    }
}

#[cfg(test)]
#[path = "hands_tests.rs"]
mod tests;
