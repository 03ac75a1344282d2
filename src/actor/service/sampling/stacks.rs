//! The stacks of a profile and what they have had. However many there are, they take no more than [`MOST_BYTES`].

use std::collections::{BTreeMap, HashMap};

/// Bytes of all lines, with what keeping them takes.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// What a line takes beside its text, about.
const OVERHEAD: usize = 64;
/// Of those for which there is no more room.
const OTHERS: &str = "[other stacks]";

/// What a stack has had.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Samples, or bytes.
    pub taken: u64,
    /// Of these bytes, what is not freed yet.
    pub held: u64,
}

pub struct Stacks {
    places: HashMap<Box<str>, u32>,
    /// The first is of [`OTHERS`].
    amounts: Vec<Amount>,
    room: usize,
}

impl Stacks {
    pub fn new() -> Stacks {
        Stacks::with_room(MOST_BYTES)
    }

    fn with_room(room: usize) -> Stacks {
        Stacks {
            places: HashMap::new(),
            amounts: vec![Amount::default()],
            room,
        }
    }

    /// Adds to what a line has had: where it stands, for [`Stacks::at`].
    pub fn add(&mut self, line: &str, amount: Amount) -> u32 {
        let place = match self.places.get(line) {
            Some(&place) => place,
            None => self.insert(line),
        };
        if let Some(sum) = self.at(place) {
            sum.taken += amount.taken;
            sum.held += amount.held;
        }
        place
    }

    fn insert(&mut self, line: &str) -> u32 {
        let Some(room) = self.room.checked_sub(line.len() + OVERHEAD) else {
            return 0;
        };
        self.room = room;
        let place = self.amounts.len() as u32;
        self.amounts.push(Amount::default());
        self.places.insert(line.into(), place);
        place
    }

    pub fn at(&mut self, place: u32) -> Option<&mut Amount> {
        self.amounts.get_mut(place as usize)
    }

    /// The lines that have had something, in order.
    pub fn sorted(&self) -> BTreeMap<&str, Amount> {
        let lines = self.places.iter().map(|(line, &place)| (&**line, place));
        lines
            .chain([(OTHERS, 0)])
            .map(|(line, place)| (line, self.amounts[place as usize]))
            .filter(|(_, amount)| amount.taken > 0)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(taken: u64) -> Amount {
        Amount { taken, held: 0 }
    }

    #[test]
    fn lines_are_added_up() {
        let mut stacks = Stacks::new();
        let place = stacks.add("b;c", samples(2));
        stacks.add("a", samples(1));
        stacks.add("nothing", samples(0));
        assert_eq!(stacks.add("b;c", Amount { taken: 3, held: 3 }), place);
        stacks.at(place).unwrap().held -= 1;
        let lines: Vec<_> = stacks.sorted().into_iter().collect();
        let both = Amount { taken: 5, held: 2 };
        assert_eq!(lines, [("a", samples(1)), ("b;c", both)]);
    }

    #[test]
    fn what_there_is_no_room_for_is_counted_together() {
        let mut stacks = Stacks::with_room(10_000);
        for number in 0..1000 {
            stacks.add(&format!("stack {number}"), samples(1));
        }
        assert!(stacks.places.len() < 10_000 / OVERHEAD);
        stacks.add("stack 1", samples(1));
        let lines = stacks.sorted();
        assert_eq!(lines["stack 1"], samples(2));
        assert!(lines[OTHERS].taken > 500);
        let sum: u64 = lines.values().map(|amount| amount.taken).sum();
        assert_eq!(sum, 1001);
    }
}
