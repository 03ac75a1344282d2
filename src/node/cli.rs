//! What the command line of the executable asks of the library: a node, or a look at a project. Arguments are read in
//! `crates/skynet-cli`, which the library does not contain.

use crate::actor::service;
use crate::base::release;
use crate::diag::crash;
use crate::node::{check, config, repeatable, signals};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::ExitCode;

/// A node of the config file `path`: its exit status.
pub fn run_config(path: OsString) -> ExitCode {
    status(run(|| config::read(&c_string(path.into_vec()))))
}

/// A node of the config file, if there is one, with `change` made to its settings (keys and values): its exit status.
pub fn run_settings(
    path: Option<PathBuf>,
    change: impl Fn(&mut Vec<(CString, CString)>),
) -> ExitCode {
    status(run_node(path, change))
}

/// As [`run_settings`], for a program that goes on after the node has ended. The error is a line for the user: no node was started. A
/// node that fails on its way, or ends badly, ends the process, with the status that the executable has then.
pub fn run_node(
    path: Option<PathBuf>,
    change: impl Fn(&mut Vec<(CString, CString)>),
) -> Result<(), String> {
    run(|| {
        let mut settings = Vec::new();
        change(&mut settings);
        if let Some((_, seed)) = settings
            .iter()
            .find(|(key, _)| key.as_c_str() == c"scheduler_seed")
        {
            repeatable::choose_hashes(seed);
        }
        let mut settings = match path {
            Some(path) => config::read(&c_string(path.into_os_string().into_vec()))?,
            None => Vec::new(),
        };
        change(&mut settings);
        Ok(settings)
    })
}

/// `skynet check` with these arguments: its exit status.
pub fn check(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    check::main(arguments)
}

/// An argument has no zero in it.
fn c_string(text: Vec<u8>) -> CString {
    CString::new(text).unwrap_or_default()
}

fn run(settings: impl FnOnce() -> Result<config::Settings, String>) -> Result<(), String> {
    crash::note_runtime();
    warn_of_few_addresses();
    signals::ignore_pipe();
    let config = settings().and_then(config::apply)?;
    service::init_thread(service::ThreadClass::Main);
    // SAFETY: the texts belong to the environment and stay for ever.
    unsafe { crate::node::start::run(&config, release::LATEST) };
    Ok(())
}

fn status(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// With less a node may not come up: stacks of threads and the allocator reserve more than they use.
const ADDRESSES: u64 = 256 * 1024 * 1024;

/// What fails for want of addresses fails anywhere, in the allocator too; so the reason is told before.
fn warn_of_few_addresses() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: fills the structure.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } == 0;
    if known && limit.rlim_cur < ADDRESSES {
        eprintln!(
            "address space is limited to {} MB (ulimit -v): a node needs about {} MB to start",
            limit.rlim_cur >> 20,
            ADDRESSES >> 20
        );
    }
}
