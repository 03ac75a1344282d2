//! What waits for the log service is bounded: the service that reads the log may be slower than those that write to it, or
//! stand still.
//!
//! A mailbox does not count its bytes, and a project may bring its own log service. So the lines are counted here when they
//! are sent, with the bytes that had been sent when every 256th came. How many of them the service has handled tells its
//! number of messages, of all kinds; of other kinds are those that it has more than there were lines.
//!
//! When too much waits, lines are lost until half of it is written. Then a line tells how many.

use super::limit::taken_out;
use crate::base::log;
use parking_lot::Mutex;
use std::sync::atomic::{
    AtomicBool, AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};

/// Bytes that may wait, unless the config says otherwise.
pub const DEFAULT: usize = 64 * 1024 * 1024;
/// The part of the bound from which on what waits is much.
const MUCH: u64 = 16;
/// What a line takes besides its text.
const LINE: u64 = 64;
/// Lines between two marks and two looks, and bytes after which there is a look in any case.
const EACH: u64 = 256;
const LOOK: u64 = 1024 * 1024;
/// Marks that are kept.
const MARKS: usize = 8192;
/// A mark has so many bits of the bytes, and above them those of the lap: how often all marks were used before. One that is about
/// to be made still has the one of a lap before.
const BYTES: u32 = 48;
const BYTES_MASK: u64 = (1 << BYTES) - 1;

/// The bound in bytes; 0 is none.
static LIMIT: AtomicU64 = AtomicU64::new(DEFAULT as u64);
/// The node's queue of lines.
static SENT: Sent = Sent::new();
static FULL: AtomicBool = AtomicBool::new(false);
/// Lines that were lost, and those of them that no line has told of.
static LOST: AtomicU64 = AtomicU64::new(0);
static UNTOLD: AtomicU64 = AtomicU64::new(0);
static READER: Mutex<Reader> = Mutex::new(Reader {
    logger: 0,
    others: 0,
});

/// Lines that were sent so far.
struct Sent {
    lines: AtomicU64,
    bytes: AtomicU64,
    /// `bytes` at each [`EACH`]th line, and its lap.
    marks: [AtomicU64; MARKS],
}

/// The service that reads them.
struct Reader {
    logger: u32,
    /// Messages of other kinds that it has handled, less what had been sent when it came.
    others: i64,
}

impl Sent {
    const fn new() -> Sent {
        Sent {
            lines: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            marks: [const { AtomicU64::new(u64::MAX) }; MARKS],
        }
    }

    /// Counts a line. Whether it is time for a look.
    fn add(&self, size: u64) -> bool {
        let line = self.lines.fetch_add(1, Relaxed);
        let before = self.bytes.fetch_add(size, Relaxed);
        if line.is_multiple_of(EACH) {
            self.make_mark(line, before);
        }
        line.is_multiple_of(EACH) || before / LOOK != (before + size) / LOOK
    }

    /// Where the mark of a line is, and the lap that it is of.
    fn place(line: u64) -> (usize, u64) {
        let number = line / EACH;
        let lap = number / MARKS as u64;
        ((number % MARKS as u64) as usize, lap & (u64::MAX >> BYTES))
    }

    fn make_mark(&self, line: u64, bytes: u64) {
        let (place, lap) = Sent::place(line);
        // Who reads it sees at least as many bytes.
        self.marks[place].store(lap << BYTES | bytes & BYTES_MASK, Release);
    }

    /// The last mark at or before a line. One that is still to be made is passed over.
    fn last_mark(&self, line: u64) -> u64 {
        let numbers = (0..=line / EACH).rev().take(MARKS);
        let mut marks = numbers.map(|number| {
            let (place, lap) = Sent::place(number * EACH);
            let mark = self.marks[place].load(Acquire);
            (mark >> BYTES == lap).then_some(mark & BYTES_MASK)
        });
        marks.find_map(|mark| mark).unwrap_or(0)
    }

    /// Bytes of the lines behind the first `handled`, or a little more.
    fn waiting(&self, handled: u64) -> u64 {
        match self.lines.load(Relaxed).saturating_sub(handled) {
            0 => 0,
            lines if lines >= EACH * (MARKS as u64 - 1) => u64::MAX,
            _ => {
                let mark = self.last_mark(handled);
                self.bytes.load(Relaxed).wrapping_sub(mark) & BYTES_MASK
            }
        }
    }
}

impl Reader {
    /// Lines that it has handled, when it has handled `messages` of all kinds.
    fn handled(&mut self, logger: u32, messages: u64, sent: u64) -> u64 {
        let handled = messages.cast_signed() - self.others;
        let sent = sent.cast_signed();
        if self.logger == logger && handled <= sent {
            return handled.max(0).cast_unsigned();
        }
        // Another one, of whom nothing is known; or more messages than lines.
        self.logger = logger;
        self.others = messages.cast_signed() - sent;
        sent.cast_unsigned()
    }

