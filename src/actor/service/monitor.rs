//! What a worker is doing, as others see it: the monitor thread, which reports messages that run for too long, the command
//! RUNNING, and the report of a crash.
//!
//! The worker writes down each message that it begins; the others read that, without asking the worker or the service for
//! anything ([`super::running`]).

use super::context::{self, Context};
use super::dispatch::{Started, started_here};
use super::running::{Running, Shown};
use super::{cpu, inspect};
use crate::actor::log;
use crate::base::clock;
use crate::base::message::Message;
#[cfg(feature = "lua")]
use crate::services::builtin::Stack;
use parking_lot::Mutex;
use std::fmt::{self, Write as _};
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};

/// `struct skynet_monitor`, opaque to C. Written by one worker, except for `watch`.
#[repr(align(64))]
pub struct Monitor {
    shown: Shown,
    /// The worker's thread, 0 if it is not known.
    thread: AtomicI32,
    watch: Mutex<Watch>,
}

/// What the monitor thread remembers of the message that it saw at its last look.
struct Watch {
    version: i32,
    /// 0 when the worker had no service. A worker that has just taken one is still at the version of its last message.
    destination: u32,
    /// When that was, in nanoseconds of the monotonic clock, and the CPU time of the thread then.
    seen_at: u64,
    cpu_seen: Option<u64>,
    /// Looks since then, and the one that is the next to be reported.
    looks: u32,
    report_at: u32,
    /// The service was asked for its stack.
    asked: bool,
    /// The worker's CPU clock.
    cpu_clock: Option<libc::clockid_t>,
    /// Where the worker notes when a callback begins. Null before it runs and after; it ends with the lock held.
    started: *const Started,
}

// SAFETY: `started` is read under the lock, and points to an atomic that lives until the worker has cleared it.
unsafe impl Send for Watch {}

impl Default for Monitor {
    fn default() -> Monitor {
        Monitor {
            shown: Shown::new(),
            thread: AtomicI32::new(0),
            watch: Mutex::new(Watch {
                version: 0,
                destination: 0,
                seen_at: 0,
                cpu_seen: None,
                looks: 0,
                report_at: 1,
                asked: false,
                cpu_clock: None,
                started: ptr::null(),
            }),
        }
    }
}

/// What [`Monitor::check`] found.
pub struct Look {
    /// The worker is in the same message as at the last look.
    pub stuck: bool,
    /// What was logged about it this time.
    pub report: Option<String>,
}

impl Monitor {
    /// A message from `source` to `destination` begins; 0, 0 when it has ended ("skynet_monitor.h", `skynet_monitor_trigger`).
    pub fn trigger(&self, source: u32, destination: u32) {
        self.shown.enter(destination);
        self.shown.message_from(source);
    }

    /// A turn of the service `destination` begins.
    #[inline(always)]
    pub(super) fn enter(&self, destination: u32) {
        self.shown.enter(destination);
    }

    /// The next message of the turn begins. Those before it need no end.
    #[inline(always)]
    pub(super) fn message(&self, message: &Message) {
        self.shown.message(message);
    }

    /// The worker has no service. Turns that follow each other need no end.
    #[inline(always)]
    pub(crate) fn end(&self) {
        self.shown.end();
    }

