//! The sleep of a thread that has things to do at certain times, and that others may want sooner.
//!
//! The kernel has the time (timerfd), so that to want a thread at some later time costs one system call and wakes no thread
//! before.

use std::io;
use std::os::fd::RawFd;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Never.
const NEVER: u64 = u64::MAX;

/// One sleeper, any number of threads that want it. All times are nanoseconds of the monotonic clock.
///
/// A thread that lowers `due` tells the kernel, and looks again after that: if `due` is even lower by then it tells that
/// too. So the last one to tell the kernel has told it the lowest, and the sleeper depends on no other thread for the time
/// that it has set itself: it tells the kernel in any case.
pub struct Alarm {
    timer: AtomicI32,
    due: AtomicU64,
}

impl Alarm {
    /// An alarm that wakes no thread yet.
    pub const fn new() -> Alarm {
        Alarm {
            timer: AtomicI32::new(-1),
            due: AtomicU64::new(NEVER),
        }
    }

    /// Before the first sleep.
    pub fn open(&self) -> io::Result<()> {
        if self.timer.load(Ordering::Relaxed) >= 0 {
            return Ok(());
        }
        // SAFETY: no pointers.
        let timer = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) };
        if timer < 0 {
            return Err(io::Error::last_os_error());
        }
        self.timer.store(timer, Ordering::Release);
        Ok(())
    }

    /// The sleeper, awake: what is wanted of it after this ends its next sleep. It looks for work after this.
    pub fn reset(&self) {
        self.due.store(NEVER, Ordering::SeqCst);
    }

    /// Any thread, signal handlers too: the sleeper wakes up at `time` at the latest. Keeps `errno`.
    pub fn at_latest(&self, time: u64) {
        if self.due.fetch_min(time, Ordering::SeqCst) > time {
            self.tell(time);
        }
    }

    /// Any thread, signal handlers too: the sleeper wakes up.
    pub fn ring(&self) {
        self.at_latest(0);
    }

    /// The sleeper: sleeps until `time` or until it is wanted. May return early.
    pub fn sleep(&self, time: u64) {
        let due = self.due.fetch_min(time, Ordering::SeqCst).min(time);
        self.tell(due);
        self.await_kernel();
    }

    /// As [`Alarm::sleep`], and not longer than until there is something to read from `other`.
    pub fn sleep_beside(&self, time: u64, other: RawFd) {
        let due = self.due.fetch_min(time, Ordering::SeqCst).min(time);
        // This takes back what has come before, so it need not be read.
        self.tell(due);
        let mut both = [self.timer.load(Ordering::Acquire), other].map(|fd| libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        });
        // SAFETY: two entries, which are writable. An error (a signal) ends the sleep early.
        unsafe { libc::poll(both.as_mut_ptr(), 2, -1) };
    }

    fn await_kernel(&self) {
        let mut count = 0u64;
        // SAFETY: the number is writable. An error (a signal) ends the sleep early.
        unsafe {
            libc::read(
                self.timer.load(Ordering::Acquire),
                (&raw mut count).cast(),
                size_of::<u64>(),
            )
        };
    }

    fn tell(&self, mut time: u64) {
        loop {
            self.set(time);
            let due = self.due.load(Ordering::SeqCst);
            if due >= time {
                return;
            }
            time = due;
        }
    }

    fn set(&self, time: u64) {
        let zero = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let at = match time {
            // Zero would turn the timer off, as this does.
            NEVER => zero,
            _ => libc::timespec {
                tv_sec: (time.max(1) / 1_000_000_000) as libc::time_t,
                tv_nsec: (time.max(1) % 1_000_000_000) as libc::c_long,
            },
        };
        let value = libc::itimerspec {
            it_interval: zero,
            it_value: at,
        };
        // SAFETY: a plain system call, whose argument lives as long; errno is this thread's. Without a timer it fails.
        unsafe {
            let errno = *libc::__errno_location();
            libc::timerfd_settime(
                self.timer.load(Ordering::Acquire),
                libc::TFD_TIMER_ABSTIME,
                &value,
                null_mut(),
            );
            *libc::__errno_location() = errno;
        }
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use crate::base::clock;
    use std::sync::Arc;

    fn alarm() -> Arc<Alarm> {
        let alarm = Arc::new(Alarm::new());
        alarm.open().unwrap();
        alarm
    }

    #[test]
    fn a_sleep_ends_at_its_time_or_an_earlier_one_that_is_set() {
        let alarm = alarm();
        let start = clock::monotonic_nanos();
        alarm.reset();
        alarm.sleep(start + 2_000_000);
        assert!(clock::monotonic_nanos() >= start + 2_000_000);
        alarm.reset();
        let start = clock::monotonic_nanos();
        alarm.at_latest(start + 3_000_000);
        alarm.at_latest(start + 1_000_000);
        alarm.at_latest(start + 2_000_000);
        alarm.sleep(NEVER);
        assert!(clock::monotonic_nanos() >= start + 1_000_000);
    }

    #[test]
    fn a_ring_ends_the_present_sleep_or_the_next() {
        let alarm = alarm();
        alarm.reset();
        alarm.ring();
        alarm.sleep(NEVER);
        alarm.reset();
        let other = alarm.clone();
        let ringer = std::thread::spawn(move || other.ring());
        alarm.sleep(NEVER);
        ringer.join().unwrap();
    }

    #[test]
    fn whoever_wants_the_sleeper_gets_it_however_many_do() {
        const EACH: u64 = 2_000;
        let alarm = alarm();
        let wanted = Arc::new(AtomicU64::new(0));
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let (alarm, wanted) = (alarm.clone(), wanted.clone());
                std::thread::spawn(move || {
                    for i in 0..EACH {
                        wanted.fetch_add(1, Ordering::SeqCst);
                        alarm.at_latest(clock::monotonic_nanos() + i % 3 * 20_000);
                    }
                })
            })
            .collect();
        loop {
            alarm.reset();
            if wanted.load(Ordering::SeqCst) == 3 * EACH {
                break;
            }
            alarm.sleep(NEVER);
        }
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
