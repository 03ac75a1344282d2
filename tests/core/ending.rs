//! SIGTERM, SIGINT and the command SHUTDOWN.

use std::os::unix::process::ExitStatusExt;

use crate::node::{Ended, Setup, eventually, ours};

/// A node with so much time to end, which gets SIGTERM when it has printed `ready`.
fn terminated(bootstrap: &str, grace: &str, ready: &str) -> Ended {
    let node = Setup::new(bootstrap)
        .line(&format!("shutdown_grace = {grace}"))
        .start();
    node.wait_line(ready);
    node.signal(libc::SIGTERM);
    node.exit()
}

#[test]
fn without_anybody_who_asked_a_signal_ends_the_process_as_ever() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let node = Setup::new("ending idles").start();
        node.wait_line("ready");
        node.signal(signal);
        let ended = node.exit();
        assert_eq!(ended.status.signal(), Some(signal), "{ended:?}");
        // No service was ended in order.
        assert_eq!(ended.stderr, "", "{ended:?}");
    }
}

#[test]
fn handlers_of_modules_stay() {
    for role in ["ending handles first", "ending handles"] {
        let node = Setup::new(role).start();
        node.wait_line("ready");
        node.signal(libc::SIGTERM);
        let ended = node.exit();
        assert_eq!(ended.status.code(), Some(7), "{ended:?}");
    }
}

#[test]
fn forked_children_end_by_signals() {
    let node = Setup::new("ending forks").start();
    assert_eq!(node.facts(), ["child ended by 15"]);
}

#[test]
fn lines_of_the_log_are_written_before_a_signal_ends_the_process() {
    if !ours() {
        return;
    }
    let setup = Setup::new("ending floods").line("logger = 'node.log'");
    for log in [false, true] {
        let ended = if log {
            setup.start().exit()
        } else {
            Setup::new("ending floods").start().exit()
        };
        assert_eq!(ended.status.signal(), Some(libc::SIGTERM), "{ended:?}");
        let text = if log {
            std::fs::read_to_string(setup.dir().join("node.log")).unwrap()
        } else {
            ended.stdout
        };
        assert_eq!(text.matches("fact line ").count(), 3000);
        assert!(text.contains("fact line 3000\n"));
    }
}

#[test]
fn lines_of_the_log_are_written_before_a_service_ends_the_process() {
    if !ours() {
        return;
    }
    for workers in [1, 2] {
        let setup = Setup::new("ending exits").line(&format!("thread = {workers}"));
        let ended = setup.start().exit();
        assert_eq!(ended.status.code(), Some(3), "{ended:?}");
        assert_eq!(ended.stdout.matches("fact line ").count(), 3000);
    }
}

#[test]
fn who_asked_is_told_and_awaited() {
    if !ours() {
        return;
    }
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let node = Setup::new("ending asks")
            .line("shutdown_grace = 60")
            .start();
        node.wait_line("ready");
        node.signal(signal);
        node.wait_line("fact answered <saved>");
        let facts = node.facts_so_far();
        let ended = node.exit();
        assert_eq!(
            facts,
            [
                "before (null)",
                "on 1",
                "unknown (null)",
                "told by 0 <shutdown>",
                "awaited 1",
                "answered <saved>",
            ]
        );
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        assert_eq!(ended.stderr, "released\nreleased\n", "{ended:?}");
        assert!(
            ended.stdout.contains(&format!(
                "[:00000000] shutdown: by signal {signal}, services to wait for: 1, up to 60s\n"
            )),
            "{ended:?}"
        );
    }
}

#[test]
fn a_service_that_does_not_finish_is_named_after_the_time() {
    if !ours() {
        return;
    }
    let ended = terminated("ending never", "0.2", "ready");
    assert_eq!(ended.status.signal(), Some(libc::SIGTERM), "{ended:?}");
    let report = "error: shutdown: not finished after 200ms: :00000002 (ending never)\n";
    assert!(ended.stdout.contains(report), "{ended:?}");
    assert_eq!(ended.stderr, "released\n", "{ended:?}");
}

#[test]
fn a_second_signal_ends_at_once() {
    if !ours() {
        return;
    }
    let mut node = Setup::new("ending never")
        .line("shutdown_grace = 1000")
        .start();
    node.wait_line("ready");
    node.signal(libc::SIGTERM);
    node.wait_line("fact told");
    // One that follows in no time is the same order.
    eventually("the end", || {
        node.signal(libc::SIGINT);
        node.has_ended().then_some(())
    });
    let ended = node.exit();
    assert_eq!(ended.status.signal(), Some(libc::SIGINT), "{ended:?}");
    assert_eq!(ended.stderr, "", "{ended:?}");
}

#[test]
fn dead_services_are_not_awaited() {
    if !ours() {
        return;
    }
    let ended = terminated("ending dies", "1000", "both ask");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "released\nreleased\n", "{ended:?}");
}

#[test]
fn who_asks_while_the_node_ends_is_told_too() {
    if !ours() {
        return;
    }
    let ended = terminated("ending late", "1000", "ready");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    for who in ["first", "second"] {
        assert!(
            ended.stdout.contains(&format!("fact {who} told\n")),
            "{ended:?}"
        );
    }
}

#[test]
fn a_command_ends_the_node_in_order_and_nobody_else_is_told() {
    if !ours() {
        return;
    }
    let ended = Setup::new("ending begins").start().exit();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "released\n", "{ended:?}");
    assert!(!ended.stdout.contains("told after all"), "{ended:?}");
}

#[test]
fn with_a_configured_time_a_signal_ends_every_service_in_order() {
    if !ours() {
        return;
    }
    let ended = terminated("ending idles", "5", "ready");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(ended.stderr, "released\n", "{ended:?}");
}

#[test]
fn a_time_of_0_leaves_the_signals_alone_and_text_is_reported() {
    if !ours() {
        return;
    }
    let ended = terminated("ending never", "0", "ready");
    assert_eq!(ended.status.signal(), Some(libc::SIGTERM), "{ended:?}");
    assert!(!ended.stdout.contains("shutdown:"), "{ended:?}");
    Setup::new("ending idles")
        .line("shutdown_grace = 'soon'")
        .start()
        .wait_line("error: shutdown_grace = soon is no number of seconds, 10 is used");
}

#[test]
fn a_callback_that_does_not_return_cannot_keep_the_process() {
    if !ours() {
        return;
    }
    let ended = terminated("ending hangs", "5", "ready");
    assert_eq!(ended.status.signal(), Some(libc::SIGTERM), "{ended:?}");
    assert!(
        ended.stderr.contains("shutdown: a service does not return"),
        "{ended:?}"
    );
}
