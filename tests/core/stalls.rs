//! A thread that the system does not run delays what it is at, and nothing else. A handler stops one for as long as it takes to
//! see that timers, wake-ups and sockets go on without it.

use std::os::unix::process::ExitStatusExt;

use crate::node::{Setup, ours};

fn goes_on(scenario: &str, threads: &[u32]) {
    if !ours() {
        // The threads are found by their names.
        return;
    }
    for threads in threads {
        let node = Setup::new(&format!("stall stops {scenario}"))
            .line(&format!("thread = {threads}"))
            .start();
        assert_eq!(node.facts(), ["all went on"], "{threads} workers");
    }
}

#[test]
fn nothing_waits_for_a_worker_that_stops_in_its_sleep() {
    goes_on("asleep", &[2, 3]);
}

#[test]
fn nothing_waits_for_a_worker_that_stops_in_a_message() {
    goes_on("in_turn", &[2, 3]);
}

#[test]
fn nothing_waits_for_a_worker_that_stops_while_it_watches_another() {
    goes_on("watching", &[3]);
}

#[test]
fn nothing_waits_for_a_worker_that_stops_while_it_polls_the_sockets() {
    goes_on("polling", &[2, 3]);
}

#[test]
fn nothing_waits_for_a_worker_that_stops_anywhere_under_load() {
    goes_on("busy", &[2, 3]);
}

#[test]
fn nothing_waits_for_the_socket_thread_that_stops_in_its_wait() {
    goes_on("sockets", &[2, 3]);
}

#[test]
fn nothing_waits_for_the_timer_thread_or_the_monitor_thread() {
    goes_on("others", &[2]);
}

#[test]
fn timers_of_a_service_keep_their_order_when_the_threads_stop_that_deliver_them() {
    goes_on("delivering", &[2, 3]);
}

#[test]
fn a_signal_ends_the_process_also_while_a_thread_has_stopped() {
    if !ours() {
        return;
    }
    for thread in ["timer", "monitor"] {
        let node = Setup::new(&format!("stall stops ends_without_{thread}"))
            .line("thread = 2")
            .start();
        let ended = node.exit();
        assert_eq!(ended.status.signal(), Some(libc::SIGTERM), "{ended:?}");
    }
}
