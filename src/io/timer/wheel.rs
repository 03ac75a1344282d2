//! A hierarchical wheel that knows when its next event is.
//!
//! A tick is a number of 64 bits, read as 11 digits of 6 bits. A timer lies on the level of the highest digit in which
//! its expiry differs from the current tick, in the slot of the expiry's digit there. So
//! * everything on level `n` comes before anything on level `n + 1`, and within a level lower slots come first: the next
//!   event is the lowest bit of the lowest occupied level;
//! * when the current tick reaches the first tick of a slot above level 0, its timers move to lower levels (a cascade);
//! * at level 0 a slot is one tick.
//!
//! Work is cut into steps of at most [`BATCH`] timers, with the lock free in between. Until a slot is empty the current
//! tick stays where it was, so that a timer added meanwhile for the same slot joins its end: timers of one expiry keep the
//! order in which they were created.

use super::slab::{NIL, Node, Slab};

const DIGIT: u32 = 6;
const SLOTS: usize = 1 << DIGIT;
const LEVELS: usize = 11;

/// The most timers that one step moves or fires.
pub const BATCH: usize = 256;

/// A timer that fired: handle and session.
pub type Fired = (u32, i32);

#[derive(Clone, Copy)]
struct List {
    head: u32,
    tail: u32,
}

const EMPTY: List = List {
    head: NIL,
    tail: NIL,
};

#[derive(Clone, Copy)]
struct Slot {
    level: usize,
    index: usize,
    /// The first tick of the slot.
    tick: u64,
}

/// What a step did.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Something; there may be more.
    More,
    /// Nothing is due any more, and the current tick is the target.
    Done,
}

/// Pending timers, and the tick up to which all have fired.
pub struct Wheel {
    now: u64,
    occupied: [u64; LEVELS],
    slots: Box<[[List; SLOTS]; LEVELS]>,
    nodes: Slab,
    /// The slot that is being emptied.
    current: Option<Slot>,
}

impl Wheel {
    /// An empty wheel at `tick`.
    pub fn new(tick: u64) -> Wheel {
        Wheel {
            now: tick,
            occupied: [0; LEVELS],
            slots: Box::new([[EMPTY; SLOTS]; LEVELS]),
            nodes: Slab::default(),
            current: None,
        }
    }

    /// Number of pending timers.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Adds a timer. An expiry that is not in the future fires at the next tick. Answers its place, for [`Wheel::cancel`].
    pub fn add(&mut self, expiry: u64, handle: u32, session: i32) -> u32 {
        let expiry = expiry.max(self.now + 1);
        let (level, slot) = place_of(expiry, self.now);
        let list = &mut self.slots[level][slot];
        let first = list.head == NIL;
        let tail = list.tail;
        let index = self.nodes.insert(Node {
            expiry,
            handle,
            session,
            next: NIL,
            previous: if first { NIL } else { tail },
        });
        list.tail = index;
        if first {
            list.head = index;
            self.occupied[level] |= 1 << slot;
        } else {
            self.nodes[tail].next = index;
        }
        index
    }

    /// Takes the timer at `place` out, if it is still this one, and has not fired.
    pub fn cancel(&mut self, place: u32, handle: u32, session: i32) -> bool {
        let is_it = |node: &Node| (node.handle, node.session) == (handle, session);
        let Some(node) = self.nodes.get(place).filter(is_it) else {
            return false;
        };
        // While a slot is emptied, a timer that lies below it may have been put there or not yet.
        let ticks = [Some(self.now), self.current.map(|slot| slot.tick)];
        for tick in ticks.into_iter().flatten() {
            let (level, slot) = place_of(node.expiry, tick);
            let list = &mut self.slots[level][slot];
            if list.head == place {
                list.head = node.next;
                if node.next == NIL {
                    self.occupied[level] &= !(1 << slot);
                }
            }
            if list.tail == place {
                list.tail = node.previous;
            }
        }
        if node.previous != NIL {
            self.nodes[node.previous].next = node.next;
        }
        if node.next != NIL {
            self.nodes[node.next].previous = node.previous;
        }
        self.nodes.remove(place);
        true
    }

    /// The first tick at which there is something to do: a timer fires, or timers move to a lower level.
    pub fn next_event(&self) -> Option<u64> {
        self.next_slot().map(|slot| slot.tick)
    }

    /// Does one piece of what is due up to `target`; fired timers are appended to `fired` in order.
    pub fn step(&mut self, target: u64, fired: &mut Vec<Fired>) -> Step {
        let Some(slot) = self.next_slot().filter(|slot| slot.tick <= target) else {
            self.now = self.now.max(target);
            return Step::Done;
        };
        for _ in 0..BATCH {
            let Some(index) = self.unlink_first(slot) else {
                break;
            };
            if slot.level == 0 {
                let node = self.nodes.remove(index);
                fired.push((node.handle, node.session));
            } else {
                self.link(index, slot.tick);
            }
        }
        if self.slots[slot.level][slot.index].head == NIL {
            self.occupied[slot.level] &= !(1 << slot.index);
            self.now = slot.tick;
            self.current = None;
        } else {
            self.current = Some(slot);
        }
        Step::More
    }

    fn next_slot(&self) -> Option<Slot> {
        if self.current.is_some() {
            return self.current;
        }
        let level = self.occupied.iter().position(|&bits| bits != 0)?;
        let index = self.occupied[level].trailing_zeros() as usize;
        // The digits above the level are those of the current tick, the digits below are zero.
        let shift = DIGIT * level as u32;
        let above = self.now.checked_shr(shift + DIGIT).unwrap_or(0);
        let tick = above.checked_shl(shift + DIGIT).unwrap_or(0) | (index as u64) << shift;
        Some(Slot { level, index, tick })
    }

    /// Puts a node at the end of the slot that is its place when `tick` is the current tick.
    fn link(&mut self, index: u32, tick: u64) {
        let (level, slot) = place_of(self.nodes[index].expiry, tick);
        let list = &mut self.slots[level][slot];
        let tail = std::mem::replace(&mut list.tail, index);
        let first = list.head == NIL;
        if first {
            list.head = index;
            self.occupied[level] |= 1 << slot;
        } else {
            self.nodes[tail].next = index;
        }
        let node = &mut self.nodes[index];
        node.next = NIL;
        node.previous = if first { NIL } else { tail };
    }

    fn unlink_first(&mut self, slot: Slot) -> Option<u32> {
        let list = &mut self.slots[slot.level][slot.index];
        let first = list.head;
        if first == NIL {
            return None;
        }
        let next = self.nodes[first].next;
        list.head = next;
        if next != NIL {
            self.nodes[next].previous = NIL;
        }
        Some(first)
    }
}

/// Level and slot of a timer while `tick` is the current tick.
fn place_of(expiry: u64, tick: u64) -> (usize, usize) {
    let highest = 63 - ((expiry ^ tick) | 1).leading_zeros();
    let level = (highest / DIGIT) as usize;
    let slot = (expiry >> (DIGIT * level as u32)) as usize & (SLOTS - 1);
    (level, slot)
}

#[cfg(test)]
#[path = "wheel_tests.rs"]
mod tests;
