//! The process: command line, config file, exit codes, daemon mode.

use crate::node::{Ended, Setup, eventually};

fn failed(ended: &Ended, message: &str) {
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(ended.stderr.contains(message), "{ended:?}");
}

#[test]
fn without_a_config_the_process_explains_itself() {
    failed(&Setup::new("").run(&[]).exit(), "Need a config file.");
}

#[test]
fn an_unreadable_config_is_named() {
    failed(&Setup::new("").run(&["missing"]).exit(), "missing");
    failed(
        &Setup::new("plain").line("this is not Lua").start().exit(),
        "syntax error",
    );
    failed(
        &Setup::new("plain").line("include 'missing'").start().exit(),
        "missing",
    );
}

#[test]
fn values_of_a_config_are_strings_numbers_or_booleans() {
    failed(
        &Setup::new("plain").line("list = {}").start().exit(),
        "Invalid config table key = list\n",
    );
    failed(
        &Setup::new("plain")
            .line("call = function() end")
            .start()
            .exit(),
        "Invalid config table key = call\n",
    );
    failed(
        &Setup::new("plain").line("_ENV[1] = 'x'").start().exit(),
        "Invalid config table\n",
    );
}

#[test]
fn a_missing_environment_variable_is_named() {
    let ended = Setup::new("plain")
        .line("key = '$NO_SUCH_VARIABLE_HERE'")
        .start()
        .exit();
    failed(&ended, "os.getenv() failed: NO_SUCH_VARIABLE_HERE");
}

#[test]
fn thread_must_be_between_1_and_1024() {
    for count in ["0", "-1", "1025"] {
        let ended = Setup::new("plain")
            .line(&format!("thread = {count}"))
            .start()
            .exit();
        failed(
            &ended,
            &format!("Invalid thread {count} , should be in [1,1024]\n"),
        );
    }
    for count in ["1", "40"] {
        Setup::new("logs speaks x")
            .line(&format!("thread = {count}"))
            .start()
            .wait_line("ready");
    }
}

#[test]
fn a_bootstrap_that_fails_ends_the_process() {
    let ended = Setup::new("nosuch a b").start().exit();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        ended.stderr.contains("try open nosuch failed : "),
        "{ended:?}"
    );
    assert!(
        ended
            .stdout
            .contains("[:00000000] Bootstrap error : nosuch a b\n\n"),
        "{ended:?}"
    );
    let ended = Setup::new("commands fail").start().exit();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert!(
        ended.stdout.contains("error: launch commands FAILED\n"),
        "{ended:?}"
    );
    assert!(
        ended
            .stdout
            .contains("[:00000000] Bootstrap error : commands fail\n\n"),
        "{ended:?}"
    );
}

#[test]
fn a_log_service_that_fails_ends_the_process() {
    let ended = Setup::new("plain")
        .line("logservice = 'nosuch'")
        .start()
        .exit();
    failed(&ended, "try open nosuch failed : ");
    failed(&ended, "Can't launch nosuch service\n");
}

#[test]
fn bootstrap_passes_the_rest_of_its_line() {
    let fact = |line: &str| {
        let node = Setup::new(line).start();
        node.wait_for("a fact", |m| m.strip_prefix("fact ").map(String::from))
    };
    assert_eq!(
        fact("commands show  several   words "),
        "args <several   words >"
    );
    assert_eq!(fact("plain"), "instance 1 argument ");
    assert_eq!(fact("plain   x y"), "instance 1 argument x y");
}

#[test]
fn a_daemon_leaves_its_pid_and_holds_its_file() {
    let setup = Setup::new("logs talks")
        .line("daemon = 'node.pid'")
        .line("logger = 'node.log'");
    let started = setup.start().exit();
    assert_eq!(started.status.code(), Some(0), "{started:?}");
    let file = setup.dir().join("node.pid");
    let pid = eventually("the pid file", || {
        let text = std::fs::read_to_string(&file).ok()?;
        text.strip_suffix('\n')?.parse::<i32>().ok()
    });
    // Whatever fails below, the daemon must not outlive the test.
    struct Killed(i32);
    impl Drop for Killed {
        fn drop(&mut self) {
            // SAFETY: kill takes two integers.
            unsafe { libc::kill(self.0, libc::SIGKILL) };
        }
    }
    let daemon = Killed(pid);
    let log = setup.dir().join("node.log");
    eventually("a tick", || {
        std::fs::read_to_string(&log)
            .ok()?
            .contains(" tick ")
            .then_some(())
    });
    for fd in 0..3 {
        let target = std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"));
    }
    let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap();
    assert_eq!(cwd, setup.dir().canonicalize().unwrap());
    failed(
        &setup.start().exit(),
        &format!("Skynet is already running, pid = {pid}.\n"),
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), format!("{pid}\n"));
    drop(daemon);
    let gone = std::path::PathBuf::from(format!("/proc/{pid}"));
    // A killed process leaves its file behind, and the next start takes it over.
    eventually("the end of the daemon", || {
        let stat = std::fs::read_to_string(gone.join("stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    });
}

#[test]
fn a_daemon_that_ends_removes_its_file() {
    let setup = Setup::new("life aborts")
        .line("daemon = 'node.pid'")
        .line("logger = 'node.log'");
    assert_eq!(setup.start().exit().status.code(), Some(0));
    let log = setup.dir().join("node.log");
    eventually("the launch of a service", || {
        std::fs::read_to_string(&log)
            .ok()?
            .contains("LAUNCH life aborts")
            .then_some(())
    });
    eventually("the end of the file", || {
        (!setup.dir().join("node.pid").exists()).then_some(())
    });
}
