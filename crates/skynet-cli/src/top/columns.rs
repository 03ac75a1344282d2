//! The columns of the tables: what they show, what they are sorted by, and which of them there is room for.

use super::format::{self, UNKNOWN, bytes, count, cpu_time, percent};
use super::rates::{ServiceRow, SocketRow};
use super::snapshot::Peer;
use std::cmp::Ordering;

/// What a table is sorted by.
enum Key<R> {
    /// The largest first.
    Number(fn(&R) -> Option<f64>),
    Text(fn(&R) -> &str),
}

/// A column of a table with a row `R` in each line.
pub struct Column<R: 'static> {
    pub title: &'static str,
    /// The key that sorts by it.
    pub letter: char,
    /// The last column takes what is left.
    pub width: usize,
    /// Of those that there is no room for, the one with the highest number goes first.
    rank: u8,
    pub text: fn(&R) -> String,
    key: Key<R>,
}

impl<R> Column<R> {
    /// Numbers stand to the right.
    pub fn is_number(&self) -> bool {
        matches!(self.key, Key::Number(_))
    }

    /// The order of two rows in this column; what is not known comes last.
    pub fn compare(&self, a: &R, b: &R) -> Ordering {
        match &self.key {
            Key::Number(number) => {
                let number = |row| number(row).unwrap_or(f64::NEG_INFINITY);
                number(b).total_cmp(&number(a))
            }
            Key::Text(text) => text(a).cmp(text(b)),
        }
    }
}

/// Those that say something of these rows.
pub fn known<R>(columns: &'static [Column<R>], rows: &[R]) -> Vec<&'static Column<R>> {
    let says = |column: &&Column<R>| match &column.key {
        Key::Number(number) => column.rank == 0 || rows.iter().any(|row| number(row).is_some()),
        Key::Text(_) => true,
    };
    columns.iter().filter(says).collect()
}

/// Those that fit into a width with at least `last` characters for the last column.
pub fn fitting<R>(
    mut shown: Vec<&'static Column<R>>,
    width: usize,
    last: usize,
) -> Vec<&'static Column<R>> {
    loop {
        let fixed: usize = shown[..shown.len() - 1]
            .iter()
            .map(|column| column.width + 1)
            .sum();
        let worst = shown
            .iter()
            .enumerate()
            .max_by_key(|(_, column)| column.rank);
        match worst {
            Some((place, column)) if column.rank > 0 && fixed + last > width => shown.remove(place),
            _ => return shown,
        };
    }
}

fn float(number: Option<u64>) -> Option<f64> {
    number.map(|number| number as f64)
}

/// All bytes of a service, or those of its VM if that is what is known.
pub fn memory(row: &ServiceRow) -> Option<f64> {
    float(row.now.memory.filter(|&bytes| bytes > 0).or(row.now.lua))
}

pub static SERVICES: &[Column<ServiceRow>] = &[
    Column {
        title: "ADDRESS",
        letter: 'a',
        width: 9,
        rank: 0,
        text: |row| row.now.address.clone(),
        key: Key::Text(|row| &row.now.address),
    },
    Column {
        title: "CPU%",
        letter: 'c',
        width: 5,
        rank: 0,
        text: |row| format::known(row.cpu_percent, percent),
        key: Key::Number(|row| row.cpu_percent),
    },
    Column {
        title: "TIME",
        letter: 't',
        width: 8,
        rank: 3,
        text: |row| format::known(row.now.cpu, cpu_time),
        key: Key::Number(|row| row.now.cpu),
    },
    Column {
        title: "MSG/S",
        letter: 'r',
        width: 6,
        rank: 0,
        text: |row| format::known(row.message_rate, count),
        key: Key::Number(|row| row.message_rate),
    },
    Column {
        title: "HANDLED",
        letter: 'h',
        width: 7,
        rank: 4,
        text: |row| format::known(float(row.now.message), count),
        key: Key::Number(|row| float(row.now.message)),
    },
    Column {
        title: "MAIL",
        letter: 'l',
        width: 5,
        rank: 0,
        text: |row| format::known(float(row.now.mqlen), count),
        key: Key::Number(|row| float(row.now.mqlen)),
    },
    Column {
        title: "MEMORY",
        letter: 'm',
        width: 6,
        rank: 1,
        text: |row| format::known(memory(row), bytes),
        key: Key::Number(memory),
    },
    Column {
        title: "LUA",
        letter: 'v',
        width: 6,
        rank: 6,
        text: |row| format::known(float(row.now.lua), bytes),
        key: Key::Number(|row| float(row.now.lua)),
    },
    Column {
        title: "TASKS",
        letter: 'w',
        width: 5,
        rank: 5,
        text: |row| format::known(float(row.now.task), count),
        key: Key::Number(|row| float(row.now.task)),
    },
    Column {
        title: "SERVICE",
        letter: 'n',
        width: 0,
        rank: 0,
        text: |row| row.now.name.clone(),
        key: Key::Text(|row| &row.now.name),
    },
];

/// Bytes in both directions.
fn traffic(row: &SocketRow) -> Option<f64> {
    Some(row.read_rate? + row.write_rate?)
}

