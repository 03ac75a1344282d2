//! Birth and death: init, EXIT, KILL, ABORT, handles, the monitor's notice.

use crate::node::{Setup, ours};

fn facts(role: &str) -> Vec<String> {
    Setup::new(&format!("life {role}")).start().facts()
}

#[test]
fn messages_wait_until_init_is_over() {
    assert_eq!(
        facts("held"),
        [
            "still in init",
            "got 1 <own>",
            "got 2 <second>",
            "got 3 <third>"
        ]
    );
}

#[test]
fn a_failed_init_bounces_the_mail_and_leaves_no_name() {
    let node = Setup::new("life failed_start").start();
    assert_eq!(
        node.facts(),
        [
            "launch (null)",
            "name (null)",
            "send -1",
            "type 7 session 41 source 3 null 0",
            "type 7 session 42 source 3 null 0",
        ]
    );
    assert!(
        node.stdout()
            .contains("[:00000003] error: launch life FAILED\n"),
        "{}",
        node.stdout()
    );
}

#[test]
fn a_service_that_leaves_in_init_was_launched() {
    let node = Setup::new("life leaves_in_init").start();
    assert_eq!(node.facts(), ["launch :00000003", "send -1"]);
    let log = node.stdout();
    let at = |line: &str| {
        log.find(line)
            .unwrap_or_else(|| panic!("no {line:?} in {log}"))
    };
    assert!(at("[:00000003] KILL self\n") < at("[:00000003] LAUNCH life exits\n"));
}

#[test]
fn kill_notifies_the_monitor_and_bounces_queued_mail() {
    let node = Setup::new("life killer").line("thread = 1").start();
    assert_eq!(
        node.facts(),
        [
            "name (null)",
            "send -1",
            "type 3 session 0 source 3 null 0",
            "type 7 session 11 source 3 null 0",
            "type 7 session 12 source 3 null 0",
            "type 7 session 13 source 3 null 0",
        ]
    );
    assert!(
        node.stdout().contains("[:00000002] KILL :3\n"),
        "{}",
        node.stdout()
    );
}

#[test]
fn each_message_to_a_leaving_service_is_received_bounced_or_refused_once() {
    for threads in ["thread = 1", "thread = 8"] {
        assert_eq!(
            Setup::new("life leaver").line(threads).start().facts(),
            ["sum 200 wrong 0"]
        );
    }
}

#[test]
fn handles_increase_and_carry_the_harbor() {
    assert_eq!(
        facts("handles"),
        ["first 2", "not increasing 0", "harbor of the last 0"]
    );
    let setup = Setup::new("life handles").line("harbor = 200");
    assert_eq!(
        setup.start().facts(),
        [
            "first c8000002",
            "not increasing 0",
            "harbor of the last c8"
        ]
    );
}

#[test]
fn abort_releases_every_service_and_ends_with_0() {
    let ended = Setup::new("life aborts").start().exit();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.stderr.matches("released\n").count(), 11, "{ended:?}");
}

#[test]
fn a_callback_that_runs_while_the_node_aborts_is_still_heard() {
    if !ours() {
        return;
    }
    let ended = Setup::new("life interrupts").start().exit();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert!(ended.stdout.contains("fact last words"), "{ended:?}");
}

#[test]
fn the_instance_is_released_after_a_kill() {
    let node = Setup::new("life released").start();
    node.wait_stderr("released\n");
}

#[test]
fn a_new_callback_gets_the_next_message() {
    assert_eq!(
        facts("swaps"),
        ["first 1 old", "second 2 new", "second 3 new"]
    );
}

#[test]
fn a_stuck_message_is_reported_and_stat_endless_clears_on_read() {
    let node = Setup::new("life endless").start();
    assert_eq!(node.facts(), ["endless 1", "endless 0"]);
    let report =
        "error: A message from [ :00000002 ] to [ :00000002 ] maybe in an endless loop (version = ";
    assert!(node.stdout().contains(report), "{}", node.stdout());
    if ours() {
        let more = "[:00000000] stuck: :00000002 (life endless) runs for ";
        let line = node.stdout();
        let line = line.lines().find(|line| line.starts_with(more));
        let line = line.expect("a line that says more");
        assert!(
            line.contains(", a message from :00000002, type 0 (text), session 0, 5 bytes; "),
            "{line}"
        );
        node.wait_line("stuck: the message that was reported has ended");
    }
}

#[test]
fn births_and_deaths_on_all_workers_leave_nothing_behind() {
    let ended = Setup::new("life churn")
        .line("thread = 8")
        .line("logger = 'node.log'")
        .start()
        .exit();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let services = 1 + 4 + 4 * 500;
    assert_eq!(
        ended.stderr.matches("released\n").count(),
        services,
        "{ended:?}"
    );
}
