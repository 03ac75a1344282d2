//! A node from its first service to its last: `skynet_start`.

use super::config::{Config, keys};
#[cfg(feature = "lua")]
use super::debugger;
use super::host::Node;
use super::limits::Limits;
use super::threads::spawn;
use super::{at_exit, daemon, repeatable, shutdown, signals, startup};
use crate::actor::handle;
use crate::actor::service::harbor;
use crate::actor::service::{self, ThreadClass};
use crate::alloc::memory::decay::Decay;
use crate::alloc::reclaim;
#[cfg(feature = "lua")]
use crate::base::env;
use crate::base::{clock, log, release};
use crate::diag::{crash, figures, stuck};
use crate::io::socket::{self, Looker, NextLook, Ownerless};
use crate::io::timer;
use crate::scheduler::{self, Hooks, cpu, watchdog};
use crate::services::{builtin, loader};
use libc::c_char;
use std::ffi::{CStr, CString};
use std::os::unix::thread::JoinHandleExt;
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};

/// The monitor looks for messages that take too long this often, in nanoseconds.
const CHECK_EVERY: u64 = 5_000_000_000;
/// Checks from one look for sockets without a service to the next: so long may one that was handed over wait to be started.
const CHECKS_A_LOOK: u64 = 6;
/// So many blocks that cannot be freed are worth a line of the log; then each doubling is.
const MANY_BLOCKS: usize = 4096;

static ENDED: AtomicBool = AtomicBool::new(false);

/// Runs a node; returns when its last service has ended. Ends the process with status 1 when it cannot start.
/// `compiled_for`: the release for which the main program was compiled, see [`release`].
///
/// # Safety
/// The texts of `config` are null or C strings; only `daemon` and `logger` may be null.
pub unsafe fn run(config: &Config, compiled_for: u32) {
    // SAFETY: contract of this function.
    let text = |p: *const c_char| (!p.is_null()).then(|| unsafe { CStr::from_ptr(p) });
    signals::handle_hangup();
    builtin::prepare();
    let refuse = |reason: String| -> ! {
        eprintln!("{reason}");
        exit(1);
    };
    release::choose(compiled_for).unwrap_or_else(|reason| refuse(reason));
    let limits = Limits::of_node().unwrap_or_else(|reason| refuse(reason));
    let seed = repeatable::prepare().unwrap_or_else(|reason| refuse(reason));
    #[cfg(feature = "lua")]
    let debugged = debugger::prepare(seed.is_some()).unwrap_or_else(|reason| refuse(reason));
    let pid_file = text(config.daemon);
    if let Some(file) = pid_file
        && let Err(reason) = daemon::init(file)
    {
        refuse(reason);
    }
    at_exit::node_begins();
    let ours = config.logservice.is_null() || text(config.logservice) == Some(c"logger");
    crash::install(text(config.logger), ours);
    harbor::init(config.harbor);
    service::init_handles(config.harbor);
    loader::init(text(config.module_path).unwrap_or(c""));
    clock::init();
    timer::init();
    if !socket::init() {
        exit(1);
    }
    service::set_profile(config.profile != 0);
    limits.set_for_sockets();
    service::prepare(config.profile != 0);
    #[cfg(feature = "lua")]
    // Which services are quiet is a matter of the real clock, so in a seeded order none is.
    service::quiet::enable(
        seed.is_none() && env::get(c"gc_when_quiet").is_none_or(|value| value != c"false"),
    );

    let log_service = text(config.logservice).unwrap_or(c"logger");
    // Its handle alone: a reference would keep the node from ending.
    let launched = service::launch(log_service, text(config.logger)).map(|logger| logger.handle());
    let Some(logger) = launched else {
        eprintln!("Can't launch {} service", log_service.to_string_lossy());
        exit(1);
    };
    handle::name_handle(logger, c"logger");
    // The log service has none: no service is told what becomes of a line.
    limits.set_for_mailboxes();
    limits.set_for_log();
    tell_mistaken_keys();
    repeatable::tell();
    let first = bootstrap(logger, text(config.bootstrap).unwrap_or(c""));
    #[cfg(feature = "lua")]
    if debugged {
        debugger::launch(first);
    }
    #[cfg(not(feature = "lua"))]
    let _ = first;

    shutdown::watch_signals();
    let workers = config.thread.clamp(1, 1024) as usize;
    run_threads(if seed.is_some() { 1 } else { workers });

    // Its release may still write to sockets.
    harbor::exit();
    // SAFETY: the threads have ended, and nothing here keeps the server.
    unsafe { socket::free() };
    reclaim::collect();
    if let Some(file) = pid_file {
        daemon::exit(file);
    }
    at_exit::node_has_ended();
    shutdown::conclude();
}

