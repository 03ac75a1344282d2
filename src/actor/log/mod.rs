//! The error log: lines sent to the service named `logger`; and the message log of single services ([`record`]).

pub mod record;
pub mod waiting;

use crate::actor::{handle, service};
use crate::alloc::blocks::{self, Class};
use crate::alloc::memory;
use crate::base::message::{Message, ptype};
use libc::c_void;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Sends `text` to the service named `logger` on behalf of `source` (0: the core itself). Dropped while there is none.
pub fn error(source: u32, text: &[u8]) {
    error_parts(source, &[text]);
}

/// [`error`] with a text in several parts.
pub fn error_parts(source: u32, parts: &[&[u8]]) {
    if !wanted() {
        return;
    }
    let len: usize = parts.iter().map(|part| part.len()).sum();
    // SAFETY: the block has room for the parts and the NUL that readers of C strings expect behind them.
    unsafe {
        let (block, class) = blocks::take_for_copy(len);
        let mut end = block;
        for part in parts {
            end.copy_from_nonoverlapping(part.as_ptr(), part.len());
            end = end.add(part.len());
        }
        *end = 0;
        deliver(source, block.cast(), len, class);
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

static LINES: AtomicU64 = AtomicU64::new(0);
static ERRORS: AtomicU64 = AtomicU64::new(0);

/// How lines begin that tell of an error: those of the core, and of what a Lua service has raised.
const ERROR_PREFIXES: [&[u8]; 2] = [b"error: ", b"lua call ["];

fn count(line: &[u8]) {
    LINES.fetch_add(1, Ordering::Relaxed);
    if ERROR_PREFIXES.iter().any(|prefix| line.starts_with(prefix)) {
        ERRORS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Lines so far, and how many of them tell of an error of the core or of a Lua service.
pub fn counts() -> (u64, u64) {
    (
        LINES.load(Ordering::Relaxed),
        ERRORS.load(Ordering::Relaxed),
    )
}

/// Whether there is somebody to read a line.
pub fn wanted() -> bool {
    handle::logger() != 0
}

/// Sends a line that is already in a block of its own.
///
/// # Safety
/// `text` is a block of the C allocator with at least `len` bytes. It is taken over, also when nobody reads the line.
pub unsafe fn post(source: u32, text: *mut c_void, len: usize) {
    // SAFETY: contract of this function.
    unsafe {
        memory::block_sent(text);
        deliver(source, text, len, Class::FOREIGN);
    }
}

/// # Safety
/// As [`post`].
unsafe fn deliver(source: u32, text: *mut c_void, len: usize, class: Class) {
    // SAFETY: contract of this function.
    count(unsafe { std::slice::from_raw_parts(text.cast(), len) });
    let logger = handle::logger();
    let message = Message::with_data(source, ptype::TEXT, 0, text, len);
    if logger == 0 || !waiting::admit(logger, len) || !service::push_with(logger, message, class) {
        // SAFETY: the message was not delivered, so the block is still ours.
        memory::uncharged(|| unsafe { libc::free(text) });
    }
}
