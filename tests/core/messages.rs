//! Messages between services: shape, order, sessions, ownership, failures.

use crate::node::{Setup, ours};

fn facts(role: &str) -> Vec<String> {
    Setup::new(&format!("messages {role}")).start().facts()
}

#[test]
fn type_is_one_byte_and_data_arrives_as_sent() {
    assert_eq!(
        facts("shapes"),
        [
            "send 5",
            "send 0",
            "send 0",
            "send -7",
            "send 1",
            "send 2",
            "send 9",
            "type 0 session 5 source 2 size 6 <copied>",
            "type 10 session 0 source 2 size 3 <own>",
            "type 52 session 0 source 77 null size 0",
            "type 255 session -7 source 2 size 0 <>",
            "type 0 session 1 source 2 size 1 <x>",
            "type 0 session 2 source 2 size 1 <y>",
            "type 99 session 9 source 55 size 1 <z>",
        ]
    );
}

#[test]
fn copies_end_with_a_nul() {
    assert_eq!(
        facts("terminated"),
        ["byte after the end 0", "byte after the end 0"]
    );
}

#[test]
fn sessions_count_by_one_for_each_service() {
    assert_eq!(
        facts("sessions"),
        [
            "genid 1",
            "send 2",
            "timeout 3",
            "genid 4",
            "dead -1",
            "genid 6",
            "given 77",
            "other genid 1",
            "launched 1"
        ]
    );
}

#[test]
fn services_whose_mail_never_ends_all_get_on_also_more_than_a_run_queue_takes() {
    let node = Setup::new("messages crowd").line("thread = 1").start();
    assert_eq!(node.facts(), ["far ahead 0"]);
}

#[test]
fn failed_sends_have_a_code_and_a_log_line() {
    let node = Setup::new("messages failures").start();
    assert_eq!(
        node.facts(),
        [
            "to nobody -1",
            "to nobody, own -1",
            "to the dead -1",
            "to the dead by name -1",
            "to an unknown name -1",
            "too large -2",
            "too large, own -2",
            "too large by name -2",
        ]
    );
    let text = node.stdout();
    assert_eq!(
        text.matches("error: Destination address can't be 0\n")
            .count(),
        2
    );
    assert_eq!(
        text.matches("error: The message to 2 is too large\n")
            .count(),
        2
    );
    assert_eq!(
        text.matches("error: The message to global is too large\n")
            .count(),
        1
    );
}

#[test]
fn given_data_is_freed_on_every_failure() {
    assert_eq!(facts("consumed"), ["kept less than 200 MiB 1"]);
}

#[test]
fn messages_to_a_service_without_callback_are_freed() {
    assert_eq!(facts("without_callback"), ["kept less than 200 MiB 1"]);
}

#[test]
fn a_callback_that_answers_nonzero_keeps_the_message() {
    assert_eq!(facts("keep"), ["kept <the first>"]);
}

#[test]
fn callbacks_never_overlap_and_each_senders_order_holds() {
    let facts = Setup::new("messages fan_in")
        .line("thread = 4")
        .start()
        .facts();
    assert_eq!(facts, ["misordered 0 overlapped 0"]);
}

#[test]
fn overload_is_reported_above_1024_and_again_after_the_queue_was_empty() {
    let warnings = |size: u32| {
        let node = Setup::new(&format!("messages flood {size}")).start();
        let warning = "error: May overload, message queue length = ";
        let log = node.log();
        log.iter()
            .filter_map(|l| l.split_once(warning))
            .map(|(_, n)| n.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(warnings(1025), Vec::<String>::new());
    assert_eq!(warnings(1026), ["1025", "1025"]);
    assert_eq!(warnings(3000), ["2999", "2999"]);
}

#[test]
fn the_current_handle_is_the_services_own() {
    let facts = Setup::new("messages who")
        .line("harbor = 5")
        .start()
        .facts();
    assert_eq!(
        facts,
        [
            "init ffffffff",
            "remote 0 harbor 5",
            "remote 1 harbor 7",
            "remote 0",
            "self :5000002",
            "callback 5000002 data given",
        ]
    );
}

#[test]
fn misuse_fails_the_call_and_spares_the_node() {
    if ours() {
        let node = Setup::new("messages misuse").start();
        assert_eq!(
            node.facts(),
            [
                "session twice 1",
                "remote 1",
                "remote name 1",
                "remote system 1",
                "TIMEOUT <1>",
                "LAUNCH <(null)>",
                "KILL <(null)>",
                "QUERY <(null)>",
                "NAME <(null)>",
                "GETENV <(null)>",
                "SETENV <(null)>",
                "STAT <>",
                "LOGON <(null)>",
                "LOGOFF <(null)>",
                "SIGNAL <(null)>",
            ]
        );
        // Each is reported, with its caller as the source.
        let reports = node
            .log()
            .iter()
            .filter(|l| l.starts_with("[:00000002] error: "))
            .count();
        assert!(reports >= 4, "{}", node.stdout());
    }
}
