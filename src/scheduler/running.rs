//! The message that a worker is in, as others read it while the worker goes on.
//!
//! The worker writes, with plain stores only; readers look, and find either the words of one message or nothing. `begun` is
//! stored before any other word changes, `version` after all have:
//!
//! - writer: `begun = n`, release fence, the words, `version = n` (release);
//! - reader: `version` (acquire), the words, acquire fence, `begun`. If both are equal, no word of a later message was read:
//!   that word would have brought its `begun` along.
//!
//! Source and session share a word, so this takes no more stores than four words without any order would.

use crate::base::message::{Message, SIZE_MASK, TYPE_SHIFT, type_name};
use crate::base::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
use std::fmt;

/// `sz` of a message of which only source and destination are known.
const UNKNOWN: usize = usize::MAX;

/// A message under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Running {
    /// Whose it is.
    pub destination: u32,
    /// Handle of the sender.
    pub source: u32,
    /// Its session.
    pub session: i32,
    sz: usize,
    /// Its number, counted by the worker.
    pub version: i32,
}

/// See the head of the file. One writer.
pub(super) struct Shown {
    /// Number of the message whose words may be there already.
    begun: AtomicI32,
    /// Number of the message whose words are all there.
    version: AtomicI32,
    /// Whose message it is; 0 while there is none. Stays from turn to turn, until the worker looks for work.
    destination: AtomicU32,
    /// Session above, source below.
    party: AtomicU64,
    sz: AtomicUsize,
}

impl Shown {
    pub fn new() -> Shown {
        Shown {
            begun: AtomicI32::new(0),
            version: AtomicI32::new(0),
            destination: AtomicU32::new(0),
            party: AtomicU64::new(0),
            sz: AtomicUsize::new(0),
        }
    }

    /// The words are about to change; the number of the message that they will be of.
    #[inline(always)]
    fn begin(&self) -> i32 {
        // One writer: no need for an atomic addition.
        let next = self.version.load(Ordering::Relaxed).wrapping_add(1);
        self.begun.store(next, Ordering::Relaxed);
        fence(Ordering::Release);
        next
    }

    /// A turn of the service `destination` begins; there is no message yet.
    #[inline(always)]
    pub fn enter(&self, destination: u32) {
        self.begin();
        self.destination.store(destination, Ordering::Relaxed);
    }

    /// The next message of the turn. Those before it need no end.
    #[inline(always)]
    pub fn message(&self, message: &Message) {
        self.show(message.source, message.session, message.sz);
    }

    /// A message of which nothing but its source is known.
    pub(super) fn message_from(&self, source: u32) {
        self.show(source, 0, UNKNOWN);
    }

    #[inline(always)]
    fn show(&self, source: u32, session: i32, sz: usize) {
        let number = self.begin();
        let party = u64::from(session.cast_unsigned()) << 32 | u64::from(source);
        self.party.store(party, Ordering::Relaxed);
        self.sz.store(sz, Ordering::Relaxed);
        self.version.store(number, Ordering::Release);
    }

    /// The worker has no service. Turns that follow each other need no end.
    #[inline(always)]
    pub fn end(&self) {
        self.destination.store(0, Ordering::Relaxed);
    }

    /// Any thread, and signal handlers: the message under way; `None` between two.
    pub fn read(&self) -> Option<Running> {
        let version = self.version.load(Ordering::Acquire);
        let destination = self.destination.load(Ordering::Relaxed);
        let party = self.party.load(Ordering::Relaxed);
        let sz = self.sz.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let whole = self.begun.load(Ordering::Relaxed) == version;
        (whole && destination != 0).then_some(Running {
            destination,
            source: party as u32,
            session: ((party >> 32) as u32).cast_signed(),
            sz,
            version,
        })
    }

    /// Changes with each message.
    #[inline]
    pub fn count(&self) -> i32 {
        self.version.load(Ordering::Relaxed)
    }

    /// Like [`Shown::count`], ordered before what is read later.
    pub fn count_in_order(&self) -> i32 {
        self.version.load(Ordering::Acquire)
    }

    /// True while a service is on turn, or was the last one.
    pub(super) fn has_service(&self) -> bool {
        self.destination.load(Ordering::Relaxed) != 0
    }
}

impl Running {
    /// Type and size, if they are known.
    pub fn payload(&self) -> Option<(u8, usize)> {
        (self.sz != UNKNOWN).then_some(((self.sz >> TYPE_SHIFT) as u8, self.sz & SIZE_MASK))
    }
}

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message from :{:08x}", self.source)?;
        let Some((ty, size)) = self.payload() else {
            return Ok(());
        };
        write!(f, ", type {ty}")?;
        if let Some(name) = type_name(ty) {
            write!(f, " ({name})")?;
        }
        write!(f, ", session {}, {size} bytes", self.session)
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// All words of message `n` can be told from `n`.
    fn message(n: u32) -> Message {
        Message {
            source: n,
            session: n.cast_signed(),
            data: std::ptr::null_mut(),
            sz: n as usize,
        }
    }

    #[test]
    fn a_reader_finds_the_words_of_one_message_or_nothing() {
        let shown = Shown::new();
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for n in 1..200_000 {
                    // A new service with every other message.
                    if n % 2 == 0 {
                        shown.enter(n);
                    }
                    shown.message(&message(n));
                }
                done.store(true, Ordering::Relaxed);
            });
            while !done.load(Ordering::Relaxed) {
                if let Some(found) = shown.read() {
                    let n = found.source;
                    assert_eq!(found.version.cast_unsigned(), n);
                    assert_eq!(found.session.cast_unsigned(), n);
                    assert_eq!(found.sz, n as usize);
                    assert_eq!(found.destination, n & !1, "of message {n}");
                }
            }
        });
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use loom::sync::Arc;

    #[test]
    fn loom_a_reader_finds_the_words_of_one_message_or_nothing() {
        loom::model(|| {
            let shown = Arc::new(Shown::new());
            let other = shown.clone();
            let worker = loom::thread::spawn(move || {
                for n in [1, 2] {
                    other.enter(n * 10);
                    other.show(n, n.cast_signed(), n as usize);
                }
                other.end();
            });
            if let Some(found) = shown.read() {
                let n = found.source;
                assert_eq!(found.version.cast_unsigned(), n);
                assert_eq!(found.session.cast_unsigned(), n);
                assert_eq!(found.sz, n as usize);
                assert_eq!(found.destination, n * 10);
            }
            worker.join().unwrap();
            assert_eq!(shown.read(), None);
        });
    }
}
