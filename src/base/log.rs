//! The error log, as everybody writes to it: lines that go to the service named `logger`, and nowhere while there is none.
//!
//! How a line gets into a mailbox is known further up: services bring it along ([`deliver_with`]).

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Sends a line in several parts to the reader on behalf of `source`.
pub type Deliver = fn(reader: u32, source: u32, parts: &[&[u8]]);

/// Handle of the service named `logger`; 0 if there is none.
static READER: AtomicU32 = AtomicU32::new(0);
static DELIVER: OnceLock<Deliver> = OnceLock::new();

/// How lines reach a service. Before there is one; the first call counts.
pub fn deliver_with(deliver: Deliver) {
    let _ = DELIVER.set(deliver);
}

/// Who reads the log from now on; 0 is nobody.
pub fn set_reader(handle: u32) {
    READER.store(handle, Ordering::Release);
}

/// Handle of the service that reads the log; 0 if there is none.
#[inline]
pub fn reader() -> u32 {
    READER.load(Ordering::Acquire)
}

/// Whether there is somebody to read a line.
#[inline]
pub fn wanted() -> bool {
    reader() != 0
}

/// Sends `text` to the service named `logger` on behalf of `source` (0: the core itself). Dropped while there is none.
pub fn error(source: u32, text: &[u8]) {
    error_parts(source, &[text]);
}

/// [`error`] with a text in several parts.
pub fn error_parts(source: u32, parts: &[&[u8]]) {
    let reader = reader();
    if reader != 0
        && let Some(deliver) = DELIVER.get()
    {
        deliver(reader, source, parts);
    }
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
                // Only a Display of ours could fail, and none does.
                let _ = fmt::Write::write_fmt(&mut line, text);
                error_parts(source, &[&line.short[..line.len], line.long.as_bytes()]);
            }
        }
    }
}
