//! Lines of the error log on their way into the mailbox of the service named `logger` ([`crate::base::log`]).

use super::{push_with, waiting};
use crate::alloc::freelist::{self, Class};
use crate::alloc::memory;
use crate::base::log::{self, Delivery};
use crate::base::log_tail;
use crate::base::message::{Message, ptype};
use libc::c_void;
use std::sync::atomic::{AtomicU64, Ordering};

static LINES: AtomicU64 = AtomicU64::new(0);
static ERRORS: AtomicU64 = AtomicU64::new(0);

/// How lines begin that tell of an error: those of the core, and of what a Lua service has raised. [`is_error`] knows their first bytes.
const ERROR_PREFIXES: [&[u8]; 4] = [
    b"error: ",
    b"lua call [",
    b"lua memory error : [",
    b"lua error in error : [",
];

fn is_error(line: &[u8]) -> bool {
    matches!(line.first(), Some(b'e' | b'l'))
        && ERROR_PREFIXES.iter().any(|prefix| line.starts_with(prefix))
}

fn count(line: &[u8]) {
    LINES.fetch_add(1, Ordering::Relaxed);
    if is_error(line) {
        ERRORS.fetch_add(1, Ordering::Relaxed);
    }
}

/// An error that a limit keeps out of the log.
pub fn count_unlogged_error() {
    ERRORS.fetch_add(1, Ordering::Relaxed);
}

/// Lines so far, and how many errors of the core and of Lua services, told by one of them or left out.
pub fn log_counts() -> (u64, u64) {
    (
        LINES.load(Ordering::Relaxed),
        ERRORS.load(Ordering::Relaxed),
    )
}

/// How [`log`] sends lines.
pub(super) static DELIVERY: Delivery = Delivery { reserve, send };

fn reserve(len: usize) -> *mut u8 {
    freelist::alloc_for_copy(len).map_or(std::ptr::null_mut(), |(block, _)| block)
}

/// # Safety
/// `block` came from [`reserve`] for `len` bytes, which are there, and is handed over.
unsafe fn send(reader: u32, source: u32, block: *mut u8, len: usize) {
    // SAFETY: contract of this function.
    unsafe {
        deliver(
            reader,
            source,
            block.cast(),
            len,
            freelist::class_of_copy(len),
        )
    };
}

/// Sends a line that is already in a block of its own.
///
/// # Safety
/// `text` is a block of the C allocator with at least `len` bytes. It is taken over, also when the line is not read.
pub unsafe fn post_line(source: u32, text: *mut c_void, len: usize) {
    // SAFETY: contract of this function.
    unsafe {
        memory::block_sent(text);
        deliver(log::reader(), source, text, len, Class::UNPOOLED);
    }
}

/// # Safety
/// As [`post_line`].
unsafe fn deliver(reader: u32, source: u32, text: *mut c_void, len: usize, class: Class) {
    // SAFETY: contract of this function.
    let line = unsafe { std::slice::from_raw_parts(text.cast(), len) };
    count(line);
    log_tail::note(source, line);
    let message = Message::with_data(source, ptype::TEXT, 0, text, len);
    if reader == 0 || !waiting::admit(reader, len) || !push_with(reader, message, class) {
        // SAFETY: the message was not delivered, so the block is still this function's.
        memory::uncharged(|| unsafe { libc::free(text) });
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_begins_as_an_error_does_is_one() {
        for prefix in ERROR_PREFIXES {
            assert!(is_error(prefix), "{}", prefix.escape_ascii());
            assert!(!is_error(&prefix[1..]) && !is_error(&prefix[..prefix.len() - 1]));
        }
        assert!(!is_error(b"") && !is_error(b"LAUNCH snlua main"));
    }
}
