//! The report of a crash: which service, which message, which code. It goes to the standard error and to the log; then the
//! signal has its default action, so core dumps and exit statuses are what they were.
//!
//! The handler runs in the thread that crashed, at any instruction: the allocator's locks may be held, the heap may be
//! damaged. So it
//! - runs on a stack of its own in the threads of the node (the other stack may be what has run out),
//! - makes system calls and reads memory, but takes no lock, allocates nothing, and calls nothing of the C library but
//!   `backtrace`, which was called once in advance so that what it loads is there,
//! - writes each part when it is known: a second crash, in the handler, ends the process with what is written by then,
//! - sets an alarm that ends the process if it does not come to its end.
//!
//! What it reads of the node: the places of the workers, which live for ever, and the tables of handles. A worker that
//! runs a service is inside of a guard ([`crate::alloc::reclaim`]), so nothing that it finds there is freed before it lets go.
//!
//! Nothing is installed for a signal that has a handler already.
//!
//! A panic in a thread of the node ends in such a report, too ([`crate::base::panic`]).

mod modules;
mod panic;
mod text;

pub use panic::contain;

use crate::actor::service;
use crate::base::env;
use crate::base::message::type_name;
use crate::scheduler::{self, Running};
use libc::{c_char, c_int, c_void};
use std::ffi::CStr;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicUsize, Ordering};
use text::Text;

const SIGNALS: [(c_int, &[u8]); 5] = [
    (libc::SIGSEGV, b"SIGSEGV"),
    (libc::SIGBUS, b"SIGBUS"),
    (libc::SIGILL, b"SIGILL"),
    (libc::SIGFPE, b"SIGFPE"),
    (libc::SIGABRT, b"SIGABRT"),
];

/// Bytes of the stack that handlers run on: the system's frame, about 3 KiB of this module, and the unwinder.
const STACK: usize = 128 * 1024;
/// Seconds after which a report that does not come to its end is given up.
const ALARM: u32 = 5;

static INSTALLED: AtomicBool = AtomicBool::new(false);
/// Handlers that the executable's own runtime had installed before it began; 0 is none.
static RUNTIME: [AtomicUsize; SIGNALS.len()] = [const { AtomicUsize::new(0) }; SIGNALS.len()];
/// The signals that had a handler of that runtime go on to it.
static BEFORE: [AtomicPtr<libc::sigaction>; SIGNALS.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS.len()];
/// The thread that has written a report, or is about to: there is one only.
static REPORTING: AtomicI32 = AtomicI32::new(0);
/// The signal it is about, for the alarm.
static SIGNAL: AtomicI32 = AtomicI32::new(0);
/// File of the log, null if it is the standard output.
static LOG: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
/// The log is one of the core's own log service.
static LOG_KNOWN: AtomicBool = AtomicBool::new(false);

fn action(signal: c_int) -> libc::sigaction {
    // SAFETY: a zeroed sigaction is valid; with no new action the call only reads.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        libc::sigaction(signal, ptr::null(), &mut action);
        action
    }
}

/// First thing in the executable: the handlers that are there now and lie in the executable itself are those of its Rust
/// runtime (for stacks that run out). They do not count as a handler of the program; reports are written before them.
#[cfg(feature = "lua")]
pub fn note_runtime() {
    let here: fn() = note_runtime;
    for (index, (signal, _)) in SIGNALS.iter().enumerate() {
        let handler = action(*signal).sa_sigaction;
        if handler > libc::SIG_IGN && object_of(handler) == object_of(here as usize) {
            RUNTIME[index].store(handler, Ordering::Relaxed);
        }
    }
}

/// Where the file that an address lies in was loaded.
#[cfg(feature = "lua")]
fn object_of(address: usize) -> usize {
    // SAFETY: `info` is valid for writing; any address may be asked for.
    unsafe {
        let mut info: libc::Dl_info = mem::zeroed();
        libc::dladdr(address as *const c_void, &mut info);
        info.dli_fbase as usize
    }
}

/// At start: reports crashes, unless the config says `crash_report = false`. `log` is the file of the log, if `known`.
pub fn install(log: Option<&CStr>, known: bool) {
    if env::get(c"crash_report").is_some_and(|value| value == c"false")
        || INSTALLED.swap(true, Ordering::Relaxed)
    {
        return;
    }
    if let Some(log) = log {
        LOG.store(log.to_owned().into_raw(), Ordering::Relaxed);
    }
    LOG_KNOWN.store(known, Ordering::Relaxed);
    crate::base::panic::tell_with(panic::tell);
    let mut frames = [ptr::null_mut(); 4];
    // Loads what it needs.
    backtrace(&mut frames);
    init_thread();
    for (index, (signal, _)) in SIGNALS.iter().enumerate() {
        let before = action(*signal);
        let free = before.sa_sigaction == libc::SIG_DFL;
        if !free && before.sa_sigaction != RUNTIME[index].load(Ordering::Relaxed) {
            continue;
        }
        BEFORE[index].store(Box::into_raw(Box::new(before)), Ordering::Release);
        let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_crash;
        // SAFETY: a zeroed sigaction is valid; the handler does what a signal handler may do.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigfillset(&mut action.sa_mask);
            libc::sigaction(*signal, &action, ptr::null_mut());
        }
    }
}