/// Names the keys of the environment that are most likely misspelled (what they were to set has its default now), values that nobody
/// understands, and the patterns that take no name.
fn tell_mistaken_keys() {
    for (key, meant) in keys::misspelled() {
        log::error_fmt(
            0,
            format_args!(
                "warning: config: `{key}` is no key of the core or of its Lua layer; did you mean `{meant}`?"
            ),
        );
    }
    for (key, value, allowed) in keys::misfits() {
        let text = format_args!("warning: config: {key} = {value} should be {allowed}");
        log::error_fmt(0, text);
    }
    for (key, pattern) in keys::without_name() {
        let say = "has no `?` for the name: whatever is looked for, it is this one file";
        log::error_fmt(0, format_args!("warning: config: {key}: `{pattern}` {say}"));
    }
}

/// Launches the first service: its name up to the first space, its arguments without leading spaces. Its handle.
fn bootstrap(logger: u32, line: &CStr) -> u32 {
    let bytes = line.to_bytes();
    let line_text = bytes.trim_ascii_start();
    let end = line_text
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(line_text.len());
    let args = &line_text[end..];
    let args = &args[args.iter().position(|&c| c != b' ').unwrap_or(args.len())..];
    // Parts of a C string hold no NUL.
    let (name, args) = (
        CString::new(&line_text[..end]).unwrap_or_default(),
        CString::new(args).unwrap_or_default(),
    );
    startup::before_first();
    if let Some(first) = service::launch(&name, Some(&args)) {
        // No worker runs yet: it has not failed before this.
        startup::first_is(first.handle());
        return first.handle();
    }
    log::error(0, &[b"Bootstrap error : ", bytes, b"\n"].concat());
    if let Some(logger) = service::grab(logger) {
        // SAFETY: no worker runs yet. The process ends here.
        unsafe { logger.own() }.drain();
    }
    at_exit::node_has_ended();
    // SAFETY: writes out what C services have buffered.
    unsafe { libc::fflush(std::ptr::null_mut()) };
    exit(1);
}

fn run_threads(workers: usize) {
    ENDED.store(false, Ordering::SeqCst);
    open_alarms();
    let hooks = Hooks {
        wake_poller: socket::wake_poller,
        on_empty,
    };
    scheduler::start(workers, hooks);
    if service::total() == 0 {
        // Every service of the start-up has ended already.
        scheduler::on_empty();
    }
    let mut threads = vec![
        spawn("monitor".into(), monitor),
        spawn("timer".into(), || {
            timer::thread_main(|now| {
                signals::deliver(shutdown::on_signal);
                socket::uncork_late(Looker::Timer, now)
            });
        }),
        spawn("socket".into(), || {
            service::init_thread(ThreadClass::Socket);
            socket::run();
        }),
    ];
    threads.extend((0..workers).map(|i| {
        spawn(format!("worker {i}"), move || {
            service::init_thread(ThreadClass::Worker);
            scheduler::run_worker::<Node>(i);
        })
    }));
    for thread in &threads {
        #[allow(
            clippy::unnecessary_cast,
            reason = "a number of std, a pointer of musl"
        )]
        let id = thread.as_pthread_t() as libc::pthread_t;
        figures::watch_thread(thread.thread().name().unwrap_or("?"), id);
    }
    for thread in threads {
        // Never an error: a panic in one of them ends the process.
        let _ = thread.join();
    }
    #[cfg(feature = "lua")]
    debugger::join_spares();
    figures::forget_threads();
}