    /// The calling thread is the worker from now on.
    pub(crate) fn attach(&self) {
        let mut clock = 0;
        // SAFETY: our own thread; `clock` is valid for writing.
        let known = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) } == 0;
        // SAFETY: no precondition.
        let thread = unsafe { libc::syscall(libc::SYS_gettid) } as i32;
        self.thread.store(thread, Ordering::Release);
        let mut watch = self.watch.lock();
        watch.cpu_clock = known.then_some(clock);
        watch.started = started_here();
    }

    /// The calling thread, the worker until now, ends.
    pub(crate) fn detach(&self) {
        self.end();
        self.thread.store(0, Ordering::Release);
        let mut watch = self.watch.lock();
        watch.cpu_clock = None;
        watch.started = ptr::null();
    }

    /// Id of the worker's thread. Async-signal-safe, as [`Monitor::running`] is.
    pub(crate) fn thread(&self) -> i32 {
        self.thread.load(Ordering::Acquire)
    }

    /// The message under way; `None` between two.
    pub(crate) fn running(&self) -> Option<Running> {
        self.shown.read()
    }

    /// Monitor thread: reports the message that was already running at the last check ("skynet_monitor.h", `skynet_monitor_check`),
    /// then after twice as many checks, and so on.
    pub fn check(&self) -> Look {
        let nothing = Look {
            stuck: false,
            report: None,
        };
        let version = self.shown.count_in_order();
        // Dropped after the lock: the release of a service may run anything.
        let mut service = Service(ptr::null_mut());
        let mut watch = self.watch.lock();
        let running = self.running();
        let destination = running.map_or(0, |running| running.destination);
        let same = |r: &Running| r.version == watch.version && r.destination == watch.destination;
        let Some(running) = running.filter(same) else {
            if watch.looks != 0 {
                log::error(0, b"stuck: the message that was reported has ended");
            }
            watch.begin(version, destination);
            return nothing;
        };
        watch.looks = watch.looks.saturating_add(1);
        service.grab(running.destination);
        if let Some(service) = service.get() {
            service.mark_endless();
        }
        if std::mem::take(&mut watch.asked)
            && let Some(service) = service.get()
        {
            report_no_stack(service);
        }
        if watch.looks < watch.report_at {
            return Look {
                stuck: true,
                report: None,
            };
        }
        watch.report_at = watch.report_at.saturating_mul(2);
        let Running {
            source,
            destination,
            version,
            ..
        } = running;
        let first = format!(
            "error: A message from [ :{source:08x} ] to [ :{destination:08x} ] maybe in an endless loop (version = {version})"
        );
        log::error(0, first.as_bytes());
        let mut second = format!("stuck: {}", watch.line(&running));
        if let Some(used) = watch.cpu_used() {
            let nanos = clock::monotonic_nanos().saturating_sub(watch.seen_at);
            let _ = write!(
                second,
                "; {} of CPU time in the last {}",
                Seconds(used),
                Seconds(nanos)
            );
        }
        log::error(0, second.as_bytes());
        if let Some(service) = service.get() {
            watch.asked = ask_stack(service, version, self.thread());
        }
        Look {
            stuck: true,
            report: Some(first + "\n" + &second),
        }
    }

    /// What the worker does, for people.
    pub(crate) fn line(&self) -> String {
        let watch = self.watch.lock();
        match self.running() {
            Some(running) => watch.line(&running),
            None => String::from("idle"),
        }
    }

    /// Changes with the begin of each message.
    #[inline]
    pub fn count(&self) -> i32 {
        self.shown.count()
    }

    /// True while a message is being dispatched.
    pub fn is_busy(&self) -> bool {
        self.shown.has_service()
    }
}

/// Asks a service for its stack, if it is one that has a stack of Lua. False: nothing will come.
#[cfg(feature = "lua")]
fn ask_stack(service: &Context, message: i32, thread: i32) -> bool {
    // What it waits for would be interrupted, and there is no Lua code to be stopped in.
    if super::thread_signal::sleeps(thread) {
        log::error_fmt(
            0,
            format_args!(
                "stuck: :{:08x} waits in a system call: it is in a C function",
                service.handle()
            ),
        );
        return false;
    }
    service.ask_stack(message)
}

#[cfg(not(feature = "lua"))]
fn ask_stack(_: &Context, _: i32, _: i32) -> bool {
    false
}

/// Says why the log has no stack, if it has none.
#[cfg(feature = "lua")]
fn report_no_stack(service: &Context) {
    let handle = service.handle();
    match service.stack() {
        Stack::Logged => {}
        Stack::Pending => log::error_fmt(
            0,
            format_args!(
                "stuck: :{handle:08x} has run no Lua code since it was asked for its stack: it is in a C function"
            ),
        ),
        Stack::Refused => log::error_fmt(
            0,
            format_args!("stuck: no stack of :{handle:08x}: a debug hook of its own is set"),
        ),
    }
}

#[cfg(not(feature = "lua"))]
fn report_no_stack(_: &Context) {}

/// A service that is not released meanwhile, if it is there.
struct Service(*mut Context);

impl Service {
    fn grab(&mut self, handle: u32) {
        *self = Service(context::grab(handle));
    }