/// Gives the calling thread a stack for handlers. It stays when the thread ends: those of the node end with it.
pub fn init_thread() {
    if !INSTALLED.load(Ordering::Relaxed) {
        return;
    }
    // SAFETY: a fresh mapping, not shared yet.
    unsafe {
        let memory = libc::mmap(
            ptr::null_mut(),
            STACK,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        if memory != libc::MAP_FAILED {
            let stack = libc::stack_t {
                ss_sp: memory,
                ss_flags: 0,
                ss_size: STACK,
            };
            libc::sigaltstack(&stack, ptr::null_mut());
        }
    }
}

/// The return addresses of the calling thread; their number.
fn backtrace(frames: &mut [*mut c_void]) -> usize {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn backtrace(buffer: *mut *mut c_void, size: c_int) -> c_int;
        }
        // SAFETY: room for so many addresses.
        unsafe { backtrace(frames.as_mut_ptr(), frames.len() as c_int) }.max(0) as usize
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let _ = frames;
        0
    }
}

/// Where the thread was.
fn program_counter(context: *const c_void) -> usize {
    if context.is_null() {
        return 0;
    }
    // SAFETY: the third argument of a handler with SA_SIGINFO is the context of the thread.
    unsafe {
        let context = &*context.cast::<libc::ucontext_t>();
        #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
        return context.uc_mcontext.gregs[libc::REG_RIP as usize] as usize;
        #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
        return context.uc_mcontext.pc as usize;
        #[allow(unreachable_code)]
        {
            let _ = context;
            0
        }
    }
}

fn set_action(signal: c_int, action: &libc::sigaction) {
    // SAFETY: a valid action.
    unsafe { libc::sigaction(signal, action, ptr::null_mut()) };
}

fn default_action() -> libc::sigaction {
    // SAFETY: zeroes are the default action.
    unsafe { mem::zeroed() }
}

extern "C" fn on_alarm(_signal: c_int) {
    let signal = SIGNAL.load(Ordering::Relaxed);
    set_action(signal, &default_action());
    // SAFETY: sends a signal to this process.
    unsafe { libc::kill(libc::getpid(), signal) };
}

extern "C" fn on_crash(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: no precondition.
    let thread = unsafe { libc::syscall(libc::SYS_gettid) } as i32;
    match REPORTING.compare_exchange(0, thread, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {}
        // Crashed while it wrote the report; or the handler before this one, which knows stacks that run out, aborts.
        Err(other) if other == thread => {
            set_action(signal, &default_action());
            return raise_if_sent(signal, info);
        }
        // The process ends when the other thread has finished.
        Err(_) => loop {
            // SAFETY: no precondition; every signal is blocked here.
            unsafe { libc::sleep(1) };
        },
    }
    SIGNAL.store(signal, Ordering::Relaxed);
    let mut wake = default_action();
    let on_alarm: extern "C" fn(c_int) = on_alarm;
    wake.sa_sigaction = on_alarm as libc::sighandler_t;
    set_action(libc::SIGALRM, &wake);
    // SAFETY: no precondition.
    unsafe { libc::alarm(ALARM) };

    let mut files = [libc::STDERR_FILENO, 0];
    let count = 1 + log_file(&mut files[1]) as usize;
    report(signal, info, context, thread, &files[..count]);

    // SAFETY: no precondition.
    unsafe { libc::alarm(0) };
    let index = SIGNALS.iter().position(|(known, _)| *known == signal);
    let before = index.map_or(ptr::null_mut(), |index| {
        BEFORE[index].load(Ordering::Acquire)
    });
    // SAFETY: null, or made by `install` and never freed.
    match unsafe { before.as_ref() } {
        Some(before) if !was_sent(info) => set_action(signal, before),
        // The runtime's handler takes every signal for a fault, which happens again; one that was sent would be lost in it.
        _ => set_action(signal, &default_action()),
    }
    raise_if_sent(signal, info);
}

/// A fault happens again when the handler returns; a signal that was sent does not.
fn raise_if_sent(signal: c_int, info: *const libc::siginfo_t) {
    if was_sent(info) {
        // SAFETY: no precondition. It comes when the handler has returned.
        unsafe { libc::raise(signal) };
    }
}

