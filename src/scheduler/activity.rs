//! What a worker is doing, as others see it: the reports of messages that run for too long, the command RUNNING, and the
//! report of a crash. The worker writes down each message that it begins; the others read that, without asking the worker
//! or the service for anything ([`super::running`]).

use super::cpu::{self, Started};
use super::running::{Running, Shown};
use crate::base::clock;
use crate::base::message::Message;
use parking_lot::Mutex;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// Written by one worker.
pub struct Activity {
    shown: Shown,
    /// The worker's thread, 0 if it is not known.
    thread: AtomicI32,
    /// The message waits for a person ([`super::spare`]).
    held: AtomicBool,
    clocks: Mutex<Clocks>,
}

struct Clocks {
    /// The worker's CPU clock.
    cpu: Option<libc::clockid_t>,
    /// Where the worker notes when a callback begins. Null before it runs and after; it ends with the lock held.
    started: *const Started,
}

// SAFETY: `started` is read under the lock, and points to an atomic that lives until the worker has cleared it.
unsafe impl Send for Clocks {}

impl Default for Activity {
    fn default() -> Activity {
        Activity {
            shown: Shown::new(),
            thread: AtomicI32::new(0),
            held: AtomicBool::new(false),
            clocks: Mutex::new(Clocks {
                cpu: None,
                started: ptr::null(),
            }),
        }
    }
}

impl Activity {
    /// A message from `source` to `destination` begins; 0, 0 when it has ended ("skynet_monitor.h", `skynet_monitor_trigger`).
    pub fn trigger(&self, source: u32, destination: u32) {
        self.shown.enter(destination);
        self.shown.message_from(source);
    }

    /// A turn of the service `destination` begins.
    #[inline(always)]
    pub fn enter(&self, destination: u32) {
        self.shown.enter(destination);
    }

    /// The next message of the turn begins. Those before it need no end.
    #[inline(always)]
    pub fn message(&self, message: &Message) {
        self.shown.message(message);
    }

    /// The worker has no service. Turns that follow each other need no end.
    #[inline(always)]
    pub fn end(&self) {
        self.shown.end();
    }

    #[cfg(feature = "lua")]
    pub(super) fn set_held(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// The message under way waits for a person, so it is not too long however long it takes.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// The calling thread is the worker from now on.
    pub(super) fn attach(&self) {
        let mut clock = 0;
        // SAFETY: the calling thread; `clock` is valid for writing.
        let known = unsafe { libc::pthread_getcpuclockid(libc::pthread_self(), &mut clock) } == 0;
        // SAFETY: no precondition.
        let thread = unsafe { libc::syscall(libc::SYS_gettid) } as i32;
        self.thread.store(thread, Ordering::Release);
        let mut clocks = self.clocks.lock();
        clocks.cpu = known.then_some(clock);
        clocks.started = cpu::started_here();
    }

    /// The calling thread, the worker until now, ends.
    pub(super) fn detach(&self) {
        self.end();
        self.thread.store(0, Ordering::Release);
        let mut clocks = self.clocks.lock();
        clocks.cpu = None;
        clocks.started = ptr::null();
    }

    /// Whether a worker that serves, or one that waits for a person, has the place.
    pub fn is_attached(&self) -> bool {
        self.thread() != 0
    }

    /// Id of the worker's thread; 0 if there is none. Async-signal-safe, as [`Activity::running`] is.
    pub fn thread(&self) -> i32 {
        self.thread.load(Ordering::Acquire)
    }

    /// The message under way; `None` between two.
    pub fn running(&self) -> Option<Running> {
        self.shown.read()
    }

    /// Changes with the begin of each message.
    #[inline]
    pub fn count(&self) -> i32 {
        self.shown.count()
    }

    /// Like [`Activity::count`], ordered before what is read later.
    pub fn count_in_order(&self) -> i32 {
        self.shown.count_in_order()
    }

    /// True while a message is being dispatched.
    pub(super) fn is_busy(&self) -> bool {
        self.shown.has_service()
    }

    /// CPU time of the worker's thread, in nanoseconds, if it is known.
    pub fn cpu_nanos(&self) -> Option<u64> {
        clock::thread_nanos(self.clocks.lock().cpu?)
    }

    /// For how many nanoseconds the present callback has run, if the worker has noted when it began.
    pub fn callback_nanos(&self) -> Option<u64> {
        let clocks = self.clocks.lock();
        // SAFETY: not null means that the worker has not ended, which it does with the lock held.
        let started = unsafe { clocks.started.as_ref() }?.load(Ordering::Relaxed);
        (started != 0)
            .then(|| cpu::micros(cpu::ticks().saturating_sub(started)).saturating_mul(1000))
    }
}
