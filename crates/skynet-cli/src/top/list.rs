//! Rows of a table in the order that is wanted, those that the filter lets through, and the one that is chosen.

use super::columns::Column;
use std::cmp::Ordering;

/// Order, filter and cursor of one table.
pub struct List<R: 'static> {
    pub columns: &'static [Column<R>],
    /// Which column it is sorted by.
    pub sort: usize,
    /// The other way round.
    pub reverse: bool,
    /// What has the row under the cursor apart from others; the cursor stays with it when the order changes.
    chosen: Option<String>,
    id: fn(&R) -> String,
    /// What the filter looks into.
    text: fn(&R) -> String,
    rows: Vec<R>,
}

impl<R> List<R> {
    /// An empty one, sorted by the column with this title.
    pub fn new(
        columns: &'static [Column<R>],
        by: &str,
        id: fn(&R) -> String,
        text: fn(&R) -> String,
    ) -> List<R> {
        List {
            columns,
            sort: columns
                .iter()
                .position(|column| column.title == by)
                .unwrap_or(0),
            reverse: false,
            chosen: None,
            id,
            text,
            rows: Vec::new(),
        }
    }

    /// Takes other rows: those with `filter` in their texts, in order.
    pub fn set<'a>(&mut self, rows: impl Iterator<Item = &'a R>, filter: &str)
    where
        R: Clone + 'a,
    {
        let filter = filter.to_lowercase();
        let passes =
            |row: &&R| filter.is_empty() || (self.text)(row).to_lowercase().contains(&filter);
        self.rows = rows.filter(passes).cloned().collect();
        self.arrange();
    }

    fn arrange(&mut self) {
        let (column, id) = (&self.columns[self.sort], self.id);
        let reverse = self.reverse;
        let order = |a: &R, b: &R| -> Ordering {
            let order = column.compare(a, b);
            let order = if reverse { order.reverse() } else { order };
            order.then_with(|| id(a).cmp(&id(b)))
        };
        self.rows.sort_by(order);
    }

    /// Sorts by another column; by the same one the other way round.
    pub fn sort_by(&mut self, place: usize) {
        self.reverse = place == self.sort && !self.reverse;
        self.sort = place;
        self.arrange();
    }

    /// Sorts by the column of this letter, if there is one.
    pub fn sort_by_letter(&mut self, letter: char) -> bool {
        let place = self
            .columns
            .iter()
            .position(|column| column.letter == letter);
        if let Some(place) = place {
            self.sort_by(place);
        }
        place.is_some()
    }

    /// Sorts by the column so many places to the right, around the end.
    pub fn sort_beside(&mut self, by: isize) {
        let count = self.columns.len() as isize;
        let place = (self.sort as isize + by).rem_euclid(count) as usize;
        self.sort_by(place);
    }

    /// The rows.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// Where the cursor is; the first row when the chosen one has gone.
    pub fn cursor(&self) -> usize {
        let is_chosen = |row: &R| {
            self.chosen
                .as_ref()
                .is_some_and(|chosen| *chosen == (self.id)(row))
        };
        self.rows.iter().position(is_chosen).unwrap_or(0)
    }

    /// The row under the cursor.
    pub fn chosen(&self) -> Option<&R> {
        self.rows.get(self.cursor())
    }

    /// Moves the cursor, as far as there are rows.
    pub fn move_by(&mut self, by: isize) {
        let last = self.rows.len().saturating_sub(1);
        let place = self.cursor().saturating_add_signed(by).min(last);
        // On the first row the cursor stays at the top, whichever row that is: it is where one looks for the largest.
        self.chosen = match place {
            0 => None,
            _ => self.rows.get(place).map(self.id),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::columns::SERVICES;
    use super::super::rates::{ServiceRow, View};
    use super::super::tests::{service, snapshot};
    use super::*;

    fn list(rows: &[(u32, &str, u64, f64)]) -> (List<ServiceRow>, Vec<ServiceRow>) {
        let old = rows
            .iter()
            .map(|&(address, name, _, _)| service(address, name, 0, 0.0));
        let new = rows
            .iter()
            .map(|&(address, name, message, cpu)| service(address, name, message, cpu));
        let view = View::new(
            Some(&snapshot(1.0, old.collect())),
            &snapshot(2.0, new.collect()),
        );
        let id = |row: &ServiceRow| row.now.address.clone();
        let text = |row: &ServiceRow| format!("{} {}", row.now.address, row.now.name);
        (List::new(SERVICES, "CPU%", id, text), view.services)
    }

    fn names(list: &List<ServiceRow>) -> Vec<&str> {
        list.rows()
            .iter()
            .map(|row| row.now.name.as_str())
            .collect()
    }

    const THREE: [(u32, &str, u64, f64); 3] = [
        (8, "main", 5, 0.1),
        (9, "agent", 50, 0.5),
        (10, "gate", 1, 0.1),
    ];

    #[test]
    fn the_largest_is_first_and_equal_ones_keep_their_order() {
        let (mut list, rows) = list(&THREE);
        list.set(rows.iter(), "");
        assert_eq!(names(&list), ["agent", "main", "gate"]);
        assert!(list.sort_by_letter('r'));
        assert_eq!(names(&list), ["agent", "main", "gate"]);
        list.sort_by_letter('r');
        assert_eq!(names(&list), ["gate", "main", "agent"]);
        list.sort_by_letter('n');
        assert_eq!(names(&list), ["agent", "gate", "main"]);
        assert!(!list.sort_by_letter('z'));
        list.sort_beside(1);
        assert_eq!(list.columns[list.sort].title, "ADDRESS");
    }

    #[test]
    fn the_filter_looks_into_names_and_addresses() {
        let (mut list, rows) = list(&THREE);
        list.set(rows.iter(), "AGE");
        assert_eq!(names(&list), ["agent"]);
        list.set(rows.iter(), ":0000000a");
        assert_eq!(names(&list), ["gate"]);
        list.set(rows.iter(), "nothing");
        assert!(list.chosen().is_none());
    }

    #[test]
    fn the_cursor_stays_with_its_row() {
        let (mut list, rows) = list(&THREE);
        list.set(rows.iter(), "");
        list.move_by(1);
        assert_eq!(list.chosen().map(|row| row.now.name.as_str()), Some("main"));
        list.sort_by_letter('n');
        assert_eq!((list.cursor(), names(&list)[2]), (2, "main"));
        list.move_by(100);
        assert_eq!(list.cursor(), 2);
        list.move_by(-100);
        assert_eq!(list.cursor(), 0);
        // Its row has gone.
        list.move_by(1);
        list.set(rows.iter().filter(|row| row.now.name == "main"), "");
        assert_eq!(list.cursor(), 0);
    }
}
