//! Runs a node to its end: this build's executable, or another one to compare with.
//!
//! With `SKYNET_EXE` the tests run on that executable, and with `SKYNET_TREE` on the `lualib`, `service`, `luaclib` and
//! `cservice` of that folder: that is how an expectation is held against another core and its modules.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::{root, scratch};

/// How long a node may take before it counts as stuck.
const LIMIT: Duration = Duration::from_secs(120);

/// Whether that is the executable of this package, of whatever build (`SKYNET_OURS` says so of another file).
pub fn ours() -> bool {
    std::env::var_os("SKYNET_EXE").is_none() || std::env::var_os("SKYNET_OURS").is_some()
}

/// The tree of another core, whose Lua files and modules the tests run on.
pub fn other_tree() -> Option<PathBuf> {
    std::env::var_os("SKYNET_TREE").map(PathBuf::from)
}

/// What the tests run.
pub fn executable() -> PathBuf {
    std::env::var_os("SKYNET_EXE").map_or_else(|| env!("CARGO_BIN_EXE_skynet").into(), Into::into)
}

/// Sends what comes piece by piece, so that a node that is stuck shows how far it came; to the end, or until nobody listens.
fn read_pieces(mut from: impl Read, to: &Sender<std::io::Result<Vec<u8>>>) {
    let mut piece = vec![0; 4096];
    loop {
        let result = from.read(&mut piece).map(|size| piece[..size].to_vec());
        let is_last = result.as_ref().map_or(true, Vec::is_empty);
        if to.send(result).is_err() || is_last {
            return;
        }
    }
}

/// Runs the executable to its end; returns its status and what it printed.
pub fn run_node(folder: &Path, config: &str) -> (ExitStatus, String) {
    let mut node = Command::new(executable())
        .arg(config)
        .current_dir(folder)
        // Open and silent: some modules end the process at the end of its input.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("the executable starts");
    let stdout = node.stdout.take().expect("stdout is a pipe");
    let (said, pieces) = mpsc::channel();
    thread::spawn(move || read_pieces(stdout, &said));
    let deadline = Instant::now() + LIMIT;
    let mut printed = Vec::new();
    let is_stuck = loop {
        match pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(piece) => printed.extend(piece.expect("readable output")),
            Err(reason) => break reason == RecvTimeoutError::Timeout,
        }
    };
    if is_stuck {
        node.kill().expect("the node can be killed");
    }
    let status = node.wait().expect("the node's status");
    let output = String::from_utf8_lossy(&printed).into_owned();
    assert!(!is_stuck, "{config} still runs after {LIMIT:?}:\n{output}");
    (status, output)
}

/// The config of a node whose services and modules come from `scripts`, then from `tree`, then from inside of the
/// executable.
pub fn config(scripts: &str, tree: Option<PathBuf>) -> String {
    let common = root().join("tests/lua").display().to_string();
    let mut services = format!("{scripts}/?.lua");
    let mut modules = format!("{scripts}/?.lua;{common}/?.lua");
    let mut config = String::from("thread = 2\n");
    if let Some(tree) = tree {
        let tree = tree.display().to_string();
        services += &format!(";{tree}/service/?.lua");
        modules += &format!(";{tree}/lualib/?.lua;{tree}/lualib/?/init.lua");
        config += &format!(
            "lualoader = \"{tree}/lualib/loader.lua\"\nlua_cpath = \"{tree}/luaclib/?.so\"\ncpath = \"{tree}/cservice/?.so\"\nbootstrap = \"snlua bootstrap\"\n"
        );
    }
    config + &format!("luaservice = \"{services}\"\nlua_path = \"{modules}\"\n")
}

/// Runs one Lua test, `tests/FOLDER/NAME.lua`, in an empty folder; every case of it has to pass. `more` is appended to
/// the config. Answers what the node printed.
pub fn run_test(folder: &str, name: &str, more: &str) -> String {
    run_test_in(&scratch(&format!("{folder}-{name}")), folder, name, more)
}

/// As [`run_test`], in the given folder, which is empty.
pub fn run_test_in(place: &Path, folder: &str, name: &str, more: &str) -> String {
    let scripts = root().join("tests").join(folder).display().to_string();
    let config =
        config(&scripts, other_tree()) + &format!("harbor = 0\nstart = {name:?}\n{more}\n");
    std::fs::write(place.join("config"), config).expect("config");
    let (status, output) = run_node(place, "config");
    assert!(status.success(), "{status}\n{output}");
    assert!(!output.contains("\nFAILED "), "{output}");
    assert!(
        output
            .lines()
            .any(|line| line.ends_with(" cases, 0 failed")),
        "{output}"
    );
    output
}