pub static SOCKETS: &[Column<SocketRow>] = &[
    Column {
        title: "ID",
        letter: 'a',
        width: 10,
        rank: 0,
        text: |row| row.now.id.to_string(),
        key: Key::Number(|row| Some(-(row.now.id as f64))),
    },
    Column {
        title: "TYPE",
        letter: 'y',
        width: 7,
        rank: 3,
        text: |row| row.now.kind.clone(),
        key: Key::Text(|row| &row.now.kind),
    },
    Column {
        title: "BYTES/S",
        letter: 'c',
        width: 7,
        rank: 0,
        text: |row| format::known(traffic(row), bytes),
        key: Key::Number(traffic),
    },
    Column {
        title: "READ",
        letter: 'r',
        width: 6,
        rank: 1,
        // One that listens has accepted so many connections.
        text: |row| match row.now.accept {
            Some(accepted) => format!("+{}", count(accepted as f64)),
            None => bytes(row.now.read as f64),
        },
        key: Key::Number(|row| Some(row.now.read as f64)),
    },
    Column {
        title: "WRITTEN",
        letter: 'w',
        width: 7,
        rank: 1,
        text: |row| bytes(row.now.write as f64),
        key: Key::Number(|row| Some(row.now.write as f64)),
    },
    Column {
        title: "WAITING",
        letter: 'l',
        width: 7,
        rank: 0,
        text: |row| bytes(row.now.wbuffer as f64),
        key: Key::Number(|row| Some(row.now.wbuffer as f64)),
    },
    Column {
        title: "OWNER",
        letter: 'o',
        width: 9,
        rank: 2,
        text: |row| row.now.address.clone(),
        key: Key::Text(|row| &row.now.address),
    },
    Column {
        title: "PEER",
        letter: 'p',
        width: 21,
        rank: 0,
        text: |row| row.now.name.clone(),
        key: Key::Text(|row| &row.now.name),
    },
    Column {
        title: "SERVICE",
        letter: 'n',
        width: 0,
        rank: 0,
        text: |row| row.owner.clone(),
        key: Key::Text(|row| &row.owner),
    },
];

/// A node of the cluster, with its name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeerRow {
    pub name: String,
    pub peer: Peer,
}

fn state(row: &PeerRow) -> &str {
    match row.peer.up {
        true => "connected",
        false => "not connected",
    }
}

pub static PEERS: &[Column<PeerRow>] = &[
    Column {
        title: "STATE",
        letter: 'a',
        width: 13,
        rank: 0,
        text: |row| state(row).into(),
        key: Key::Text(state),
    },
    Column {
        title: "LATENCY",
        letter: 't',
        width: 9,
        rank: 1,
        text: |row| match row.peer.latency {
            known if known > 0.0 => format!("{:.2} ms", known * 1e3),
            _ => UNKNOWN.into(),
        },
        key: Key::Number(|row| Some(row.peer.latency)),
    },
    Column {
        title: "WAITING",
        letter: 'l',
        width: 7,
        rank: 0,
        text: |row| count(row.peer.waiting as f64),
        key: Key::Number(|row| Some(row.peer.waiting as f64)),
    },
    Column {
        title: "BYTES",
        letter: 'm',
        width: 6,
        rank: 1,
        text: |row| bytes(row.peer.waiting_bytes as f64),
        key: Key::Number(|row| Some(row.peer.waiting_bytes as f64)),
    },
    Column {
        title: "FAILED",
        letter: 'f',
        width: 6,
        rank: 0,
        text: |row| count(row.peer.failed as f64),
        key: Key::Number(|row| Some(row.peer.failed as f64)),
    },
    Column {
        title: "LOST",
        letter: 'o',
        width: 5,
        rank: 0,
        text: |row| count(row.peer.dropped as f64),
        key: Key::Number(|row| Some(row.peer.dropped as f64)),
    },
    Column {
        title: "AGAIN",
        letter: 'c',
        width: 5,
        rank: 2,
        text: |row| count(row.peer.reconnects as f64),
        key: Key::Number(|row| Some(row.peer.reconnects as f64)),
    },
    Column {
        title: "NODE",
        letter: 'n',
        width: 0,
        rank: 0,
        text: |row| row.name.clone(),
        key: Key::Text(|row| &row.name),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_screen_loses_the_least_important_columns_first() {
        let titles = |rows: &[ServiceRow], width| {
            let shown = fitting(known(SERVICES, rows), width, 20);
            let titles = shown.iter().map(|column| column.title);
            titles.collect::<Vec<_>>().join(" ")
        };
        let mut row = ServiceRow::default();
        (row.now.cpu, row.now.message) = (Some(0.0), Some(0));
        (row.now.lua, row.now.task) = (Some(0), Some(0));
        let rows = [row.clone()];
        assert_eq!(
            titles(&rows, 200),
            "ADDRESS CPU% TIME MSG/S HANDLED MAIL MEMORY LUA TASKS SERVICE"
        );
        assert_eq!(
            titles(&rows, 80),
            "ADDRESS CPU% TIME MSG/S HANDLED MAIL MEMORY TASKS SERVICE"
        );
        assert_eq!(titles(&rows, 60), "ADDRESS CPU% MSG/S MAIL MEMORY SERVICE");
        assert_eq!(titles(&rows, 10), "ADDRESS CPU% MSG/S MAIL SERVICE");
        // What nobody knows takes no room.
        row.now.task = None;
        assert_eq!(
            titles(&[row], 200),
            "ADDRESS CPU% TIME MSG/S HANDLED MAIL MEMORY LUA SERVICE"
        );
    }

    #[test]
    fn no_two_columns_of_a_table_have_the_same_letter() {
        fn letters<R>(columns: &[Column<R>]) {
            let mut letters: Vec<_> = columns.iter().map(|column| column.letter).collect();
            letters.sort_unstable();
            letters.dedup();
            assert_eq!(letters.len(), columns.len());
            // These move the cursor, end the program or pause it.
            assert!(letters.iter().all(|letter| !"jkqgsi".contains(*letter)));
        }
        letters(SERVICES);
        letters(SOCKETS);
        letters(PEERS);
    }
}
