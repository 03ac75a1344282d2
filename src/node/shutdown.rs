//! The orderly end of a node: services that asked for it are told, and the node ends when the last of them has finished
//! what it has to do, or when the time for that is over.
//!
//! It begins with SIGTERM or SIGINT, or with the command SHUTDOWN. A thread of its own conducts it: a worker or the timer
//! thread must not wait, and services need both until the end. Where no thread can be made, the monitor thread does.
//!
//! A signal that finds a node in which no service asked and no time is configured ends the process by that signal, as
//! ever; only the lines that the log service has not read yet are written first.
//!
//! Invariant: `awaited` holds live services only. A thread that enters one looks afterwards whether it has been retired;
//! one that retires a service calls [`forget`] afterwards. Both are sequentially consistent, so at least one of them sees
//! the other.

use crate::actor::service;
use crate::base::message::{Message, ptype};
use crate::base::{env, log, panic};
use crate::node::signals;
use crate::scheduler::{self, watchdog};
#[cfg(feature = "lua")]
use crate::services::builtin::snlua::debugger;
use libc::c_int;
use parking_lot::{Condvar, Mutex};
use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Config key: seconds that services have to finish; 0 leaves the signals alone.
const GRACE_KEY: &CStr = c"shutdown_grace";
const GRACE: Duration = Duration::from_secs(10);
/// What a service that asked is sent, with the type SYSTEM and no source.
const NOTICE: &CStr = c"shutdown";
/// A process that ends without any order waits so long for its log at most.
const LOG_PATIENCE: Duration = Duration::from_secs(2);
/// Services that do not return from a callback hold up the end for so long.
const ABORT_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Runs,
    /// Services are told and awaited.
    Ends,
    /// No service is told any more.
    Over,
}

struct State {
    phase: Phase,
    /// Services that want to be told.
    asked: Vec<u32>,
    /// Services that have been told, or are about to be, and have not finished.
    awaited: Vec<u32>,
}

static STATE: Mutex<State> = Mutex::new(State {
    phase: Phase::Runs,
    asked: Vec::new(),
    awaited: Vec::new(),
});
static CHANGED: Condvar = Condvar::new();
/// Entries in both lists: the death of a service costs a look at this.
static ENTRIES: AtomicUsize = AtomicUsize::new(0);
/// The signal that ends the node in order; 0 for a command.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
/// How the process ends when the node has: 0 well, else by that signal, or with status 1 for [`BY_STATUS`].
static OUTCOME: AtomicI32 = AtomicI32::new(0);
const BY_STATUS: i32 = -1;

impl State {
    fn count(&self) {
        ENTRIES.store(self.asked.len() + self.awaited.len(), Ordering::SeqCst);
    }

    fn drop_awaited(&mut self, handle: u32) {
        self.awaited.retain(|&h| h != handle);
        self.count();
        if self.awaited.is_empty() {
            CHANGED.notify_all();
        }
    }
}

/// The config's time for services to finish; `None` if there is none.
fn configured() -> Option<Duration> {
    let text = env::get(GRACE_KEY)?;
    let seconds = text.to_str().ok().and_then(|text| text.trim().parse().ok());
    match seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()) {
        Some(grace) => Some(grace),
        None => {
            let text = text.to_string_lossy();
            log::error_fmt(
                0,
                format_args!("error: shutdown_grace = {text} is no number of seconds, 10 is used"),
            );
            Some(GRACE)
        }
    }
}

/// At start, when the threads are about to run: from now on signals come here.
pub fn watch_signals() {
    if configured() != Some(Duration::ZERO) {
        signals::handle_ends();
    }
}

/// `handle` wants to be told when the node ends; at once if it ends already. False if that is too late.
pub fn ask(handle: u32) -> bool {
    service::on_retired(forget);
    let mut state = STATE.lock();
    if state.phase == Phase::Over {
        return false;
    }
    if !state.asked.contains(&handle) {
        state.asked.push(handle);
    }
    let tell_now = state.phase == Phase::Ends;
    if tell_now && !state.awaited.contains(&handle) {
        state.awaited.push(handle);
    }
    state.count();
    drop(state);
    if tell_now {
        tell(handle);
    }
    true
}

/// `handle` does not want to be told any more, or is gone.
pub fn decline(handle: u32) {
    let mut state = STATE.lock();
    state.asked.retain(|&h| h != handle);
    state.drop_awaited(handle);
}

/// `handle` has done what it had to do.
pub fn finished(handle: u32) {
    STATE.lock().drop_awaited(handle);
}

/// A service has been retired.
pub fn forget(handle: u32) {
    if ENTRIES.load(Ordering::SeqCst) != 0 {
        decline(handle);
    }
}

/// How many services have not finished yet; `None` while the node does not end.
pub fn awaited() -> Option<usize> {
    let state = STATE.lock();
    (state.phase != Phase::Runs).then_some(state.awaited.len())
}

fn tell(handle: u32) {
    let size = NOTICE.to_bytes().len();
    // SAFETY: a copy of the text, with its NUL, in a block of the C allocator.
    let text = unsafe { libc::strdup(NOTICE.as_ptr()) };
    let size = if text.is_null() { 0 } else { size };
    let message = Message::with_data(0, ptype::SYSTEM, 0, text.cast(), size);
    if !service::send_to(handle, message) {
        decline(handle);
    }
}

