//! The error log, as everybody writes to it: lines that go to the service named `logger`, and nowhere while there is none.
//!
//! How a line gets into a mailbox is known further up: services bring it along ([`deliver_with`]).

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// How lines reach a service.
pub struct Delivery {
    /// A block with room for a line of so many bytes, and a zero behind it; null if there is no memory for it.
    pub reserve: fn(len: usize) -> *mut u8,
    /// Sends the line in such a block, which is taken over, to the reader on behalf of `source`. The first number of bytes is
    /// what the block was reserved for.
    pub send: unsafe fn(reader: u32, source: u32, block: *mut u8, len: usize),
}

/// Handle of the service named `logger`; 0 if there is none.
static READER: AtomicU32 = AtomicU32::new(0);
static DELIVERY: OnceLock<&Delivery> = OnceLock::new();

/// How that is done, before there is a service. The first call counts.
#[inline]
pub fn deliver_with(delivery: &'static Delivery) {
    // Called at each launch.
    if DELIVERY.get().is_none() {
        let _ = DELIVERY.set(delivery);
    }
}

/// The service that reads the log from now on; 0 is none.
pub fn set_reader(handle: u32) {
    READER.store(handle, Ordering::Release);
}

/// No thread is left that could run the reader.
static UNREAD: AtomicBool = AtomicBool::new(false);

/// Monitor thread: whether no worker is left for the reader, so that who has something to report writes it to the standard
/// error, too.
pub fn set_unread(unread: bool) {
    UNREAD.store(unread, Ordering::Relaxed);
}

/// As the monitor thread saw it last.
#[cfg(feature = "lua")]
pub fn is_unread() -> bool {
    UNREAD.load(Ordering::Relaxed)
}

/// Handle of the service that reads the log; 0 if there is none.
#[inline]
pub fn reader() -> u32 {
    READER.load(Ordering::Acquire)
}

/// Whether there is a service that reads lines.
#[inline]
pub fn wanted() -> bool {
    reader() != 0
}

/// Sends `text` to the service named `logger` on behalf of `source` (0: the core itself). Dropped while there is none.
#[inline(never)]
pub fn error(source: u32, text: &[u8]) {
    error_parts(source, &[text]);
}

/// [`error`] with a text in several parts. Inlined where their number is known: two such lines belong to the life of each
/// service.
#[inline(always)]
pub fn error_parts(source: u32, parts: &[&[u8]]) {
    let reader = reader();
    if reader == 0 {
        return;
    }
    let Some(delivery) = DELIVERY.get() else {
        return;
    };
    let len = parts.iter().map(|part| part.len()).sum();
    let block = (delivery.reserve)(len);
    if block.is_null() {
        return lost(source, len);
    }
    // SAFETY: the block has room for the parts, `len` bytes together, and the zero that readers of C strings expect
    // behind them.
    unsafe {
        let mut end = block;
        for part in parts {
            end.copy_from_nonoverlapping(part.as_ptr(), part.len());
            end = end.add(part.len());
        }
        *end = 0;
        (delivery.send)(reader, source, block, len);
    }
}

/// In the place of a line that there is no memory for: as long as what a program has put into it.
#[cold]
fn lost(source: u32, len: usize) {
    error_fmt(
        source,
        format_args!("error: not enough memory for a line of {len} bytes"),
    );
}

/// The text of a line while it is put together: on the stack unless it is long.
struct Line {
    short: [u8; 256],
    len: usize,
    long: String,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        if self.long.is_empty() && end <= self.short.len() {
            self.short[self.len..end].copy_from_slice(text.as_bytes());
            self.len = end;
        } else {
            // What does not fit is left out: the text is as long as a program has made it.
            self.long.try_reserve(text.len()).map_err(|_| fmt::Error)?;
            self.long.push_str(text);
        }
        Ok(())
    }
}

/// [`error`] with formatting: `error_fmt(0, format_args!("LAUNCH {name}"))`.
pub fn error_fmt(source: u32, text: fmt::Arguments<'_>) {
    if wanted() {
        match text.as_str() {
            Some(literal) => error(source, literal.as_bytes()),
            None => {
                let mut line = Line {
                    short: [0; 256],
                    len: 0,
                    long: String::new(),
                };
                // What fails for want of memory ends there.
                let _ = fmt::Write::write_fmt(&mut line, text);
                error_parts(source, &[&line.short[..line.len], line.long.as_bytes()]);
            }
        }
    }
}
