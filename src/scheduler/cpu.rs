//! What a service's callbacks cost, without a system call per message.
//!
//! The time stamp counter is read once for a turn of one message, and for more of them when a look at it is due (see
//! `messages` in `actor/service/dispatch.rs`): all are the same service's. It runs on while the thread does not, so a callback that took
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

/// Bits of the ticks per microsecond, which are not 0 once they are known.
static RATE: AtomicU64 = AtomicU64::new(0);

/// Ticks per microsecond, measured once against the monotonic clock over two milliseconds; by two threads at once if both
/// are the first.
fn per_micro() -> f64 {
    let known = f64::from_bits(RATE.load(Ordering::Relaxed));
    if known != 0.0 {
        return known;
    }
    let (t0, n0) = both();
    while clock::monotonic_nanos() - n0 < 2_000_000 {
        std::hint::spin_loop();
    }
    let (t1, n1) = both();
    let rate = (t1 - t0) as f64 * 1000.0 / (n1 - n0) as f64;
    RATE.store(rate.to_bits(), Ordering::Relaxed);
    rate
}

/// The counter and the clock at the same time: of some readings the one that was interrupted least.
fn both() -> (u64, u64) {
    let reading = || {
        let before = ticks();
        let nanos = clock::monotonic_nanos();
        (ticks().wrapping_sub(before), before, nanos)
    };
    let (took, before, nanos) = (0..5).map(|_| reading()).min().unwrap_or_else(reading);
    (before + took / 2, nanos)
}

/// So many ticks are no more than `nanos`; 0 while the counter's rate is not known, which [`calibrate`] measures.
pub fn ticks_in(nanos: u64) -> u64 {
    let rate = f64::from_bits(RATE.load(Ordering::Relaxed));
    // What the measurement may be wrong by is left out.
    (nanos as f64 / 1000.0 * rate * 0.99) as u64
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
    /// Begin of the running callback, or of the first of some short ones in a row, in counter ticks; between turns the end of
    /// the last one, which is where the next begins; 0 while the worker does something else.
    static STARTED: Started = const { Started::new(0) };
}

/// Microseconds that the callback running on this thread has used so far, and short ones of the same turn before it, if any.
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
    /// When the thread last stopped to go from turn to turn.
    last: Cell<u64>,
}

thread_local! {
    static BASE: Base = const {
        Base { ticks: Cell::new(0), cpu_nanos: Cell::new(0), long: Cell::new(u64::MAX), last: Cell::new(0) }
    };
}

fn rebase(base: &Base) -> u64 {
    let now = ticks();
    base.ticks.set(now);
    base.cpu_nanos.set(clock::thread_cpu_nanos());
    base.long.set((LONG_MICROS as f64 * per_micro()) as u64);
    now
}

/// The begin of a turn, in counter ticks. Straight from another turn its end is this beginning, which saves a reading.
#[inline(always)]
pub fn begin_turn() -> u64 {
    match STARTED.with(|started| started.load(Ordering::Relaxed)) {
        0 => begin_anew(),
        last => last,
    }
}

/// What passed since the end of the last turn is no service's, so the base is taken anew if it was long.
#[cold]
fn begin_anew() -> u64 {
    let now = BASE.with(|base| {
        let now = ticks();
        if now.wrapping_sub(base.last.get()) > base.long.get() || base.ticks.get() == 0 {
            return rebase(base);
        }
        now
    });
    STARTED.with(|started| started.store(now, Ordering::Relaxed));
    now
}

/// The worker does something else than running services: the next turn starts with a reading of its own.
#[inline]
pub fn interrupt() {
    let last = leave();
    if last != 0 {
        BASE.with(|base| base.last.set(last));
    }
}

/// The callback that runs, if any, is interrupted by turns of others until [`return_to`], with the answer of this.
pub fn leave() -> u64 {
    STARTED.with(|started| {
        let last = started.load(Ordering::Relaxed);
        started.store(0, Ordering::Relaxed);
        last
    })
}

/// The end of what [`leave`] has begun.
pub fn return_to(start: u64) {
    STARTED.with(|started| started.store(start, Ordering::Relaxed));
}

/// CPU ticks of callbacks the first of which began at `start`, and the last has just returned; the second value is now, where
/// the next one begins.
#[inline(always)]
pub fn spent(start: u64) -> (u64, u64) {
    let now = ticks();
    let passed = now.wrapping_sub(start);
    let (passed, now) = if BASE.with(|base| passed <= base.long.get()) {
        (passed, now)
    } else {
        BASE.with(|base| checked(base, start, passed))
    };
    STARTED.with(|started| started.store(now, Ordering::Relaxed));
    (passed, now)
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
