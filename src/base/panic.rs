//! What becomes of a panic on a thread of the node: the end of the process, for what the thread was about to do would never
//! be done, and the mailbox that it was at would be busy for ever.
//!
//! Where it happened, the panic hook has written to the standard error before.

use std::any::Any;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// Writes the first line of the report of the crash that follows: name of the thread, what the panic said.
pub type Tell = fn(thread: &str, text: &str);

static TELL: OnceLock<Tell> = OnceLock::new();

/// The function that writes the line; without one it goes to the standard error. The first call counts.
pub fn tell_with(tell: Tell) {
    let _ = TELL.set(tell);
}

/// What the panic said.
pub fn message(payload: &(dyn Any + Send)) -> &str {
    match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "(no text)",
    }
}

/// Runs what a thread of the node is there for. A panic ends the process.
#[inline]
pub fn thread<T>(body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(payload) => end(&*payload),
    }
}

#[cold]
fn end(payload: &(dyn Any + Send)) -> ! {
    let current = std::thread::current();
    let (thread, text) = (current.name().unwrap_or("?"), message(payload));
    match TELL.get() {
        Some(tell) => tell(thread, text),
        None => {
            let line = format!("\ncrash: panic in thread {thread}: {text}\n");
            let _ = std::io::stderr().write_all(line.as_bytes());
        }
    }
    // The rest of the report comes from the handler of the signal, if there is one.
    std::process::abort()
}
