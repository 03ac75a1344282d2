//! The loop of a thread that delivers.

use super::lease::{Lease, Turn};
use super::resolution::{Resolution, Taken, Tick};
use super::wheel::Fired;
use crate::base::sync::stop_point;

/// It takes the first so many one by one, so that one waits with it if it stops; of more, and other threads of all, so many at
/// once.
const SINGLY: usize = 16;
const AT_ONCE: usize = 32;

/// One turn of a thread with the right to deliver.
pub struct Delivery<'a> {
    right: (&'a Lease, &'a Turn),
    left: usize,
    singly: usize,
    taken: Vec<Fired>,
}

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Delivered {
    All,
    /// There is more, for this thread or another one.
    Part,
    /// And timers that were held for this one are due now.
    Released,
}

impl<'a> Delivery<'a> {
    /// Of `most` timers at most, about; of all with `usize::MAX`.
    pub fn new(lease: &'a Lease, turn: &'a Turn, most: usize) -> Delivery<'a> {
        Delivery {
            right: (lease, turn),
            left: most,
            singly: if most == usize::MAX { 0 } else { SINGLY },
            taken: Vec::new(),
        }
    }

    /// Gives what is due to `send`, in its order.
    pub fn run<T: Tick>(
        &mut self,
        timers: &Resolution<T>,
        mut send: impl FnMut(Fired),
    ) -> Delivered {
        if timers.due() == u64::MAX {
            return Delivered::All;
        }
        let target = timers.target();
        while self.left > 0 {
            let most = if self.singly > 0 { 1 } else { AT_ONCE };
            match timers.take(target, self.right, most, &mut self.taken) {
                Taken::Step => {}
                Taken::Nothing => return Delivered::All,
                Taken::Lost => break,
            }
            stop_point();
            self.left = self.left.saturating_sub(self.taken.len());
            self.singly = self.singly.saturating_sub(self.taken.len());
            for fired in self.taken.drain(..) {
                send(fired);
                stop_point();
            }
        }
        if timers.finish(self.right.1) {
            Delivered::Released
        } else {
            Delivered::Part
        }
    }
}