/// Begins the orderly end, unless it has begun already.
pub fn begin() {
    if start() {
        conduct_in_thread(|| conduct(0));
    }
}

/// The first SIGTERM or SIGINT. Waits for nothing that takes long.
pub fn on_signal(signal: c_int) {
    SIGNAL.store(signal, Ordering::Relaxed);
    let plain = {
        let mut state = STATE.lock();
        let plain =
            state.phase == Phase::Runs && state.asked.is_empty() && env::get(GRACE_KEY).is_none();
        if plain {
            state.phase = Phase::Over;
        }
        plain
    };
    if plain {
        conduct_in_thread(move || {
            write_log();
            signals::die(signal);
        });
    } else if start() {
        conduct_in_thread(move || conduct(signal));
    }
}

fn start() -> bool {
    let mut state = STATE.lock();
    if state.phase != Phase::Runs {
        return false;
    }
    state.phase = Phase::Ends;
    state.awaited = state.asked.clone();
    state.count();
    true
}

/// What conducts the end, until it is taken by the thread that does.
type Conduct = Box<dyn FnOnce() + Send>;
static UNCONDUCTED: Mutex<Option<Conduct>> = Mutex::new(None);
/// No thread could be made for it.
static STRANDED: AtomicBool = AtomicBool::new(false);

fn conduct_in_thread(body: impl FnOnce() + Send + 'static) {
    *UNCONDUCTED.lock() = Some(Box::new(body));
    let thread = Builder::new().name("shutdown".into()).spawn(conduct_here);
    if thread.is_err() {
        // The caller may be a worker, and a service that it has to run be awaited.
        STRANDED.store(true, Ordering::SeqCst);
        watchdog::MONITOR.ring();
    }
}

/// The monitor thread: conducts the end itself if no other thread could be made for it.
pub fn conduct_if_stranded() {
    if STRANDED.swap(false, Ordering::SeqCst) {
        conduct_here();
    }
}

fn conduct_here() {
    let body = UNCONDUCTED.lock().take();
    if let Some(body) = body {
        panic::thread(body);
    }
}

/// Lets the log service read what waits for it, in a thread of its own: a disk may not answer.
fn write_log() {
    let (done, wait) = mpsc::channel();
    let body = move || {
        panic::thread(service::end_logger);
        let _ = done.send(());
    };
    if Builder::new().name("log".into()).spawn(body).is_ok() {
        let _ = wait.recv_timeout(LOG_PATIENCE);
    }
}

/// Tells, waits, aborts.
fn conduct(signal: c_int) {
    #[cfg(feature = "lua")]
    debugger::begin_end();
    let grace = configured().unwrap_or(GRACE);
    let told = STATE.lock().awaited.clone();
    let by = match signal {
        0 => String::from("by command"),
        number => format!("by signal {number}"),
    };
    log::error_fmt(
        0,
        format_args!(
            "shutdown: {by}, services to wait for: {}, up to {:?}",
            told.len(),
            grace
        ),
    );
    for &handle in &told {
        tell(handle);
    }
    let deadline = Instant::now().checked_add(grace);
    let late = {
        let mut state = STATE.lock();
        while !state.awaited.is_empty() {
            let over = match deadline {
                Some(deadline) => CHANGED.wait_until(&mut state, deadline).timed_out(),
                None => {
                    CHANGED.wait(&mut state);
                    false
                }
            };
            if over {
                break;
            }
        }
        state.phase = Phase::Over;
        state.awaited.clone()
    };
    if !late.is_empty() {
        let names: Vec<String> = late.iter().map(|&h| service::describe(h)).collect();
        log::error_fmt(
            0,
            format_args!(
                "error: shutdown: not finished after {grace:?}: {}",
                names.join(", ")
            ),
        );
        OUTCOME.store(failure(), Ordering::Relaxed);
    }
    service::abort_all();
    force();
}

/// The node is about to end because it cannot do its work: the process that started it shall see that.
pub fn ends_badly() {
    OUTCOME.store(BY_STATUS, Ordering::Relaxed);
}

/// Ends a node that cannot do its work; returns when it has ended, or ends the process.
pub fn give_up() {
    ends_badly();
    service::abort_all();
    force();
}

/// The way to end when not all has gone well: by the signal that gave the order, if one did.
fn failure() -> i32 {
    match SIGNAL.load(Ordering::Relaxed) {
        0 => BY_STATUS,
        signal => signal,
    }
}

/// The node ends by itself when its last service has returned; if one does not, the process ends without it.
fn force() {
    let deadline = Instant::now() + ABORT_PATIENCE;
    while !scheduler::has_ended() {
        if Instant::now() >= deadline {
            eprintln!("shutdown: a service does not return, the process ends without it");
            end_process(failure());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn end_process(outcome: i32) -> ! {
    if outcome > 0 {
        signals::die(outcome);
    }
    // SAFETY: ends the process without running anything of services that may still be in a callback.
    unsafe { libc::_exit(1) }
}

/// The node has ended: returns if all went well, else ends the process so that the process that started it can see that.
pub fn conclude() {
    signals::release_ends();
    let outcome = OUTCOME.load(Ordering::Relaxed);
    if outcome != 0 {
        // SAFETY: writes out what C services have buffered; none runs any more.
        unsafe { libc::fflush(std::ptr::null_mut()) };
        end_process(outcome);
    }
}
