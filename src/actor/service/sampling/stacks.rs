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

/// Divides a number into parts as another one is divided, to the nearest: what all lose in rounding is less than one.
pub struct Parts {
    sum: u64,
    total: u64,
    /// Of both, what was met so far.
    before: u64,
    now: u64,
}

impl Parts {
    /// `sum` is divided, and so `total` is to be.
    pub fn new(sum: u64, total: u64) -> Parts {
        Parts {
            sum,
            total,
            before: 0,
            now: 0,
        }
    }

    /// For the next part of the sum, that of the total.
    pub fn next(&mut self, part: u64) -> u64 {
        self.before += part;
        let sum = u128::from(self.sum);
        let up_to = u128::from(self.total) * u128::from(self.before) + sum / 2;
        let up_to = up_to.checked_div(sum).unwrap_or(0) as u64;
        up_to - std::mem::replace(&mut self.now, up_to)
    }
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

    /// Gives what stands under each of these first frames so many samples together, in the parts that it has. Those of which nothing
    /// stands there are answered.
    pub fn weigh<'a>(&mut self, totals: &HashMap<&'a str, u64>) -> Vec<&'a str> {
        let mut lines: Vec<(&str, u32)> = self.places.iter().map(|(l, &p)| (&**l, p)).collect();
        lines.sort_unstable();
        let label_of = |line: &'_ str| line.split(';').next().unwrap_or(line).len();
        let mut sums: HashMap<&str, u64> = HashMap::new();
        for &(line, place) in &lines {
            *sums.entry(&line[..label_of(line)]).or_default() += self.amounts[place as usize].taken;
        }
        let mut parts: HashMap<&str, Parts> = HashMap::new();
        for &(line, place) in &lines {
            let label = &line[..label_of(line)];
            if let (Some(&total), Some(&sum)) = (totals.get(label), sums.get(label)) {
                let parts = parts.entry(label).or_insert_with(|| Parts::new(sum, total));
                let taken = &mut self.amounts[place as usize].taken;
                *taken = parts.next(*taken);
            }
        }
        let is_empty = |label: &&&str| sums.get(**label).is_none_or(|&sum| sum == 0);
        totals.keys().filter(is_empty).copied().collect()
    }

    /// What all lines have had together.
    pub fn sum(&self) -> u64 {
        self.amounts.iter().map(|amount| amount.taken).sum()
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
    fn lines_keep_their_parts_of_another_sum() {
        let mut stacks = Stacks::new();
        for (line, taken) in [("a;x", 3), ("a;y", 1), ("ab;x", 5), ("b", 2), ("c;x", 0)] {
            stacks.add(line, samples(taken));
        }
        let totals = HashMap::from([("a", 10), ("b", 0), ("c", 4), ("d", 1)]);
        let mut empty = stacks.weigh(&totals);
        empty.sort_unstable();
        assert_eq!(empty, ["c", "d"]);
        let lines: Vec<_> = stacks.sorted().into_iter().collect();
        let expected = [("a;x", 8), ("a;y", 2), ("ab;x", 5)];
        assert_eq!(lines, expected.map(|(line, taken)| (line, samples(taken))));
        assert_eq!(stacks.sum(), 15);
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
