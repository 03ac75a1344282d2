//! The sleep of a thread that has things to do at certain times, and that others may want sooner.
//!
//! The kernel has the time (timerfd), so that to want a thread at some later time costs one system call and wakes no thread
//! before. Where a sandbox refuses timerfd, who wants the thread sooner than it sleeps wakes it (eventfd), and it looks anew how
//! long it may.

use std::io;
use std::os::fd::RawFd;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::clock;

/// Never.
const NEVER: u64 = u64::MAX;

/// One sleeper, any number of threads that want it. All times are nanoseconds of the monotonic clock.
///
/// A thread that lowers `due` tells the kernel, and looks again after that: if `due` is even lower by then it tells that
/// too. So the last one to tell the kernel has told it the lowest, and the sleeper depends on no other thread for the time
/// that it has set itself: it tells the kernel in any case.
pub struct Alarm {
    timer: AtomicI32,
    /// In the place of the timer; -1 with one.
    bell: AtomicI32,
    due: AtomicU64,
}

impl Alarm {
    /// An alarm that wakes no thread yet.
    pub const fn new() -> Alarm {
        Alarm {
            timer: AtomicI32::new(-1),
            bell: AtomicI32::new(-1),
            due: AtomicU64::new(NEVER),
        }
    }

    /// Before the first sleep. `Some`: why the system refuses a timer, without which the alarm works too.
    pub fn open(&self) -> io::Result<Option<io::Error>> {
        if self.timer.load(Ordering::Relaxed) >= 0 {
            return Ok(None);
        }
        match new_timer() {
            Ok(timer) => {
                self.timer.store(timer, Ordering::Release);
                Ok(None)
            }
            Err(problem) => self.open_bell().map(|()| Some(problem)),
        }
    }

    fn open_bell(&self) -> io::Result<()> {
        if self.bell.load(Ordering::Relaxed) < 0 {
            // SAFETY: no pointers.
            let bell = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
            if bell < 0 {
                return Err(io::Error::last_os_error());
            }
            self.bell.store(bell, Ordering::Release);
        }
        Ok(())
    }

    /// The sleeper, awake: what is wanted of it after this ends its next sleep. It looks for work after this.
    pub fn reset(&self) {
        self.due.store(NEVER, Ordering::SeqCst);
    }

    /// Any thread, signal handlers too: the sleeper wakes up at `time` at the latest. Keeps `errno`.
    pub fn at_latest(&self, time: u64) {
        if self.due.fetch_min(time, Ordering::SeqCst) > time {
            match self.bell.load(Ordering::Acquire) {
                ..0 => self.tell(time),
                bell => strike(bell),
            }
        }
    }

    /// Any thread, signal handlers too: the sleeper wakes up.
    pub fn ring(&self) {
        self.at_latest(0);
    }

    /// The sleeper: sleeps until `time` or until it is wanted. May return early.
    pub fn sleep(&self, time: u64) {
        let due = self.due.fetch_min(time, Ordering::SeqCst).min(time);
        match self.bell.load(Ordering::Acquire) {
            ..0 => {
                self.tell(due);
                self.await_kernel();
            }
            bell => self.await_bell(bell, -1),
        }
    }

    /// As [`Alarm::sleep`], and not longer than until there is something to read from `other`.
    pub fn sleep_beside(&self, time: u64, other: RawFd) {
        let due = self.due.fetch_min(time, Ordering::SeqCst).min(time);
        match self.bell.load(Ordering::Acquire) {
            ..0 => {
                // This takes back what has come before, so it need not be read.
                self.tell(due);
                await_any(self.timer.load(Ordering::Acquire), other, None);
            }
            bell => self.await_bell(bell, other),
        }
    }

