//! Reaching a service in the middle of a message: the thread that runs it is sent a signal, and the handler, on that
//! thread, does what is wanted. So no other thread touches what belongs to the service, and a service that is not asked for
//! pays nothing.
//!
//! [`ask`] looks which thread is in a message of the service, leaves there which message is meant and sends the signal. The
//! handler finds out where the thread is by then. It may run between any two instructions of the thread; what it relies on:
//!
//! - The service on turn ([`super::on_turn::on_turn_here`]) is set before the first and cleared after the last instruction of a
//!   turn that needs the role of the consumer. So, when the handler finds a service there, this thread is its consumer, the
//!   service is alive and stays so until the handler has returned.
//! - It compares handle and number of the message (of the worker) with those that were meant: a signal that comes late, when
//!   the service or the whole thread is in something else, has no effect.
//! - It takes no lock and allocates nothing; all it uses of the thread are thread-local words without destructor or lazy
//!   initialisation.
//!
//! The same signal comes from the timers of a profile ([`sampling::cpu`]), one for each thread and only while there is a profile; the
//! handler then counts a sample of the service that it finds.
//!
//! The signal is the highest real-time signal that has no handler and is neither ignored nor blocked, taken when it is
//! needed for the first time; if a library takes it away later, another one is found. System calls are restarted
//! (SA_RESTART); those that never are, like `nanosleep` and `poll`, end early with EINTR, so a thread that sleeps is only
//! sent one if it must not wait any more ([`sleeps`]).

use super::cpu_timer::{CpuTimer, expirations};
use super::on_turn::on_turn_here;
use super::{Context, sampling};
use crate::base::clock;
use crate::scheduler;
use libc::{c_int, c_void};
use parking_lot::Mutex;
use std::cell::Cell;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU32, AtomicU64, Ordering, compiler_fence};

/// What is wanted of a service that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// That it stops what it does.
    Stop,
    /// That it logs its stack.
    Stack,
    /// That it looks what the debugger wants.
    Debug,
}

const REQUESTS: [Request; 3] = [Request::Stop, Request::Stack, Request::Debug];

/// The messages that are meant, one word for each kind of request: see [`key`]. 0 is none.
type Wanted = [AtomicU64; REQUESTS.len()];

/// A thread that may run services.
struct Thread {
    id: i32,
    pthread: libc::pthread_t,
    wanted: *const Wanted,
    on_turn: *const AtomicPtr<Context>,
    /// While there is a profile.
    timer: Option<CpuTimer>,
    /// CPU time when that was started, in nanoseconds.
    since: u64,
}

// SAFETY: the pointers lead to thread-local atomics of a thread that leaves the list before it ends.
unsafe impl Send for Thread {}

static THREADS: Mutex<Vec<Thread>> = Mutex::new(Vec::new());
/// Samples for each second of CPU time; 0 without a profile. Changes under the lock of `THREADS`.
static RATE: AtomicU32 = AtomicU32::new(0);
/// The signal that this module has; 0 before it is needed. Changes under the lock of `THREADS`.
static NUMBER: AtomicI32 = AtomicI32::new(0);

thread_local! {
    static WANTED: Wanted = const { [const { AtomicU64::new(0) }; REQUESTS.len()] };
    static LISTED: Cell<bool> = const { Cell::new(false) };
    static KEEPER: Keeper = const { Keeper };
}

/// Takes the thread off the list when it ends.
struct Keeper;

impl Drop for Keeper {
    fn drop(&mut self) {
        let here = WANTED.with(ptr::from_ref);
        THREADS.lock().retain(|thread| thread.wanted != here);
    }
}

/// The calling thread may run services from now on.
pub(super) fn list_thread() {
    if LISTED.replace(true) || KEEPER.try_with(|_| ()).is_err() {
        return;
    }
    let mut thread = Thread {
        // SAFETY: no precondition.
        id: unsafe { libc::syscall(libc::SYS_gettid) } as i32,
        // SAFETY: no precondition.
        pthread: unsafe { libc::pthread_self() },
        wanted: WANTED.with(ptr::from_ref),
        on_turn: on_turn_here(),
        timer: None,
        since: 0,
    };
    let mut threads = THREADS.lock();
    thread.sample();
    threads.push(thread);
}

