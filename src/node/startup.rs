//! A node whose first service cannot start.
//!
//! Two services count as first: the one that the config names (`bootstrap`), and the application's (`start`), which the
//! former launches when the services that every node has are up. A service that cannot start says so with the text "ERROR"
//! to `.launcher` and ends; the launcher answers the service that wanted it. Of the config's no service hears, as there is
//! no launcher; the application's is reported by the command STARTUP.
//!
//! What is left then serves no purpose, unless other services were started. It is given a moment, for a program that
//! launches services from threads of its own, and for the last lines of the log; then the process ends with status 1.

use crate::actor::service;
use crate::base::log;
use crate::node::shutdown;
use parking_lot::Mutex;
use std::ffi::CStr;
use std::thread::Builder;
use std::time::Duration;

/// How long a node without anything to do is left alone.
const GRACE: Duration = Duration::from_secs(2);

/// Of the thread that looks: a node that cannot start for want of memory has little left.
const STACK: usize = 128 * 1024;

struct State {
    /// The config's first service; 0 before it is there.
    first: u32,
    /// It has ended its script without a callback: it is there, and does nothing.
    first_has_no_callback: bool,
    /// Services that do not keep the node running.
    common: Vec<u32>,
    /// A failure is being looked at.
    failed: bool,
}

static STATE: Mutex<State> = Mutex::new(State {
    first: 0,
    first_has_no_callback: false,
    common: Vec::new(),
    failed: false,
});

/// The log service runs, and nothing else so far.
pub fn before_first() {
    service::on_start_failed(start_failed);
    service::on_ended_without_callback(ended_without_callback);
    let mut state = STATE.lock();
    state.first = 0;
    state.first_has_no_callback = false;
    state.failed = false;
    state.common = service::all();
}

/// The config's first service has been launched.
pub fn first_is(service: u32) {
    STATE.lock().first = service;
}

/// A service says that it cannot start, and there is no launcher.
fn start_failed(source: u32) {
    let is_first = {
        let state = STATE.lock();
        state.first != 0 && state.first == source
    };
    if is_first {
        failed("the first service (config key \"bootstrap\")".into());
    }
}

/// The script of a service has ended, and no message will ever reach it. If that was the first one, with a loader or a
/// bootstrap that does nothing, nothing else comes either.
fn ended_without_callback(service: u32) {
    {
        let mut state = STATE.lock();
        if state.first == 0 || state.first != service {
            return;
        }
        state.first_has_no_callback = true;
    }
    failed("the first service (config keys \"bootstrap\", \"lualoader\")".into());
}

/// The command STARTUP: `begins` when the services that every node has run, `failed NAME` if what comes next could not start.
pub fn command(text: &CStr) {
    let text = text.to_string_lossy();
    match text.split_once(' ') {
        Some(("failed", name)) => failed(name.into()),
        _ if text == "begins" => STATE.lock().common = service::all(),
        _ => {}
    }
}

/// Looks a moment later at what is left.
fn failed(who: String) {
    if std::mem::replace(&mut STATE.lock().failed, true) {
        return;
    }
    let name = who.clone();
    let spawned = Builder::new()
        .name("startup".into())
        .stack_size(STACK)
        .spawn(move || look(&name));
    if spawned.is_err() {
        // No memory for a thread: this worker waits, which is better than a node that idles for ever.
        look(&who);
    }
}

/// Ends the process if nothing but the common services runs.
fn look(who: &str) {
    std::thread::sleep(GRACE);
    let (others, mute) = {
        let state = STATE.lock();
        let mute = state.first_has_no_callback;
        let mut all = service::all();
        all.retain(|service| !(state.common.contains(service) || mute && *service == state.first));
        (all.len(), mute)
    };
    if others == 0 {
        log::error_fmt(
            0,
            format_args!(
                "error: {who} could not start, and no other service runs: the process ends with status 1"
            ),
        );
        shutdown::give_up();
    } else if !mute {
        // A mute one may have done all that it was for.
        log::error_fmt(
            0,
            format_args!(
                "error: {who} could not start; the node goes on, as other services run ({others} besides those that every node has)"
            ),
        );
    }
}