fn was_sent(info: *const libc::siginfo_t) -> bool {
    // SAFETY: null, or the second argument of a handler with SA_SIGINFO.
    unsafe { info.as_ref() }.is_none_or(|info| info.si_code <= 0)
}

/// Writes a piece of the report that no signal is the reason of: to the standard error and the log.
fn write_all(text: &mut Text) {
    let mut files = [libc::STDERR_FILENO, 0];
    let known = INSTALLED.load(Ordering::Relaxed) && log_file(&mut files[1]);
    text.flush(&files[..1 + usize::from(known)]);
}

/// Opens the log; false if it is not known, or the same as the standard error.
fn log_file(file: &mut c_int) -> bool {
    if !LOG_KNOWN.load(Ordering::Relaxed) {
        return false;
    }
    let path = LOG.load(Ordering::Relaxed);
    // SAFETY: a C string that is never freed; room for what fstat tells.
    unsafe {
        if path.is_null() {
            *file = libc::STDOUT_FILENO;
        } else {
            *file = libc::open(path, libc::O_WRONLY | libc::O_APPEND | libc::O_CLOEXEC);
        }
        let (mut ours, mut stderr): (libc::stat, libc::stat) = (mem::zeroed(), mem::zeroed());
        libc::fstat(*file, &mut ours) == 0
            && (libc::fstat(libc::STDERR_FILENO, &mut stderr) != 0
                || (ours.st_dev, ours.st_ino) != (stderr.st_dev, stderr.st_ino))
    }
}

fn report(
    signal: c_int,
    info: *const libc::siginfo_t,
    context: *const c_void,
    thread: i32,
    to: &[c_int],
) {
    let mut text = Text::new();
    let name = SIGNALS.iter().find(|(known, _)| *known == signal);
    text.put(b"\ncrash: signal ")
        .number(signal.into())
        .put(b" (");
    text.put(name.map_or(b"?", |(_, name)| name))
        .put(b"), code ");
    // SAFETY: null, or the second argument of a handler with SA_SIGINFO.
    if let Some(info) = unsafe { info.as_ref() } {
        text.number(info.si_code.into());
        if info.si_code > 0 {
            // SAFETY: faults have an address.
            let address = unsafe { info.si_addr() } as usize;
            text.put(b", address 0x").hex(address, 1);
        } else {
            // SAFETY: signals that were sent have a sender.
            let sender = unsafe { info.si_pid() };
            text.put(b", sent by process ").number(sender.into());
        }
    }
    text.put(b"\ncrash: thread ").number(thread.into());
    let worker = scheduler::worker_of(thread);
    match worker {
        Some((number, _)) => text.put(b", worker ").number(number as i64),
        None => text.put(b", no worker"),
    };
    text.put(b"\n").flush(to);
    if let Some((_, Some(running))) = worker {
        message(&mut text, &running);
        text.flush(to);
    } else if worker.is_some() {
        text.put(b"crash: no service is running in it\n").flush(to);
    }
    let at = program_counter(context);
    if at != 0 {
        text.put(b"crash: at 0x").hex(at, 12);
        modules::place(&mut text, at);
        text.put(b"\n").flush(to);
    }
    let mut frames = [ptr::null_mut(); modules::ADDRESSES];
    let count = backtrace(&mut frames);
    if count > 0 {
        text.put(b"crash: called from (addr2line -e FILE PLACE tells the line):\n")
            .flush(to);
        // Without the handler itself, where the crash can be told from it.
        let addresses = frames.map(|frame| frame as usize);
        let first = addresses.iter().position(|&frame| frame == at).unwrap_or(0);
        modules::write(&addresses[first..count], to);
    }
    text.put(b"crash: end\n").flush(to);
}

/// The service and the message.
fn message(text: &mut Text, running: &Running) {
    text.put(b"crash: service :")
        .hex(running.destination as usize, 8);
    // SAFETY: the calling thread is a worker with a turn, inside of a guard.
    if let Some(service) = unsafe { service::find_unguarded(running.destination) } {
        let (module, args) = service.title();
        text.put(b" (").put(module.to_bytes());
        text.put(b" ").put(args).put(b")");
    }
    text.put(b"\ncrash: message from :")
        .hex(running.source as usize, 8);
    text.put(b", session ").number(running.session.into());
    if let Some((ty, size)) = running.payload() {
        text.put(b", type ").number(ty.into());
        if let Some(name) = type_name(ty) {
            text.put(b" (").put(name.as_bytes()).put(b")");
        }
        text.put(b", ").number(size as i64).put(b" bytes");
    }
    text.put(b"\n");
}