impl Thread {
    /// Starts its timer, or stops it. For the holder of the lock. False: it cannot be started.
    fn sample(&mut self) -> bool {
        let hz = RATE.load(Ordering::Relaxed);
        self.timer = None;
        if hz == 0 {
            return true;
        }
        self.since = self.cpu_nanos();
        // SAFETY: a listed thread lives, and so does the calling one; the handler is installed.
        self.timer = number()
            .and_then(|signal| unsafe { CpuTimer::start(self.pthread, self.id, signal, hz) });
        self.timer.is_some()
    }
}

impl Thread {
    /// CPU time, in nanoseconds. For the holder of the lock: a listed thread lives.
    fn cpu_nanos(&self) -> u64 {
        let mut id = 0;
        // SAFETY: the thread lives; `id` is valid for writing.
        let known = unsafe { libc::pthread_getcpuclockid(self.pthread, &mut id) } == 0;
        known
            .then(|| clock::thread_nanos(id))
            .flatten()
            .unwrap_or(0)
    }
}

/// Lets every thread take so many samples in a second of its CPU time ([`sampling::cpu`]). False, and nothing is done: no signal or
/// no timer is left.
pub(super) fn start_sampling(hz: u32) -> bool {
    let mut threads = THREADS.lock();
    RATE.store(hz, Ordering::Relaxed);
    let all = threads.iter_mut().all(Thread::sample);
    if !all {
        RATE.store(0, Ordering::Relaxed);
        threads.iter_mut().for_each(|thread| thread.timer = None);
    }
    all
}

/// The end of that. Signals that are on their way find no profile. How much CPU time the threads have used meanwhile, in nanoseconds.
pub(super) fn stop_sampling() -> u64 {
    let mut threads = THREADS.lock();
    RATE.store(0, Ordering::Relaxed);
    let mut nanos = 0;
    for thread in threads.iter_mut() {
        if thread.timer.take().is_some() {
            nanos += thread.cpu_nanos().saturating_sub(thread.since);
        }
    }
    nanos
}

/// Something that tells this thread from the others, and this message from those before and after it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The thread.
    pub thread: usize,
    /// Number of the message, as its worker counts.
    pub message: i32,
}

impl Place {
    /// Where the calling thread is. Async-signal-safe.
    pub fn here() -> Place {
        Place {
            thread: WANTED.with(ptr::from_ref) as usize,
            // Threads that no worker is do not count.
            message: scheduler::current_count().unwrap_or(0),
        }
    }
}

fn key(handle: u32, message: i32) -> u64 {
    u64::from(handle) << 32 | u64::from(message.cast_unsigned())
}

/// The message of `context` that `thread` is in: 0 if the thread is no worker, so that its messages are not counted; `None`
/// if it is in none.
fn message_of(thread: &Thread, context: &Context) -> Option<i32> {
    // SAFETY: a listed thread lives.
    let on_turn = unsafe { (*thread.on_turn).load(Ordering::Relaxed) };
    if !ptr::eq(on_turn, context) {
        return None;
    }
    match scheduler::worker_of(thread.id) {
        None => Some(0),
        Some((_, running)) => running
            .filter(|running| running.destination == context.handle())
            .map(|running| running.version),
    }
}

/// Lets the service do what is wanted, if it is in a message now, and, with `message`, if that is the one. False: it is in
/// none, or no signal is free.
pub fn ask(context: &Context, request: Request, message: Option<i32>) -> bool {
    let threads = THREADS.lock();
    for thread in threads.iter() {
        let Some(now) = message_of(thread, context) else {
            continue;
        };
        if message.is_some_and(|message| message != now) {
            return false;
        }
        let Some(signal) = number() else {
            return false;
        };
        // SAFETY: the thread lives, because it is listed and the lock is held.
        unsafe {
            (*thread.wanted)[request as usize].store(key(context.handle(), now), Ordering::SeqCst);
            return libc::pthread_kill(thread.pthread, signal) == 0;
        }
    }
    false
}

/// Whether the thread waits in a system call, if that can be found out.
pub fn sleeps(thread: i32) -> bool {
    let Ok(line) = std::fs::read_to_string(format!("/proc/self/task/{thread}/stat")) else {
        return false;
    };
    // The name before it may hold anything.
    let state = line.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_some_and(|rest| rest.starts_with(['S', 'D']))
}

