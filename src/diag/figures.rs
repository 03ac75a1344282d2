//! What the node tells of itself in numbers (commands METRICS and SERVICES).

use crate::actor::service;
use crate::base::clock;
use crate::io::{socket, timer};
use parking_lot::Mutex;
use std::fmt::Write as _;

/// A thread of the node and its CPU clock.
struct Thread {
    name: String,
    clock: libc::clockid_t,
}

static THREADS: Mutex<Vec<Thread>> = Mutex::new(Vec::new());

/// Lets the figures show the CPU time of a thread that runs now.
pub fn watch_thread(name: &str, thread: libc::pthread_t) {
    let mut clock = 0;
    // SAFETY: the caller has started the thread and not joined it; `clock` is writable.
    if unsafe { libc::pthread_getcpuclockid(thread, &mut clock) } == 0 {
        let name = name.replace(' ', "_");
        THREADS.lock().push(Thread { name, clock });
    }
}

/// The threads end.
pub fn forget_threads() {
    THREADS.lock().clear();
}

fn cpu_seconds(clock: libc::clockid_t) -> Option<f64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the place is writable; a thread that has ended is an error.
    let status = unsafe { libc::clock_gettime(clock, &mut time) };
    (status == 0).then(|| time.tv_sec as f64 + time.tv_nsec as f64 / 1e9)
}

/// The node's figures: a line with name and value for each ("docs/commands.md", METRICS).
pub fn node() -> String {
    let services = service::figures();
    let sockets = socket::server().map_or_else(Default::default, |s| s.figures());
    let (lines, errors) = service::log_counts();
    let whole = [
        ("start_time", clock::start_time().into()),
        ("services", services.live),
        ("services_started", services.started),
        ("messages", services.messages),
        ("messages_waiting", services.waiting),
        ("mailbox_largest", services.largest),
        ("messages_undelivered", services.undelivered),
        ("messages_rejected", services.rejected),
        ("messages_dropped", services.dropped),
        ("timers", timer::pending() as u64),
        ("sockets", sockets.sockets as u64),
        ("socket_read_bytes", sockets.read),
        ("socket_written_bytes", sockets.written),
        ("socket_accepted", sockets.accepted),
        ("socket_queued_bytes", sockets.queued as u64),
        ("socket_write_limit_closed", sockets.overflows),
        ("socket_datagrams_dropped", sockets.dropped),
        ("log_lines", lines),
        ("log_lines_lost", service::waiting::lost()),
        ("errors", errors),
    ];
    let mut text = String::with_capacity(1024);
    for (name, value) in whole {
        let _ = writeln!(text, "{name} {value}");
    }
    let _ = writeln!(text, "cpu {:.6}", services.cpu_micros as f64 / 1e6);
    for thread in THREADS.lock().iter() {
        if let Some(seconds) = cpu_seconds(thread.clock) {
            let _ = writeln!(text, "thread_{} {seconds:.6}", thread.name);
        }
    }
    text
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_shown_while_it_lives() {
        // SAFETY: the calling thread runs.
        watch_thread("figures test", unsafe { libc::pthread_self() });
        let text = node();
        let line = text.lines().find(|l| l.starts_with("thread_figures_test "));
        assert!(line.is_some_and(|l| l.split(' ').nth(1).unwrap().parse::<f64>().is_ok()));
    }
}
