//! TIMEOUT and the clock.

use crate::node::Setup;

fn facts(role: &str) -> Vec<String> {
    Setup::new(&format!("timers {role}")).start().facts()
}

#[test]
fn a_wait_of_nothing_is_queued_behind_the_mail() {
    assert_eq!(
        facts("at_once"),
        [
            "type 0 session 100 source 2 null 0",
            "type 1 session 1 source 0 null 0",
            "type 1 session 2 source 0 null 0",
            "type 1 session 3 source 0 null 0",
            "type 0 session 101 source 2 null 0",
        ]
    );
}

#[test]
fn a_timer_message_is_a_response_of_nobody() {
    assert_eq!(facts("one"), ["type 1 session 1 source 0 null 0"]);
}

#[test]
fn timers_fire_once_in_order_and_not_early() {
    assert_eq!(facts("many"), ["early 0 misordered 0 twice 0"]);
}

#[test]
fn timers_of_one_tick_fire_in_the_order_of_their_creation() {
    assert_eq!(facts("same"), ["misordered 0"]);
}

#[test]
fn the_clock_counts_hundredths_of_a_second() {
    assert_eq!(facts("ticks"), ["a second has a hundred ticks 1"]);
}

#[test]
fn a_timer_of_a_dead_service_is_forgotten() {
    assert_eq!(facts("dead"), ["type 1 session 1 source 0 null 0"]);
}

#[test]
fn a_service_whose_mail_never_ends_does_not_keep_others_from_their_timers() {
    let node = Setup::new("timers beside").line("thread = 1").start();
    assert_eq!(node.facts(), ["starved 0"]);
}
