//! `skynet_command`: each word, its parameter and its result.

use crate::node::{Setup, ours};

fn facts(role: &str) -> Vec<String> {
    Setup::new(&format!("commands {role}")).start().facts()
}

#[test]
fn names_are_unique_and_local_ones_begin_with_a_dot() {
    let node = Setup::new("commands names").start();
    assert_eq!(
        node.facts(),
        [
            "REG [(null)] -> :2",
            "REG [] -> :2",
            "REG [.one] -> one",
            "REG [.one] -> (null)",
            "REG [global] -> (null)",
            "QUERY [.one] -> :2",
            "QUERY [.none] -> (null)",
            "QUERY [one] -> (null)",
            "NAME [.two :2] -> two",
            "NAME [.two :1] -> (null)",
            "NAME [.three 2] -> (null)",
            "NAME [.three :0] -> (null)",
            "NAME [global :2] -> (null)",
            "QUERY [.two] -> :2",
            "QUERY [.logger] -> :1",
            "query :ff ff",
            "query .two 2",
            "query .none 0",
            "query global 0",
        ]
    );
    node.wait_line("error: Can't register global name global in C");
    node.wait_line("error: Can't set global name global in C");
    node.wait_line("error: Don't support query global name global");
}

#[test]
fn unknown_words_give_null_and_case_matters() {
    assert_eq!(
        facts("unknown"),
        [
            "NOSUCH [x] -> (null)",
            "reg [(null)] -> (null)",
            " [(null)] -> (null)",
            "REGX [(null)] -> (null)"
        ]
    );
}

#[test]
fn results_share_one_buffer_but_environment_values_stay() {
    assert_eq!(facts("results"), ["one buffer 1", "kept first value"]);
}

#[test]
fn environment_has_the_config_with_its_defaults() {
    let setup = Setup::new("commands environment")
        .line("float = 1.0")
        .line("huge = 1e100")
        .line("yes = true")
        .line("no = false")
        .line("include \"more\"")
        .line("from_env = \"<$PROBE_VALUE>\"")
        .line("thread = nil")
        .env("PROBE_VALUE", "from outside");
    std::fs::write(setup.dir().join("more"), "included = 'from a file'\n").unwrap();
    assert_eq!(
        setup.start().facts(),
        [
            "GETENV [nothing] -> (null)",
            "SETENV [nothing] -> (null)",
            "GETENV [nothing] -> (null)",
            "SETENV [fruit apple and pear] -> (null)",
            "GETENV [fruit] -> apple and pear",
            "SETENV [empty ] -> (null)",
            "GETENV [empty] -> ",
            "GETENV [thread] -> 8",
            "GETENV [harbor] -> 0",
            "GETENV [profile] -> true",
            "GETENV [logservice] -> logger",
            "GETENV [logger] -> (null)",
            "GETENV [daemon] -> (null)",
            "GETENV [float] -> 1.0",
            "GETENV [huge] -> 1e+100",
            "GETENV [yes] -> true",
            "GETENV [no] -> false",
            "GETENV [included] -> from a file",
            "GETENV [from_env] -> <from outside>",
        ]
    );
}

#[test]
fn setting_a_key_twice_fails_and_keeps_the_first_value() {
    if ours() {
        assert_eq!(
            facts("setenv_twice"),
            ["SETENV [twice second] -> (null)", "GETENV [twice] -> first"]
        );
    }
}

#[test]
fn clocks_start_with_the_node() {
    assert_eq!(facts("clocks"), ["starttime near 1", "now small 1"]);
}

#[test]
fn launch_passes_the_rest_of_the_line() {
    let node = Setup::new("commands launch").start();
    assert_eq!(
        node.facts(),
        [
            "args <two  words >",
            "LAUNCH [commands show  two  words ] -> :00000003",
            "args <tab>",
            "LAUNCH [commands\tshow tab] -> :00000004",
            "args <line>",
            "LAUNCH [commands show line",
            "instance 1 argument (null)",
            "LAUNCH [plain] -> :00000006",
            "instance 1 argument ",
            "LAUNCH [plain ] -> :00000007",
            "LAUNCH [nosuchmodule x] -> (null)",
            "LAUNCH [commands fail] -> (null)",
            "args of 3000 zeros and 0 others",
            "launched 1",
        ]
    );
    node.wait_line("LAUNCH commands show  two  words ");
    node.wait_line("LAUNCH plain ");
    node.wait_line("error: launch commands FAILED");
}

#[test]
fn commands_on_unknown_addresses_do_nothing() {
    let node = Setup::new("commands addresses").start();
    assert_eq!(
        node.facts(),
        [
            "KILL [word] -> (null)",
            "SIGNAL [word] -> (null)",
            "LOGON [word] -> (null)",
            "LOGOFF [word] -> (null)",
            "KILL [.none] -> (null)",
            "SIGNAL [.none] -> (null)",
            "SIGNAL [:ffff] -> (null)",
            "LOGON [:ffff] -> (null)",
            "LOGOFF [:ffff] -> (null)",
        ]
    );
    let complaints = node
        .stdout()
        .matches("error: Can't convert word to handle\n")
        .count();
    assert_eq!(complaints, 4);
}

#[test]
fn monitor_is_set_queried_and_cleared() {
    assert_eq!(
        facts("monitor"),
        [
            "MONITOR [(null)] -> (null)",
            "MONITOR [:2] -> (null)",
            "MONITOR [] -> :2",
            "MONITOR [.logger] -> (null)",
            "MONITOR [(null)] -> :1",
            "MONITOR [:0] -> (null)",
            "MONITOR [(null)] -> (null)",
        ]
    );
}

#[test]
fn stat_counts_messages_and_time() {
    assert_eq!(
        facts("stat"),
        [
            "STAT [mqlen] -> 0",
            "STAT [message] -> 1",
            "STAT [endless] -> 0",
            "STAT [nothing] -> ",
            "cpu has a fraction 1",
            "STAT [mqlen] -> 5",
            "time counts 1",
            "STAT [mqlen] -> 4",
            "STAT [message] -> 2",
            "cpu counts 1",
            "time restarts 1",
            "cpu counts the message before 1",
        ]
    );
}

#[test]
fn stat_without_profile_has_no_time() {
    let facts = Setup::new("commands stat_unprofiled")
        .line("profile = false")
        .start()
        .facts();
    assert_eq!(facts, ["STAT [time] -> 0", "STAT [cpu] -> 0.000000"]);
}

#[test]
fn words_of_the_first_generation_still_answer() {
    if ours() {
        assert_eq!(
            facts("old_words"),
            ["MQLEN [(null)] -> 2", "ENDLESS [(null)] -> (null)"]
        );
    }
}

#[test]
fn signal_runs_on_the_callers_thread() {
    assert_eq!(
        facts("signals"),
        [
            "args <x>",
            "signal 0 on ffffffff",
            "signal 7 on ffffffff",
            "signal 16 on ffffffff",
            "signal -3 on ffffffff",
            "signal 0 on ffffffff",
        ]
    );
}
