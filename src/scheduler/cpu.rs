//! What a service's callbacks cost, without a system call per message.
//!
//! The time stamp counter is read once per message. It runs on while the thread does not, so a callback that took
//! longer than [`LONG_MICROS`] (a thread that loses its processor loses it for longer than that) is checked against the
//! thread's CPU clock: what passed on the counter but not on that clock since the last check was spent off the
//! processor, and is taken off. Times are kept in counter ticks and converted when they are read.

use crate::base::clock;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

const LONG_MICROS: u64 = 50;
/// A service that has more messages than fit into this time gives the others a turn. What waits beside a service whose
/// messages never end waits for two of these at most.
const TURN_MICROS: u64 = 40;

/// The counter: nanoseconds of the monotonic clock where there is no usable one.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn ticks() -> u64 {
    // SAFETY: every x86-64 processor has it.
    unsafe { core::arch::x86_64::_rdtsc() }
}

#[cfg(target_arch = "aarch64")]
#[inline]
pub fn ticks() -> u64 {
    let ticks: u64;
    // SAFETY: reads the virtual counter, which user space may.
    unsafe { core::arch::asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack)) };
    ticks
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
#[inline]
pub fn ticks() -> u64 {
    clock::monotonic_nanos()
}

/// Ticks per microsecond, measured once against the monotonic clock over two milliseconds; by two threads at once if both
/// are the first.
fn per_micro() -> f64 {
    /// Bits of the rate, which is not 0 once it is known.
    static RATE: AtomicU64 = AtomicU64::new(0);
    let known = f64::from_bits(RATE.load(Ordering::Relaxed));
    if known != 0.0 {
        return known;
    }
    let (t0, n0) = (ticks(), clock::monotonic_nanos());
    let rate = loop {
        std::hint::spin_loop();
        let nanos = clock::monotonic_nanos() - n0;
        if nanos >= 2_000_000 {
            break (ticks() - t0) as f64 * 1000.0 / nanos as f64;
        }
    };
    RATE.store(rate.to_bits(), Ordering::Relaxed);
    rate
}

/// [`TURN_MICROS`] in ticks; before the counter's rate is known, no turn is long.
static TURN_TICKS: AtomicU64 = AtomicU64::new(u64::MAX);

/// Measures the counter's rate; at start, so that no message pays for it.
pub fn calibrate() {
    let ticks = TURN_MICROS as f64 * per_micro();
    TURN_TICKS.store(ticks as u64, Ordering::Relaxed);
}

/// True for so many ticks that a turn of that length ends.
#[inline]
pub fn is_long_turn(ticks: u64) -> bool {
    ticks > TURN_TICKS.load(Ordering::Relaxed)
}

/// Microseconds in so many ticks.
pub fn micros(ticks: u64) -> u64 {
    (ticks as f64 / per_micro()) as u64
}

/// Written by the thread that it belongs to.
pub(super) type Started = AtomicU64;

thread_local! {
    /// Begin of the running callback, in counter ticks; 0 outside.
    static STARTED: Started = const { Started::new(0) };
}

/// A callback begins at `now`; 0 says that it has ended.
#[inline(always)]
pub fn note_callback(now: u64) {
    STARTED.with(|started| started.store(now, Ordering::Relaxed));
}

/// Microseconds that the callback running on this thread has used so far.
pub fn running_micros() -> u64 {
    let start = STARTED.with(|started| started.load(Ordering::Relaxed));
    if start == 0 { 0 } else { micros(so_far(start)) }
}

/// Where this thread notes the begin of callbacks, as long as it lives.
pub(super) fn started_here() -> *const Started {
    STARTED.with(std::ptr::from_ref)
}

/// The last check of a thread: counter and CPU clock.
struct Base {
    ticks: Cell<u64>,
    cpu_nanos: Cell<u64>,
    long: Cell<u64>,
    last: Cell<u64>,
    /// `last` was just now: the worker went from turn to turn.
    going: Cell<bool>,
}

thread_local! {
    static BASE: Base = const {
        Base { ticks: Cell::new(0), cpu_nanos: Cell::new(0), long: Cell::new(u64::MAX), last: Cell::new(0), going: Cell::new(false) }
    };
}

fn rebase(base: &Base) -> u64 {
    let now = ticks();
    base.ticks.set(now);
    base.cpu_nanos.set(clock::thread_cpu_nanos());
    base.long.set((LONG_MICROS as f64 * per_micro()) as u64);
    now
}

/// The begin of a turn. What passed since the end of the last one is no service's, so the base is taken anew if it was long.
#[inline]
pub fn begin_turn() -> u64 {
    BASE.with(|base| {
        if base.going.get() {
            // Straight from another turn: its end is our beginning, which saves a reading of the counter.
            return base.last.get();
        }
        let now = ticks();
        if now.wrapping_sub(base.last.get()) > base.long.get() || base.ticks.get() == 0 {
            return rebase(base);
        }
        now
    })
}

/// The worker does something else than running services: the next turn starts with a reading of its own.
#[inline]
pub fn interrupt() {
    BASE.with(|base| base.going.set(false));
}

/// The end of a turn.
#[inline]
pub fn end_turn(now: u64) {
    BASE.with(|base| {
        base.last.set(now);
        base.going.set(true);
    });
}

/// CPU ticks of a callback that began at `start` and has just returned; the second value is now.
#[inline]
pub fn spent(start: u64) -> (u64, u64) {
    let now = ticks();
    let passed = now.wrapping_sub(start);
    BASE.with(|base| {
        if passed <= base.long.get() {
            (passed, now)
        } else {
            checked(base, start, passed)
        }
    })
}

#[cold]
fn checked(base: &Base, start: u64, passed: u64) -> (u64, u64) {
    let cpu = clock::thread_cpu_nanos();
    let now = ticks();
    let on_counter = now.wrapping_sub(base.ticks.get()) as f64;
    let on_cpu = cpu.saturating_sub(base.cpu_nanos.get()) as f64 / 1000.0 * per_micro();
    let passed = passed.max(now.wrapping_sub(start));
    let away = (on_counter - on_cpu).max(0.0) as u64;
    base.ticks.set(now);
    base.cpu_nanos.set(cpu);
    (passed.saturating_sub(away), now)
}

/// CPU ticks of the callback that runs now and began at `start`, without ending it.
fn so_far(start: u64) -> u64 {
    let passed = ticks().wrapping_sub(start);
    BASE.with(|base| {
        if passed <= base.long.get() {
            return passed;
        }
        let on_counter = ticks().wrapping_sub(base.ticks.get()) as f64;
        let on_cpu = clock::thread_cpu_nanos().saturating_sub(base.cpu_nanos.get()) as f64 / 1000.0
            * per_micro();
        passed.saturating_sub((on_counter - on_cpu).max(0.0) as u64)
    })
}
