//! The command line of the executable.

use crate::actor::service;
use crate::base::release;
use crate::diag::crash;
use crate::node::{check, config, signals};
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

const USAGE: &str = "usage: skynet configfilename
       skynet check [--json] PATH";

const HELP: &str = "\
Runs a skynet node as a config file says, or looks at a project of the C core without running it and says what a swap of the
core takes (`skynet check --help`).

  configfilename   a Lua file; its globals are the settings
  -h, --help       this text
  -V, --version    the version

Settings of the core (default):
  thread (8)                      number of workers, or \"auto\": one for each processor
  harbor (1)                      id of this node among connected nodes; 0: on its own
  bootstrap (snlua bootstrap)     first service and its arguments
  logger (standard output)        file of the log
  logservice (logger)             service that writes the log
  logpath                         folder of message logs
  cpath (./cservice/?.so)         where C services are
  daemon                          pid file: run in the background
  profile (true)                  CPU time by service
  api_version (newest)            release that compiled services expect: \"1.4.0\"
  crash_report (true)             on a crash, say which service and message did it
  gc_when_quiet (true)            collect the garbage of Lua services that have become quiet
  shutdown_grace (10)             seconds that services have to finish when the node ends

$NAME in a config file is a variable of the environment, and include \"file\" reads another file.";

/// Does what the arguments (without the program's name) say.
pub fn main(mut args: impl Iterator<Item = OsString>) -> ExitCode {
    let Some(argument) = args.next() else {
        eprintln!(
            "Need a config file. Please read skynet wiki : https://github.com/cloudwu/skynet/wiki/Config\n{USAGE}"
        );
        return ExitCode::FAILURE;
    };
    match argument.to_str() {
        Some("-h" | "--help") => println!("{USAGE}\n{HELP}"),
        Some("-V" | "--version") => println!("skynet {}", env!("CARGO_PKG_VERSION")),
        Some("check") => return check_or_config(argument, args),
        _ => return run(argument),
    }
    ExitCode::SUCCESS
}

/// `skynet check` alone runs a config of that name, as it always did, if there is one.
fn check_or_config(argument: OsString, args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut args = args.peekable();
    if args.peek().is_none() && std::path::Path::new(&argument).is_file() {
        return run(argument);
    }
    check::main(args)
}

fn run(file: OsString) -> ExitCode {
    crash::note_runtime();
    warn_of_few_addresses();
    signals::ignore_pipe();
    // An argument has no zero in it.
    let path = CString::new(file.into_vec()).unwrap_or_default();
    match config::read(&path).and_then(config::apply) {
        Ok(config) => {
            service::init_thread(service::ThreadClass::Main);
            // SAFETY: the texts belong to the environment and stay for ever.
            unsafe { crate::node::start::run(&config, release::LATEST) };
            ExitCode::SUCCESS
        }
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