/// With `SA_SIGINFO`.
type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The signal, with the handler installed; `None` if none is free. For the holder of the lock.
fn number() -> Option<c_int> {
    let handler: Handler = on_signal;
    let known = NUMBER.load(Ordering::Relaxed);
    if known != 0 && handler_of(known) == handler as libc::sighandler_t {
        return Some(known);
    }
    let free = free_signal()?;
    // SAFETY: a zeroed sigaction is valid; the handler does what a signal handler may do.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        if libc::sigaction(free, &action, ptr::null_mut()) != 0 {
            return None;
        }
    }
    NUMBER.store(free, Ordering::Relaxed);
    Some(free)
}

fn handler_of(signal: c_int) -> libc::sighandler_t {
    // SAFETY: a zeroed sigaction is valid; with no new action the call only reads.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        if libc::sigaction(signal, ptr::null(), &mut action) == 0 {
            action.sa_sigaction
        } else {
            libc::SIG_IGN
        }
    }
}

#[cfg(target_os = "linux")]
fn free_signal() -> Option<c_int> {
    // SAFETY: a zeroed set is valid for writing; without a new mask the call only reads.
    let blocked = unsafe {
        let mut blocked: libc::sigset_t = mem::zeroed();
        libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), &mut blocked);
        blocked
    };
    (libc::SIGRTMIN()..=libc::SIGRTMAX())
        .rev()
        // SAFETY: a set, and a number of a signal. A thread that waits for a signal with `sigwait` or a descriptor blocks it.
        .filter(|&signal| unsafe { libc::sigismember(&blocked, signal) } == 0)
        .find(|&signal| handler_of(signal) == libc::SIG_DFL)
}

#[cfg(not(target_os = "linux"))]
fn free_signal() -> Option<c_int> {
    None
}

/// See the head of the file.
extern "C" fn on_signal(_signal: c_int, info: *mut libc::siginfo_t, _: *mut c_void) {
    let wanted = WANTED.with(|wanted| [0, 1, 2].map(|i| wanted[i].swap(0, Ordering::SeqCst)));
    // SAFETY: a thread-local word of this thread.
    let context = unsafe { (*on_turn_here()).load(Ordering::Relaxed) };
    compiler_fence(Ordering::SeqCst);
    // SAFETY: null, or the service on turn on this thread.
    let context = unsafe { context.as_ref() };
    // SAFETY: from the system.
    if let Some(count) = unsafe { expirations(info) } {
        // SAFETY: the service on turn on this thread.
        unsafe { sampling::cpu::take(context, count) };
    }
    let Some(context) = context else {
        return;
    };
    let place = Place::here();
    let now = key(context.handle(), place.message);
    for (request, meant) in REQUESTS.into_iter().zip(wanted) {
        if meant == now {
            // SAFETY: as above: this thread runs the service.
            unsafe { context.interrupt(request, place) };
        }
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn a_signal_with_a_handler_is_left_alone() {
        extern "C" fn theirs(_: c_int) {}
        let lock = THREADS.lock();
        let first = number().expect("a signal is free");
        assert_eq!(number(), Some(first), "it stays");
        let handler: extern "C" fn(c_int) = theirs;
        // SAFETY: a handler that does nothing.
        unsafe { libc::signal(first, handler as libc::sighandler_t) };
        let second = number().expect("another signal is free");
        assert_ne!(first, second);
        assert_eq!(handler_of(first), handler as libc::sighandler_t);
        drop(lock);
    }

    #[test]
    fn threads_are_listed_while_they_live() {
        let listed = |id: i32| THREADS.lock().iter().any(|thread| thread.id == id);
        let id = std::thread::spawn(move || {
            list_thread();
            list_thread();
            // SAFETY: no precondition.
            let id = unsafe { libc::syscall(libc::SYS_gettid) } as i32;
            let mine = THREADS.lock().iter().filter(|t| t.id == id).count();
            assert_eq!(mine, 1);
            assert!(!sleeps(id));
            id
        })
        .join()
        .unwrap();
        assert!(!listed(id));
    }
}
