//! When a service ends the process by `exit` (`os.exit`, a C library that gives up), the lines that say why wait for the log
//! service at that moment: they are written first.

use crate::actor::service;
use crate::base::{log, panic};
use crate::io::socket;
use crate::scheduler;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
use std::thread::Builder;
use std::time::Duration;

/// How long the log service may take for a line, and for all.
const FOR_ONE: Duration = Duration::from_millis(200);
const FOR_ALL: Duration = Duration::from_secs(2);

/// The process that runs a node; 0 is none.
static NODE: AtomicI32 = AtomicI32::new(0);

fn this_process() -> i32 {
    // SAFETY: no precondition.
    unsafe { libc::getpid() }
}

/// From now on this process is a node.
pub fn node_begins() {
    if NODE.swap(this_process(), Relaxed) == 0 {
        // SAFETY: the function may be called at any later time.
        unsafe { libc::atexit(write_log) };
    }
}

/// The node has ended: nothing waits for the log any more.
pub fn node_has_ended() {
    NODE.store(0, Relaxed);
}

/// Whether the calling thread is the node's only worker, in a callback of another service than that of the log.
fn is_only_worker() -> bool {
    let on_turn = service::on_turn();
    scheduler::has_one_worker() && on_turn != 0 && on_turn != log::reader()
}

extern "C" fn write_log() {
    // A forked child has none of the node's threads.
    if NODE.load(Relaxed) != this_process() {
        return;
    }
    socket::uncork_all();
    let alone = is_only_worker();
    let write = move || {
        if alone {
            // SAFETY: the only worker is in a callback of another service, where it waits for this thread.
            unsafe { service::drain_logger() };
        } else {
            service::await_logger(FOR_ONE, FOR_ALL);
        }
    };
    // `exit` has run the destructors of the calling thread's variables already, so this needs a thread that has some.
    let body = move || panic::thread(write);
    if let Ok(waiting) = Builder::new().name("log".into()).spawn(body) {
        let _ = waiting.join();
    }
}
