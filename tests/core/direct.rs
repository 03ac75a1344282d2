//! The functions below `skynet.h` that C services also call.

use crate::node::{Setup, ours};

fn facts(role: &str) -> Vec<String> {
    Setup::new(&format!("direct {role}")).start().facts()
}

#[test]
fn contexts_are_counted_until_the_last_reference_is_gone() {
    assert_eq!(
        facts("contexts"),
        [
            "handle 2",
            "session 1",
            "session 2",
            "new 3, 1 more",
            "new without a module 0",
            "grab 3",
            "retire 1",
            "retire 0",
            "grab of the dead 0",
            "push 0",
            "push to the dead -1",
            "type 3 session 8 source 77 <pushed>",
            "released",
            "type 1 session 9 source 66 <sent>",
        ]
    );
}

#[test]
fn a_harbor_service_that_another_replaces_is_counted_once() {
    // The C core keeps the first one for ever and counts each start.
    if !ours() {
        return;
    }
    assert_eq!(facts("harbors"), ["0 more", "0 more", "retire 1", "0 more"]);
}

#[test]
fn names_are_found_whatever_their_order() {
    assert_eq!(
        facts("names"),
        [
            "name direct",
            "name (null)",
            "find 2",
            "find 0",
            "find 1",
            "wrong 0",
            "env direct (null)"
        ]
    );
}

#[test]
fn a_mailbox_of_ones_own_is_a_queue() {
    assert_eq!(
        facts("mailbox"),
        [
            "handle 1234 length 0",
            "length 1500 overload 0",
            "overload 1499",
            "overload 0",
            "overload 0",
            "wrong 0 empty 1"
        ]
    );
}

#[test]
fn timers_can_be_set_for_any_handle_and_session() {
    assert_eq!(
        facts("timer"),
        [
            "timeout 5",
            "timeout 9",
            "timeout of the dead -1",
            "starttime 1",
            "thread time 1",
            "type 1 session 5 source 0 <>",
            "type 1 session 9 source 0 <>",
        ]
    );
}

#[test]
fn memory_is_accounted_to_the_service_that_uses_it() {
    let node = Setup::new("direct memory").start();
    assert_eq!(
        node.facts(),
        [
            "grown 20",
            "grown in all 20",
            "blocks 1",
            "kept 10",
            "left 0",
            "content grown",
            "null 1"
        ]
    );
    node.wait_stderr("[:00000002] between 0x");
    let log = node.stdout();
    assert!(
        log.contains("[:00000000] dump all service mem:\n[:00000000] :0"),
        "{log}"
    );
    assert!(log.contains("[:00000000] :00000002 -> "), "{log}");
    let total = node.wait_for("a total", |line| {
        line.strip_prefix("+total: ")?
            .strip_suffix("kb")?
            .parse::<u64>()
            .ok()
    });
    assert!(total > 0);
}
