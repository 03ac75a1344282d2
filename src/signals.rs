//! Signals of the node: SIGHUP tells the service named `logger` to open its file again, SIGPIPE is ignored.
//! All others keep their default action.

use crate::message::{Message, ptype};
use crate::{handle, service, timer};
use std::sync::atomic::{AtomicBool, Ordering};

static HANGUP: AtomicBool = AtomicBool::new(false);

extern "C" fn on_hangup(_signal: libc::c_int) {
    HANGUP.store(true, Ordering::Release);
    timer::wake();
}

fn install(signal: libc::c_int, handler: libc::sighandler_t, flags: libc::c_int) {
    // SAFETY: a zeroed sigaction is valid, and the handler does what a signal handler may do.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigfillset(&mut action.sa_mask);
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

/// Lets SIGHUP reach the service named `logger`, by way of the timer thread.
pub fn handle_hangup() {
    let handler: extern "C" fn(libc::c_int) = on_hangup;
    install(
        libc::SIGHUP,
        handler as libc::sighandler_t,
        libc::SA_RESTART,
    );
}

/// Ignores SIGPIPE: a write to a closed socket is an error, not the end.
pub fn ignore_pipe() {
    install(libc::SIGPIPE, libc::SIG_IGN, 0);
}

/// Passes on what has come in. The timer thread's.
pub fn deliver() {
    if HANGUP.swap(false, Ordering::AcqRel) {
        let logger = handle::logger();
        if logger != 0 {
            let _ = service::push(logger, Message::empty(0, ptype::SYSTEM, 0));
        }
    }
}
