//! What the log service asks of the node, and tells it.

use std::ffi::{CStr, CString};

use skynet_sys::{Context, skynet_command};

/// Whether messages wait in the mailbox of the service.
///
/// # Safety
/// `context` is the service whose callback runs on this thread.
pub unsafe fn waiting(context: *mut Context) -> bool {
    // SAFETY: contract of this function; the answer is a C string that lives until the next command.
    unsafe {
        let answer = skynet_command(context, c"STAT".as_ptr(), c"mqlen".as_ptr());
        // A number in decimal digits: it is asked for each line, so only its first one is read.
        !answer.is_null() && (b'1'..=b'9').contains(&answer.cast::<u8>().read())
    }
}

/// A value of the config.
///
/// # Safety
/// `context` is the service whose code runs on this thread.
pub unsafe fn config(context: *mut Context, key: &CStr) -> Option<String> {
    // SAFETY: contract of this function; the answer is null or a C string.
    unsafe {
        let answer = skynet_command(context, c"GETENV".as_ptr(), key.as_ptr());
        (!answer.is_null()).then(|| CStr::from_ptr(answer).to_string_lossy().into_owned())
    }
}

/// Tells the core of lines that could not be written, for its figures.
///
/// # Safety
/// `context` is the service whose callback runs on this thread.
#[cold]
pub unsafe fn tell_lost(context: *mut Context, lines: usize) {
    // Digits have no NUL.
    if let Ok(number) = CString::new(lines.to_string()) {
        // SAFETY: contract of this function; the C core does not know the command, and answers nothing either.
        unsafe { skynet_command(context, c"LOGLOST".as_ptr(), number.as_ptr()) };
    }
}
