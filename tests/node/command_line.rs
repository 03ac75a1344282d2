//! The executable's answers to its arguments and to config files that it cannot use.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::tools::running::Node;
use crate::tools::scratch;

fn skynet(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_skynet"))
        .args(arguments)
        .output()
        .unwrap()
}

fn config(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("command-line-{name}"));
    fs::write(&path, text).unwrap();
    path
}

/// The status, and what a config with this text makes the executable write to stderr.
fn refused(name: &str, text: &str) -> String {
    let output = skynet(&[config(name, text).to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{name}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn without_a_config_there_is_usage_and_status_1() {
    let output = skynet(&[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("Need a config file."), "{text}");
    assert_eq!(lines[1], "usage: skynet configfilename");
}

#[test]
fn a_daemon_whose_pid_file_cannot_be_made_is_told_with_status_1() {
    let text = "thread = 1\nharbor = 0\nstart = 'x'\ndaemon = '/nonexistent/node.pid'";
    let told = refused("pid-file", text);
    assert!(
        told.contains("Can't create pidfile [/nonexistent/node.pid]."),
        "{told}"
    );
}

#[test]
fn a_loader_that_does_nothing_ends_the_node_with_status_1() {
    let text = "thread = 1\nharbor = 0\nstart = 'x'\nlualoader = '/dev/null'";
    let output = skynet(&[config("empty-loader", text).to_str().unwrap()]);
    let log = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{log}");
    assert!(log.contains("\"lualoader\") could not start"), "{log}");
}

#[test]
fn help_and_version_go_to_stdout_with_status_0() {
    for (arguments, begin) in [
        (["--help"], "usage: skynet"),
        (["-h"], "usage: skynet"),
        (["--version"], concat!("skynet ", env!("CARGO_PKG_VERSION"))),
        (["-V"], "skynet "),
    ] {
        let output = skynet(&arguments);
        assert!(output.status.success());
        assert!(output.stderr.is_empty());
        assert!(output.stdout.starts_with(begin.as_bytes()));
    }
}

#[test]
fn a_word_that_is_neither_file_nor_command_is_told() {
    let output = skynet(&["tset"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.starts_with("tset: neither a file nor a command; did you mean `test`?"),
        "{text}"
    );
    assert!(text.contains("tset: No such file or directory"), "{text}");
}

#[test]
fn a_config_that_cannot_be_used_is_told_on_stderr() {
    let output = skynet(&["/nonexistent/cfg"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("/nonexistent/cfg: No such file or directory"),
        "{text}"
    );

    for (name, text, expected) in [
        ("table", "x = {}", "Invalid config table key = x\n"),
        (
            "thread-0",
            "thread = 0",
            "Invalid thread 0 , should be in [1,1024]\n",
        ),
        (
            "thread-word",
            "thread = 'many'",
            "Invalid thread 0 , should be in [1,1024]: thread = \"many\" is not a number\n",
        ),
        (
            "thread-1025",
            "thread = 1025",
            "Invalid thread 1025 , should be in [1,1024]\n",
        ),
        (
            "harbor",
            "harbor = 256",
            "Invalid harbor 256 , should be in [0,255]\n",
        ),
    ] {
        assert_eq!(refused(name, text), expected);
    }
    assert!(refused("env", "x = '$SKYNET_NONE'").contains("os.getenv() failed: SKYNET_NONE\n"));
    assert!(
        refused("syntax", "x = = 1")
            .contains("command-line-syntax:1: unexpected symbol near '='\n")
    );
    assert!(refused("include", "include 'nosuch'").contains("nosuch: No such file or directory\n"));
}

#[test]
fn the_log_names_a_misspelled_key_and_the_one_that_was_meant() {
    let path = config(
        "misspelled",
        "thrad = 2 harbor = 0 port = 8888 bootstrap = 'no_such_service' loginservice = './?.lua' luaservice = loginservice",
    );
    let output = skynet(&[path.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let warnings: Vec<_> = text
        .lines()
        .filter(|line| line.contains("warning"))
        .collect();
    assert_eq!(warnings.len(), 1, "{text}");
    let expected = "warning: config: `thrad` is no key of the core or of its Lua layer; did you mean `thread`?";
    assert!(warnings[0].ends_with(expected), "{text}");
}

#[test]
fn the_log_names_patterns_that_take_no_name() {
    let path = config(
        "no-name",
        "harbor = 0 lua_path = './lualib;./lualib/?.lua' luaservice = './main.lua' bootstrap = 'no_such_service'",
    );
    let output = skynet(&[path.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let warnings: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once("warning: config: "))
        .map(|(_, warning)| warning)
        .collect();
    let say = "has no `?` for the name: whatever is looked for, it is this one file";
    assert_eq!(
        warnings,
        [
            format!("lua_path: `./lualib` {say}"),
            format!("luaservice: `./main.lua` {say}")
        ],
        "{text}"
    );
}

/// A folder with these files and a config, in which a node is to run.
fn folder(name: &str, config_text: &str, files: &[(&str, &str)]) -> PathBuf {
    let folder = scratch(&format!("start-{name}"));
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
    let text = format!("thread = 2\nluaservice = './?.lua'\n{config_text}\n");
    fs::write(folder.join("config"), text).unwrap();
    folder
}

fn node_in(folder: &Path) -> Command {
    let mut node = Command::new(env!("CARGO_BIN_EXE_skynet"));
    node.arg("config").current_dir(folder);
    node
}

#[test]
fn a_node_whose_first_service_cannot_start_ends_with_status_1() {
    let single = "harbor = 0\n";
    let broken = [("main.lua", "error 'on purpose'")];
    let broken_start = [(
        "main.lua",
        "local skynet = require 'skynet'\nskynet.start(function() error 'on purpose' end)",
    )];
    for (name, config_text, files, line) in [
        (
            "no-bootstrap",
            "bootstrap = 'snlua nosuch'\nharbor = 0",
            &[][..],
            "\"bootstrap\") could not start",
        ),
        (
            "no-address",
            "harbor = 1",
            &[],
            "harbor = 1, and the config has no address (harbor = 0 is a node of its own): the process ends with status 1",
        ),
        (
            "wrong-kind",
            "standalone = '0.0.0.0:2013'\nharbor = 0",
            &[],
            "\"bootstrap\") could not start",
        ),
        (
            "no-start",
            single,
            &[],
            "main (config key \"start\") could not start",
        ),
        (
            "broken",
            single,
            &broken,
            "main (config key \"start\") could not start",
        ),
        (
            "broken-start",
            single,
            &broken_start,
            "main (config key \"start\") could not start",
        ),
    ] {
        let output = node_in(&folder(name, config_text, files)).output().unwrap();
        let log = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(1), "{name}\n{log}");
        assert!(log.contains(line), "{name}: no {line:?} in\n{log}");
    }
}

#[test]
fn other_services_keep_a_node_running_whose_first_one_cannot_start() {
    let main = "local skynet = require 'skynet'\n\
        skynet.start(function() skynet.newservice 'other'; error 'on purpose' end)";
    let other = "require('skynet').start(function() end)";
    let files = [("main.lua", main), ("other.lua", other)];
    Node::spawn(&mut node_in(&folder("goes-on", "harbor = 0", &files))).wait(
        "main (config key \"start\") could not start; the node goes on, as other services run (1 besides those that every node has)",
    );
}