    fn get(&self) -> Option<&Context> {
        // SAFETY: null, or alive by the reference that `grab` took.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the reference of `grab`.
            unsafe { context::release(self.0) };
        }
    }
}

impl Watch {
    /// Another message than at the last look.
    fn begin(&mut self, version: i32, destination: u32) {
        self.version = version;
        self.destination = destination;
        self.seen_at = clock::monotonic_nanos();
        self.cpu_seen = self.cpu_clock.and_then(clock::thread_nanos);
        self.looks = 0;
        self.report_at = 1;
        self.asked = false;
    }

    /// CPU time of the thread since the first look at this message.
    fn cpu_used(&self) -> Option<u64> {
        Some(clock::thread_nanos(self.cpu_clock?)?.saturating_sub(self.cpu_seen?))
    }

    fn line(&self, running: &Running) -> String {
        let service = inspect::describe(running.destination);
        // SAFETY: not null means that the worker has not ended, which it does with the lock held.
        let started = unsafe { self.started.as_ref() }.map_or(0, |s| s.load(Ordering::Relaxed));
        if started != 0 {
            let nanos = cpu::micros(cpu::ticks().saturating_sub(started)).saturating_mul(1000);
            format!("{service} runs for {}, {running}", Seconds(nanos))
        } else if self.version == running.version {
            let nanos = clock::monotonic_nanos().saturating_sub(self.seen_at);
            format!("{service} runs for more than {}, {running}", Seconds(nanos))
        } else {
            // The monitor has not seen it, and nobody has noted when it began.
            format!("{service} runs, {running}")
        }
    }
}

/// What people call a type of messages ("skynet.h", `PTYPE_*`).
pub(crate) fn type_name(ty: u8) -> Option<&'static str> {
    const NAMES: [&str; 12] = [
        "text",
        "response",
        "multicast",
        "client",
        "system",
        "harbor",
        "socket",
        "error",
        "queue",
        "debug",
        "lua",
        "snax",
    ];
    NAMES.get(usize::from(ty)).copied()
}

/// Nanoseconds as `1.25 s`.
struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} s", self.0 as f64 / 1e9)
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use crate::base::message::ptype;

    #[test]
    fn a_message_is_reported_after_one_two_four_looks() {
        let monitor = Monitor::default();
        monitor.enter(0x0012_3456);
        monitor.message(&Message::empty(7, ptype::CLIENT, -3));
        let reported: Vec<bool> = (0..9).map(|_| monitor.check().report.is_some()).collect();
        let expected = [1, 2, 4, 8];
        for (look, reported) in reported.into_iter().enumerate() {
            assert_eq!(reported, expected.contains(&look), "look {look}");
        }
        monitor.message(&Message::empty(8, ptype::TEXT, 0));
        assert!(!monitor.check().stuck);
        let again = monitor.check().report.unwrap();
        assert!(
            again.contains("from [ :00000008 ] to [ :00123456 ]"),
            "{again}"
        );
    }

    #[test]
    fn a_worker_that_has_just_taken_a_service_is_not_in_a_message_of_before() {
        let monitor = Monitor::default();
        monitor.enter(7);
        assert!(!monitor.check().stuck, "its first");
        monitor.message(&Message::empty(1, ptype::TEXT, 0));
        monitor.end();
        assert!(!monitor.check().stuck);
        monitor.enter(8);
        assert!(!monitor.check().stuck, "after a rest");
    }

    #[test]
    fn what_runs_is_told_in_full_or_as_far_as_it_is_known() {
        let monitor = Monitor::default();
        assert!(monitor.running().is_none());
        monitor.enter(2);
        monitor.message(&Message::empty(7, ptype::RESERVED_LUA, i32::MAX));
        let text = monitor.running().unwrap().to_string();
        assert_eq!(
            text,
            "a message from :00000007, type 10 (lua), session 2147483647, 0 bytes"
        );
        monitor.trigger(1, 2);
        assert_eq!(
            monitor.running().unwrap().to_string(),
            "a message from :00000001"
        );
        monitor.trigger(0, 0);
        assert!(monitor.running().is_none());
        assert_eq!(monitor.line(), "idle");
    }
}
