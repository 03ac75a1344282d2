//! Signals of the node: SIGHUP tells the service named `logger` to open its file again, SIGTERM and SIGINT end the node
//! ([`super::shutdown`]), SIGPIPE is ignored. [`crate::diag::crash`] has those of a crash; all others keep their default
//! action.
//!
//! A handler only notes the signal and wakes the timer thread and the monitor thread; the first of them passes it on, so that neither
//! depends on the other.

use crate::actor::service;
use crate::base::message::{Message, ptype};
use crate::base::{clock, log};
use crate::io::timer;
use crate::scheduler::watchdog;
use libc::c_int;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

static HANGUP: AtomicBool = AtomicBool::new(false);
/// The first signal that ends the node, until a thread has seen it.
static END: AtomicI32 = AtomicI32::new(0);
/// When it came, in nanoseconds of the monotonic clock.
static END_AT: AtomicU64 = AtomicU64::new(0);
/// The process that has the handlers; one that it forks does not get what comes to a timer thread.
static PROCESS: AtomicI32 = AtomicI32::new(0);

/// The signals that end a node.
const ENDS: [c_int; 2] = [libc::SIGTERM, libc::SIGINT];
/// What comes so soon after the first is the same order: `timeout` and terminals signal a process and its group.
const SAME_ORDER: u64 = 100_000_000;

/// Wakes those that pass signals on. Done in signal handlers.
fn wake() {
    timer::wake();
    watchdog::MONITOR.ring();
}

extern "C" fn on_hangup(_signal: c_int) {
    HANGUP.store(true, Ordering::Release);
    wake();
}

extern "C" fn on_end(signal: c_int) {
    // SAFETY: no precondition.
    if PROCESS.load(Ordering::Relaxed) != unsafe { libc::getpid() } {
        die(signal);
    }
    let now = clock::monotonic_nanos();
    match END_AT.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed) {
        Ok(_) => {
            END.store(signal, Ordering::Release);
            wake();
        }
        Err(first) if now.saturating_sub(first) < SAME_ORDER => {}
        Err(_) => die(signal),
    }
}

fn install(signal: c_int, handler: libc::sighandler_t, flags: c_int) {
    // SAFETY: a zeroed sigaction is valid, and the handler does what a signal handler may do.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = flags;
        libc::sigfillset(&mut action.sa_mask);
        libc::sigaction(signal, &action, std::ptr::null_mut());
    }
}

fn current(signal: c_int) -> libc::sighandler_t {
    // SAFETY: a zeroed sigaction is valid; with no new action the call only reads.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &mut action);
        action.sa_sigaction
    }
}

/// Ends the process by `signal`, as its default action does. May be called in a signal handler.
pub fn die(signal: c_int) -> ! {
    install(signal, libc::SIG_DFL, 0);
    // SAFETY: a set on the stack; the signal is sent to this thread.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut());
        libc::raise(signal);
        // The first process of a container is spared by its own signals: the status that a shell would show for it.
        libc::_exit(128 + signal)
    }
}

/// Lets SIGHUP reach the service named `logger`.
pub fn handle_hangup() {
    let handler: extern "C" fn(c_int) = on_hangup;
    install(
        libc::SIGHUP,
        handler as libc::sighandler_t,
        libc::SA_RESTART,
    );
}

/// From now on SIGTERM and SIGINT are orders to [`super::shutdown`], unless they are handled or ignored already.
pub fn handle_ends() {
    // SAFETY: no precondition.
    PROCESS.store(unsafe { libc::getpid() }, Ordering::Relaxed);
    let handler: extern "C" fn(c_int) = on_end;
    for signal in ENDS {
        if current(signal) == libc::SIG_DFL {
            install(signal, handler as libc::sighandler_t, libc::SA_RESTART);
        }
    }
}

/// No thread is left that passes them on: SIGTERM and SIGINT have their default action again, also the one that came too late to be seen.
pub fn release_ends() {
    let handler: extern "C" fn(c_int) = on_end;
    for signal in ENDS {
        if current(signal) == handler as libc::sighandler_t {
            install(signal, libc::SIG_DFL, 0);
        }
    }
    let missed = END.swap(0, Ordering::AcqRel);
    if missed != 0 {
        die(missed);
    }
}

/// Ignores SIGPIPE: a write to a closed socket is an error, not the end.
pub fn ignore_pipe() {
    install(libc::SIGPIPE, libc::SIG_IGN, 0);
}

/// Timer thread, monitor thread: passes on what has come in, SIGTERM and SIGINT to `end`.
pub fn deliver(end: fn(c_int)) {
    if HANGUP.swap(false, Ordering::AcqRel) {
        let logger = log::reader();
        if logger != 0 {
            let _ = service::push(logger, Message::empty(0, ptype::SYSTEM, 0));
        }
    }
    let signal = END.swap(0, Ordering::AcqRel);
    if signal != 0 {
        end(signal);
    }
}
