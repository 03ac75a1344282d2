//! The error log: lines sent to the service named `logger`; and the message log of single services ([`record`]).

pub mod record;

use crate::message::{Message, ptype};
use crate::{handle, memory, service};
use libc::c_void;
use std::fmt;

/// Sends `text` to the service named `logger` on behalf of `source` (0: the core itself). Dropped while there is none.
pub fn error(source: u32, text: &[u8]) {
    if !wanted() {
        return;
    }
    // SAFETY: the block has room for the text and the NUL that readers of C strings expect behind it.
    memory::uncharged(|| unsafe {
        let block = libc::malloc(text.len() + 1).cast::<u8>();
        if block.is_null() {
            return;
        }
        block.copy_from_nonoverlapping(text.as_ptr(), text.len());
        *block.add(text.len()) = 0;
        deliver(source, block.cast(), text.len());
    });
}

/// [`error`] with formatting: `error_fmt(0, format_args!("LAUNCH {name}"))`.
pub fn error_fmt(source: u32, text: fmt::Arguments<'_>) {
    if wanted() {
        match text.as_str() {
            Some(literal) => error(source, literal.as_bytes()),
            None => error(source, text.to_string().as_bytes()),
        }
    }
}

/// Whether there is somebody to read a line.
pub fn wanted() -> bool {
    handle::find_name(c"logger") != 0
}

/// Sends a line that is already in a block of its own.
///
/// # Safety
/// `text` is a block of the C allocator with at least `len` bytes. It is taken over, also when nobody reads the line.
pub unsafe fn post(source: u32, text: *mut c_void, len: usize) {
    // SAFETY: contract of this function.
    unsafe {
        memory::block_sent(text);
        memory::uncharged(|| deliver(source, text, len));
    }
}

/// # Safety
/// As [`post`].
unsafe fn deliver(source: u32, text: *mut c_void, len: usize) {
    let logger = handle::find_name(c"logger");
    let message = Message::with_data(source, ptype::TEXT, 0, text, len);
    if logger == 0 || !service::push(logger, message) {
        // SAFETY: the message was not delivered, so the block is still ours.
        unsafe { libc::free(text) };
    }
}
