//! Time of the node: centiseconds on the monotonic clock, from a start that is aligned with the wall clock.
//!
//! `start_time() + now() / 100` is the wall time as it was known at the start: a later jump of the wall clock moves nothing.

use std::sync::OnceLock;

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

fn monotonic_ticks() -> i64 {
    let time = read(libc::CLOCK_MONOTONIC);
    time.tv_sec * 100 + time.tv_nsec / TICK_NANOS as i64
}

fn origin() -> Origin {
    *ORIGIN.get_or_init(|| {
        let wall = read(libc::CLOCK_REALTIME);
        Origin {
            seconds: wall.tv_sec as u32,
            offset: wall.tv_nsec / TICK_NANOS as i64 - monotonic_ticks(),
        }
    })
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
    (monotonic_ticks() + origin().offset) as u64
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

/// The monotonic clock in milliseconds.
pub fn monotonic_millis() -> u64 {
    monotonic_nanos() / 1_000_000
}

/// When [`monotonic_millis`] becomes `millis`, as [`monotonic_nanos`] says.
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

/// When [`now`] becomes `tick`, as [`monotonic_nanos`] says.
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
