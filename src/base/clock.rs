//! Time of the node: centiseconds on the monotonic clock, from a start that is aligned with the wall clock.
//!
//! `start_time() + now() / 100` is the wall time as it was known at the start: a later jump of the wall clock moves nothing.
//!
//! With virtual time ([`make_virtual`]) the node's clock stands still unless somebody moves it ([`jump_to`]) or lets it go on
//! ([`run`]); `start_time` is what it was, and `now` begins at 0. The functions whose names begin with `monotonic` and the CPU
//! times are those of the machine in any case: what has to do with threads and the system goes by them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

const TICK_NANOS: u64 = 10_000_000;

#[derive(Clone, Copy)]
struct Origin {
    /// Unix seconds at the start.
    seconds: u32,
    /// What [`now`] answers minus the centiseconds of the monotonic clock.
    offset: i64,
}

static ORIGIN: OnceLock<Origin> = OnceLock::new();

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing; a failure leaves zero.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time
}

/// The time at which the node's clock stands still, in its nanoseconds; 0: it goes on.
static FROZEN: AtomicU64 = AtomicU64::new(0);
/// By how many nanoseconds the node's clock is ahead of the monotonic one while it goes on.
static AHEAD: AtomicI64 = AtomicI64::new(0);
static VIRTUAL: OnceLock<()> = OnceLock::new();

/// The node's clock in nanoseconds: the monotonic one, unless time is virtual.
fn node_nanos() -> u64 {
    // Acquire, with the release in `run`: who finds the clock going on finds by how much it is ahead.
    match FROZEN.load(Ordering::Acquire) {
        0 => monotonic_nanos().wrapping_add_signed(AHEAD.load(Ordering::Relaxed)),
        frozen => frozen,
    }
}

fn node_ticks() -> i64 {
    (node_nanos() / TICK_NANOS) as i64
}

fn origin() -> Origin {
    *ORIGIN.get_or_init(|| {
        let wall = read(libc::CLOCK_REALTIME);
        let begins = match VIRTUAL.get() {
            // The same in each run.
            Some(()) => 0,
            None => wall.tv_nsec / TICK_NANOS as i64,
        };
        Origin {
            seconds: wall.tv_sec as u32,
            offset: begins - node_ticks(),
        }
    })
}

/// Makes time virtual: the node's clock stands still from now on. Before [`init`].
pub fn make_virtual() {
    if VIRTUAL.set(()).is_ok() {
        // At the beginning of a tick, so that timers of ticks and of milliseconds have the same order in each run.
        let now = monotonic_nanos();
        FROZEN.store((now - now % TICK_NANOS).max(TICK_NANOS), Ordering::Release);
    }
}

/// Whether time is virtual.
#[inline]
pub fn is_virtual() -> bool {
    VIRTUAL.get().is_some()
}

/// Virtual time, the timer thread: the node's clock goes on from where it stands.
pub fn run() {
    loop {
        let frozen = FROZEN.load(Ordering::Relaxed);
        if frozen == 0 {
            return;
        }
        let ahead = frozen.wrapping_sub(monotonic_nanos()) as i64;
        AHEAD.store(ahead, Ordering::Relaxed);
        // Not if a tick has passed meanwhile: the clock would go back by it.
        let goes_on = FROZEN.compare_exchange(frozen, 0, Ordering::Release, Ordering::Relaxed);
        if goes_on.is_ok() {
            return;
        }
    }
}

/// Virtual time, the timer thread: the node's clock stands still at `time` (as [`nanos_of`] says), or where it is if that is
/// later. It never goes back.
pub fn jump_to(time: u64) {
    // Of two readers around this, one may have read the clock while it went on: a tick more at most, for a moment.
    FROZEN.store(node_nanos().max(time), Ordering::Release);
}

/// Virtual time, in a seeded order: 1/100 s passes.
pub fn pass_tick() {
    jump_to(node_nanos() + TICK_NANOS);
}

/// Virtual time: how far the clock is from `time`, in nanoseconds; `None` while it stands still.
pub fn distance(time: u64) -> Option<u64> {
    (FROZEN.load(Ordering::Relaxed) == 0).then(|| time.saturating_sub(node_nanos()))
}

/// CPU time of another thread, by its clock, in nanoseconds; `None` when it has ended.
pub fn thread_nanos(clock: libc::clockid_t) -> Option<u64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is valid for writing.
    let known = unsafe { libc::clock_gettime(clock, &mut time) } == 0;
    known.then_some(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

/// Starts the clock, unless it runs already (any other function here starts it, too).
pub fn init() {
    origin();
}

/// Centiseconds since the start, plus the 0..=99 centiseconds of the wall clock's second at the start.
pub fn now() -> u64 {
    (node_ticks() + origin().offset) as u64
}

/// [`now`] for statistics: a few milliseconds late, and without a look at the machine's counter.
pub fn now_coarse() -> u64 {
    if is_virtual() {
        return now();
    }
    #[cfg(target_os = "linux")]
    let time = read(libc::CLOCK_MONOTONIC_COARSE);
    #[cfg(not(target_os = "linux"))]
    let time = read(libc::CLOCK_MONOTONIC);
    let nanos = time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
    ((nanos / TICK_NANOS) as i64 + origin().offset).max(0) as u64
}

/// Unix seconds at the start.
pub fn start_time() -> u32 {
    origin().seconds
}

/// The monotonic clock in nanoseconds.
pub fn monotonic_nanos() -> u64 {
    let time = read(libc::CLOCK_MONOTONIC);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The node's clock in milliseconds: the monotonic one, unless time is virtual.
pub fn millis() -> u64 {
    node_nanos() / 1_000_000
}

/// When [`millis`] becomes `millis`, in nanoseconds of the node's clock.
pub fn nanos_of_millis(millis: u64) -> u64 {
    millis.saturating_mul(1_000_000)
}

/// CPU time of the calling thread in nanoseconds.
pub fn thread_cpu_nanos() -> u64 {
    let time = read(libc::CLOCK_THREAD_CPUTIME_ID);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CPU time of the calling thread in microseconds.
pub fn thread_time() -> u64 {
    thread_cpu_nanos() / 1000
}

/// When [`now`] becomes `tick`, in nanoseconds of the node's clock (without virtual time as [`monotonic_nanos`] says).
pub fn nanos_of(tick: u64) -> u64 {
    let ticks = (tick.min(i64::MAX as u64 / 2) as i64 - origin().offset).max(0);
    (ticks as u64).saturating_mul(TICK_NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_starts_within_the_first_second_and_agrees_with_the_wall_clock() {
        init();
        let wall = read(libc::CLOCK_REALTIME).tv_sec;
        let ours = i64::from(start_time()) + (now() / 100) as i64;
        assert!((wall - ours).abs() <= 1, "{wall} {ours}");
    }

    #[test]
    fn instant_of_a_tick_is_where_the_tick_begins() {
        let tick = now();
        let begin = nanos_of(tick);
        assert_eq!(nanos_of(tick + 1) - begin, TICK_NANOS);
        assert!(begin <= monotonic_nanos());
    }

    #[test]
    fn thread_time_grows_with_work() {
        let before = thread_time();
        let mut x = 1u64;
        while thread_time() < before + 1000 {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
    }
}
