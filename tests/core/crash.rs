//! What is told of a crash, and how the process ends.

use std::os::unix::process::ExitStatusExt;

use crate::node::{Ended, Setup, ours};

fn crash(how: &str) -> Ended {
    Setup::new(&format!("crash {how}"))
        .line("logger = 'node.log'")
        .start()
        .exit()
}

/// The report has these texts in this order.
fn told(ended: &Ended, texts: &[&str]) {
    let mut rest = &ended.stderr[..];
    for text in texts {
        let at = rest.find(text);
        let at = at.unwrap_or_else(|| panic!("no {text:?} in order in\n{}", ended.stderr));
        rest = &rest[at + text.len()..];
    }
}

#[test]
fn a_fault_is_reported_and_ends_the_process_as_ever() {
    let setup = Setup::new("crash null").line("logger = 'node.log'");
    let ended = setup.start().exit();
    assert_eq!(ended.status.signal(), Some(libc::SIGSEGV), "{ended:?}");
    if !ours() {
        return;
    }
    let report = [
        "crash: signal 11 (SIGSEGV), code 1, address 0x0\n",
        "crash: thread ",
        ", worker ",
        "crash: service :00000002 (crash null)\n",
        "crash: message from :00000002, session 7, type 3 (client), 3 bytes\n",
        "crash: at 0x",
        "/crash.so+0x",
        "crash: called from",
        "  #0 0x",
        "/crash.so+0x",
        "crash: end\n",
    ];
    told(&ended, &report);
    // The node's own functions follow those of the module.
    assert!(ended.stderr.contains("/skynet+0x"), "{}", ended.stderr);
    let log = std::fs::read_to_string(setup.dir().join("node.log")).unwrap();
    let of_log = Ended {
        stderr: log,
        ..ended
    };
    told(&of_log, &report);
}

#[test]
fn other_ways_to_crash_are_reported_too() {
    for (how, signal, name) in [
        ("divides", libc::SIGFPE, "(SIGFPE)"),
        ("aborts", libc::SIGABRT, "(SIGABRT)"),
        ("killed", libc::SIGSEGV, "(SIGSEGV)"),
    ] {
        let ended = crash(how);
        assert_eq!(ended.status.signal(), Some(signal), "{ended:?}");
        if ours() && how != "killed" {
            let service = format!("crash: service :00000002 (crash {how})\n");
            told(&ended, &[name, &service, "session 7", "crash: end\n"]);
        } else if ours() {
            told(&ended, &[name, ", sent by process ", "crash: end\n"]);
        }
    }
}

#[test]
fn a_stack_that_runs_out_is_reported() {
    if !ours() {
        return;
    }
    let ended = crash("overflows");
    assert!(ended.status.signal().is_some(), "{ended:?}");
    let service = "crash: service :00000002 (crash overflows)\n";
    told(&ended, &["(SIGSEGV), code ", service, "crash: end\n"]);
    assert_eq!(ended.stderr.matches("crash: end").count(), 1, "{ended:?}");
}

#[test]
fn threads_of_others_are_told_from_workers() {
    if !ours() {
        return;
    }
    let ended = crash("thread");
    assert_eq!(ended.status.signal(), Some(libc::SIGSEGV), "{ended:?}");
    told(&ended, &["(SIGSEGV)", ", no worker\n", "/crash.so+0x"]);
    assert!(!ended.stderr.contains("crash: service"), "{ended:?}");
}

#[test]
fn handlers_of_modules_have_the_crash_for_themselves() {
    let ended = crash("handled");
    assert_eq!(ended.status.code(), Some(9), "{ended:?}");
    assert!(!ended.stderr.contains("crash:"), "{ended:?}");
}

#[test]
fn the_report_can_be_switched_off() {
    let ended = Setup::new("crash null")
        .line("crash_report = false")
        .start()
        .exit();
    assert_eq!(ended.status.signal(), Some(libc::SIGSEGV), "{ended:?}");
    assert!(!ended.stderr.contains("crash:"), "{ended:?}");
}
