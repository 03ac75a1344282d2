//! The last lines of the log, for who looks on from afar (the dashboard). Kept only while somebody does: a node that nobody
//! looks at pays one load for each line.
//!
//! Who logs never waits for who looks on, nor for another one who logs and was stopped by the system in between: a line that
//! finds the tail in use is not kept, and counted.

use crate::base::clock;
use parking_lot::{Mutex, MutexGuard};
use std::collections::VecDeque;
use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Lines, and their bytes, that are kept.
const MOST_LINES: usize = 1000;
const MOST_BYTES: usize = 256 * 1024;
/// Bytes of a line that are kept.
const LONGEST: usize = 4096;
/// In 1/100 s: nobody looks on any more who has not asked for that long.
const PATIENCE: u64 = 3000;
/// How often somebody who logs looks whether the tail is free. It is held for about a microsecond.
const SPINS: u32 = 1000;

static TAIL: Tail = Tail::new();

/// A line of the log.
#[derive(Debug)]
pub struct Line {
    /// Lines are counted, from 1.
    pub number: u64,
    /// When it was written, in 1/100 s of the node's clock.
    pub time: u64,
    /// Handle of the service that wrote it; 0 is the core.
    pub source: u32,
    /// Its text, cut after some KiB.
    pub text: Box<[u8]>,
}

/// What [`since`] found.
#[derive(Debug)]
pub struct Found {
    /// In their order.
    pub lines: Vec<Arc<Line>>,
    /// The number of the line that comes next: to ask with the next time.
    pub next: u64,
    /// Lines that were not kept because the tail was in use.
    pub missed: u64,
}

struct Tail {
    watched: AtomicBool,
    missed: AtomicU64,
    kept: Mutex<Kept>,
}

struct Kept {
    lines: VecDeque<Arc<Line>>,
    bytes: usize,
    next: u64,
    /// When somebody asked for lines last.
    asked: u64,
}

impl Kept {
    fn push(&mut self, line: Line) {
        self.next = line.number + 1;
        self.bytes += line.text.len();
        self.lines.push_back(Arc::new(line));
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= oldest.text.len();
        }
    }
}

impl Tail {
    const fn new() -> Tail {
        Tail {
            watched: AtomicBool::new(false),
            missed: AtomicU64::new(0),
            kept: Mutex::new(Kept {
                lines: VecDeque::new(),
                bytes: 0,
                next: 1,
                asked: 0,
            }),
        }
    }

    #[inline(always)]
    fn note(&self, source: u32, text: &[u8]) {
        if self.watched.load(Ordering::Relaxed) {
            self.keep(source, text);
        }
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Kept>> {
        for _ in 0..SPINS {
            if let Some(kept) = self.kept.try_lock() {
                return Some(kept);
            }
            hint::spin_loop();
        }
        None
    }

    #[cold]
    fn keep(&self, source: u32, text: &[u8]) {
        let text = text[..text.len().min(LONGEST)].into();
        let time = clock::now();
        let Some(mut kept) = self.try_lock() else {
            self.missed.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if time.saturating_sub(kept.asked) > PATIENCE {
            self.watched.store(false, Ordering::Relaxed);
            kept.lines = VecDeque::new();
            kept.bytes = 0;
            return;
        }
        let number = kept.next;
        kept.push(Line {
            number,
            time,
            source,
            text,
        });
    }

    fn since(&self, number: u64) -> Found {
        let mut kept = self.kept.lock();
        kept.asked = clock::now();
        self.watched.store(true, Ordering::Relaxed);
        let all = number > kept.next;
        let lines = kept.lines.iter();
        Found {
            lines: lines
                .filter(|line| all || line.number >= number)
                .cloned()
                .collect(),
            next: kept.next,
            missed: self.missed.load(Ordering::Relaxed),
        }
    }
}

/// A line is written to the log.
#[inline(always)]
pub fn note(source: u32, text: &[u8]) {
    TAIL.note(source, text);
}

/// The lines from that number on, as far as they are kept. From the first call on lines are kept, until nobody has asked for half a
/// minute. A number that no line has had yet, of a node that ran before, say, means all of them.
pub fn since(number: u64) -> Found {
    TAIL.since(number)
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    fn texts(found: &Found) -> Vec<String> {
        let lines = found.lines.iter();
        lines
            .map(|line| String::from_utf8_lossy(&line.text).into_owned())
            .collect()
    }

    #[test]
    fn lines_are_kept_once_somebody_asks() {
        let tail = Tail::new();
        tail.note(1, b"nobody has asked");
        let begin = tail.since(0);
        assert!(begin.lines.is_empty());
        tail.note(1, b"ab");
        tail.note(2, b"c");
        let found = tail.since(begin.next);
        assert_eq!(texts(&found), ["ab", "c"]);
        assert_eq!(
            found
                .lines
                .iter()
                .map(|line| line.source)
                .collect::<Vec<_>>(),
            [1, 2]
        );
        assert_eq!(found.next, begin.next + 2);
        assert!(tail.since(found.next).lines.is_empty());
        assert_eq!(texts(&tail.since(found.next + 1000)), ["ab", "c"]);
    }

    #[test]
    fn the_last_lines_are_kept_and_of_each_the_begin() {
        let tail = Tail::new();
        tail.since(0);
        let long = vec![b'x'; LONGEST + 1];
        for _ in 0..MOST_LINES {
            tail.note(1, &long);
        }
        let found = tail.since(0);
        assert_eq!(found.lines.len(), MOST_BYTES / LONGEST);
        assert_eq!(found.next, 1 + MOST_LINES as u64);
        assert!(texts(&found).iter().all(|text| text.len() == LONGEST));
        for _ in 0..=MOST_LINES {
            tail.note(1, b"z");
        }
        assert_eq!(tail.since(0).lines.len(), MOST_LINES);
    }

    #[test]
    fn who_logs_goes_on_while_the_tail_is_in_use() {
        let tail = Tail::new();
        tail.since(0);
        let held = tail.kept.lock();
        tail.note(1, b"missed");
        drop(held);
        let found = tail.since(0);
        assert!(found.lines.is_empty());
        assert_eq!(found.missed, 1);
    }
}