/// What the threads with a time of their own sleep on.
fn open_alarms() {
    match watchdog::MONITOR.open().and_then(|_| timer::open()) {
        Ok(None) => {}
        Ok(Some(reason)) => log::error_fmt(
            0,
            format_args!(
                "warning: the system refuses timers of the kernel ({reason}): the node runs without them. A filter of system calls \
                 (seccomp) should allow timerfd_create and timerfd_settime"
            ),
        ),
        Err(reason) => {
            eprintln!("Create timer failed: {reason}");
            exit(1);
        }
    }
}

/// Thread role: monitor. Looks at the signals that have come in; at the workers, now and then for what takes too long, and whenever that matters for those
/// that do not run; at the timers, if the timer thread is late; at the sockets, if the socket thread is, and at what a long turn
/// holds back there; at memory that is free and due to go back; and at sockets without a service.
fn monitor() {
    service::init_thread(ThreadClass::Monitor);
    // Takes 2 ms, for which no service has to wait here.
    cpu::calibrate();
    let mut watch = watchdog::Watch::default();
    let mut timer_thread = timer::Other::default();
    let mut decay = Decay::of_process();
    let mut sockets = Ownerless::default();
    let mut stand_in = socket::StandIn::default();
    let (mut check_at, mut report_at, mut checks) = (0, MANY_BLOCKS, 0_u64);
    loop {
        watchdog::MONITOR.reset();
        signals::deliver(shutdown::on_signal);
        shutdown::conduct_if_stranded();
        if ENDED.load(Ordering::SeqCst) {
            return;
        }
        let now = clock::monotonic_nanos();
        if now >= check_at {
            check_at = now + CHECK_EVERY;
            stuck::check_workers();
            reclaim::collect_some();
            report_at = report_blocks(report_at);
            decay.check(now);
            checks += 1;
            if checks.is_multiple_of(CHECKS_A_LOOK)
                && let Some(server) = socket::server()
            {
                sockets.look(server, &|owner| service::exists(owner as u32));
            }
            #[cfg(feature = "lua")]
            service::quiet::mark_due(now);
        }
        let timers = timer::update_if_late(&mut timer_thread, now);
        let workers = watchdog::look(&mut watch, now);
        let pages = decay.look(now, scheduler::turns());
        let corked = socket::uncork_late(Looker::Monitor, now);
        let first = [check_at, timers, workers, pages, corked].into_iter().min();
        let first = first.unwrap_or(check_at);
        match socket::stand_in(&mut stand_in, now) {
            NextLook::At(time) => watchdog::MONITOR.sleep(first.min(time)),
            NextLook::AtEvents(events) => watchdog::MONITOR.sleep_beside(first, events),
            NextLook::Never => watchdog::MONITOR.sleep(first),
        }
    }
}

/// Says what an endless callback keeps from being freed, if that is `report_at` blocks or more. When to say it again.
fn report_blocks(report_at: usize) -> usize {
    let waiting = reclaim::waiting();
    if waiting < report_at {
        return if waiting < MANY_BLOCKS {
            MANY_BLOCKS
        } else {
            report_at
        };
    }
    log::error_fmt(
        0,
        format_args!(
            "stuck: {waiting} blocks of services that have ended cannot be freed before the callbacks under way return"
        ),
    );
    waiting.saturating_mul(2)
}

/// The last service has ended: the threads that serve them end too.
fn on_empty() {
    ENDED.store(true, Ordering::SeqCst);
    watchdog::MONITOR.ring();
    timer::stop();
    socket::exit();
}