    /// Sleeps until the earliest time that was set, also meanwhile, or something to read from `other` (-1: nothing).
    fn await_bell(&self, bell: RawFd, other: RawFd) {
        loop {
            let due = self.due.load(Ordering::SeqCst);
            let left = (due != NEVER).then(|| due.saturating_sub(clock::monotonic_nanos()));
            if !await_any(bell, other, left) {
                return;
            }
            let mut count = 0_u64;
            // SAFETY: the number is writable, and nothing is waited for. What it was struck for stands in `due`.
            unsafe { libc::read(bell, (&raw mut count).cast(), size_of::<u64>()) };
        }
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

/// A timer that works: a filter of system calls may refuse to make one, or to set it.
fn new_timer() -> io::Result<RawFd> {
    // SAFETY: no pointers.
    let timer = unsafe { libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_CLOEXEC) };
    if timer < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a number of times is a plain value; it turns the timer off, which it is.
    let set = unsafe {
        let off: libc::itimerspec = std::mem::zeroed();
        libc::timerfd_settime(timer, libc::TFD_TIMER_ABSTIME, &off, null_mut())
    };
    if set < 0 {
        let problem = io::Error::last_os_error();
        // SAFETY: it was made here, and nobody knows it.
        unsafe { libc::close(timer) };
        return Err(problem);
    }
    Ok(timer)
}

/// Ends the present sleep, or the next. Keeps `errno`.
fn strike(bell: RawFd) {
    let one = 1_u64;
    // SAFETY: a plain system call, whose argument lives as long; errno is this thread's. A bell that is full rings.
    unsafe {
        let errno = *libc::__errno_location();
        libc::write(bell, (&raw const one).cast(), size_of::<u64>());
        *libc::__errno_location() = errno;
    }
}

/// Sleeps until there is something to read, for `left` nanoseconds at most. Whether that is from `one` alone. May return early.
fn await_any(one: RawFd, other: RawFd, left: Option<u64>) -> bool {
    let mut both = [one, other].map(|fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    });
    let left = left.map(|left| libc::timespec {
        tv_sec: (left / 1_000_000_000) as libc::time_t,
        tv_nsec: (left % 1_000_000_000) as libc::c_long,
    });
    let left = left.as_ref().map_or(null(), std::ptr::from_ref);
    // SAFETY: two entries, which are writable, and a time that lives as long. An error (a signal) ends the sleep early.
    let count = unsafe { libc::ppoll(both.as_mut_ptr(), 2, left, null()) };
    count > 0 && both[1].revents == 0
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;

    /// One with a timer, and one where the system refuses it.
    fn alarms() -> [Arc<Alarm>; 2] {
        let [with, without] = [(); 2].map(|()| Arc::new(Alarm::new()));
        assert!(with.open().unwrap().is_none());
        without.open_bell().unwrap();
        [with, without]
    }

    #[test]
    fn a_sleep_ends_at_its_time_or_an_earlier_one_that_is_set() {
        for alarm in alarms() {
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
    }

    #[test]
    fn a_ring_ends_the_present_sleep_or_the_next() {
        for alarm in alarms() {
            alarm.reset();
            alarm.ring();
            alarm.sleep(NEVER);
            alarm.reset();
            let other = alarm.clone();
            let ringer = std::thread::spawn(move || other.ring());
            alarm.sleep(NEVER);
            ringer.join().unwrap();
        }
    }

    #[test]
    fn what_is_read_elsewhere_ends_a_sleep_beside_it() {
        for alarm in alarms() {
            let (other, mut writer) = UnixStream::pair().unwrap();
            alarm.reset();
            let ringer = std::thread::spawn(move || {
                writer.write_all(b"x").unwrap();
                writer
            });
            alarm.sleep_beside(NEVER, other.as_raw_fd());
            ringer.join().unwrap();
            alarm.reset();
            alarm.sleep(0); // another sleep is not ended by it, and ends in time
        }
    }

    #[test]
    fn whoever_wants_the_sleeper_gets_it_however_many_do() {
        for alarm in alarms() {
            want_it_often(&alarm);
        }
    }

    fn want_it_often(alarm: &Arc<Alarm>) {
        const EACH: u64 = 2_000;
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