    /// Bytes that wait for the log service `logger`; nothing if it has gone.
    fn waiting(&mut self, logger: u32) -> Option<u64> {
        let messages = taken_out(logger)?;
        let handled = self.handled(logger, messages, SENT.lines.load(Relaxed));
        Some(SENT.waiting(handled))
    }
}

/// Limits what may wait; 0 is no limit.
pub fn set_limit(bytes: usize) {
    LIMIT.store(bytes as u64, Relaxed);
}

/// Lines that were lost so far.
pub fn lost() -> u64 {
    LOST.load(Relaxed)
}

/// So many lines were read and could not be written: they are lost, too.
pub fn count_unwritten(lines: u64) {
    LOST.fetch_add(lines, Relaxed);
}

/// Whether a line of `len` bytes may be sent to the log service; it is counted.
pub(super) fn admit(logger: u32, len: usize) -> bool {
    let limit = LIMIT.load(Relaxed);
    if limit == 0 {
        return true;
    }
    if FULL.load(Relaxed) {
        look(logger, limit);
        if FULL.load(Relaxed) {
            LOST.fetch_add(1, Relaxed);
            UNTOLD.fetch_add(1, Relaxed);
            return false;
        }
    }
    if SENT.add(len as u64 + LINE) {
        look(logger, limit);
    }
    true
}

/// Whether a sixteenth of the bound waits, which is worth a line. Without a bound nothing is known, and any backlog is.
#[cold]
pub(super) fn is_much(logger: u32) -> bool {
    let limit = LIMIT.load(Relaxed);
    let waits = || READER.lock().waiting(logger);
    limit == 0 || waits().is_none_or(|bytes| bytes >= limit / MUCH)
}

/// Looks how much waits.
#[cold]
fn look(logger: u32, limit: u64) {
    let Some(mut reader) = READER.try_lock() else {
        return; // another thread looks
    };
    let Some(waiting) = reader.waiting(logger) else {
        return;
    };
    let full = FULL.load(Relaxed);
    let still = waiting > if full { limit / 2 } else { limit };
    FULL.store(still, Relaxed);
    drop(reader);
    if full && !still {
        let count = UNTOLD.swap(0, Relaxed);
        log::error_fmt(
            0,
            format_args!(
                "error: the log is read too slowly: {count} messages lost (log_limit = {limit} bytes)"
            ),
        );
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_wait_are_known_to_the_nearest_mark() {
        let sent = Sent::new();
        for _ in 0..10_000 {
            sent.add(100);
        }
        assert_eq!(sent.waiting(10_000), 0);
        for handled in [0, 1, 255, 256, 5000, 9999] {
            let exact = (10_000 - handled) * 100;
            let waiting = sent.waiting(handled);
            assert!((exact..exact + EACH * 100).contains(&waiting), "{handled}");
        }
        for _ in 0..EACH * MARKS as u64 {
            sent.add(1);
        }
        assert_eq!(sent.waiting(10_000), u64::MAX);
    }

    /// Between counting a line and marking it, a thread may be stopped for any time.
    #[test]
    fn a_mark_that_is_still_to_be_made_is_not_taken_for_one_of_long_ago() {
        let sent = Sent::new();
        for _ in 0..EACH * MARKS as u64 {
            sent.add(100);
        }
        let line = sent.lines.fetch_add(1, Relaxed);
        sent.bytes.fetch_add(100, Relaxed);
        assert_eq!(sent.waiting(line), (EACH + 1) * 100, "from the mark before");
        sent.make_mark(line, line * 100);
        assert_eq!(sent.waiting(line), 100);
    }

    #[test]
    fn messages_of_other_kinds_are_no_lines() {
        let mut reader = Reader {
            logger: 0,
            others: 0,
        };
        assert_eq!(reader.handled(1, 40, 10), 10, "a new one has read all");
        assert_eq!(reader.handled(1, 40, 15), 10);
        assert_eq!(reader.handled(1, 45, 15), 15);
        assert_eq!(reader.handled(1, 60, 15), 15, "15 messages were no lines");
        assert_eq!(reader.handled(1, 60, 20), 15);
        assert_eq!(reader.handled(2, 0, 20), 20);
        assert_eq!(reader.handled(2, 3, 30), 23);
    }

    #[test]
    fn a_look_comes_with_many_lines_and_with_many_bytes() {
        let sent = Sent::new();
        let looks = (0..EACH).filter(|_| sent.add(1)).count();
        assert_eq!(looks, 1);
        assert!(sent.add(LOOK));
    }
}
