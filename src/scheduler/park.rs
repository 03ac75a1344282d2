//! Where a worker sleeps.
//!
//! A worker sleeps in one of two ways. *Listed*, it does so until there is work for it: a waker takes it off the list by an
//! exchange of its word, so that only one of several wakes it. *Briefly*, it has something to look at later, and any thread may
//! wake it. It may do either in a wait for socket events (`LISTED_POLLING`, `BRIEF_POLLING`).

use crate::base::sync::atomic::{AtomicU32, Ordering};
use crate::base::sync::stop_point;
use kernel::Kernel;
#[cfg(not(feature = "loom"))]
use std::sync::OnceLock;
use std::time::Duration;

const AWAKE: u32 = 0;
const LISTED: u32 = 1;
const LISTED_POLLING: u32 = 2;
const BRIEF: u32 = 3;
const BRIEF_POLLING: u32 = 4;
/// Woken, and has not run since.
const TOKEN: u32 = 5;
/// The same, by a waker that took it off the list.
const TAKEN: u32 = 6;

/// Ends the wait for socket events of the worker that has the poll lease.
#[cfg(not(feature = "loom"))]
static WAKE_POLLER: OnceLock<fn()> = OnceLock::new();

/// How that is done; before any worker sleeps. The first call counts.
pub(super) fn wake_poller_with(wake: fn()) {
    #[cfg(not(feature = "loom"))]
    let _ = WAKE_POLLER.set(wake);
    #[cfg(feature = "loom")]
    let _ = wake;
}

#[cfg(not(feature = "loom"))]
fn wake_poller() {
    if let Some(wake) = WAKE_POLLER.get() {
        wake();
    }
}

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// It was not woken.
    ByItself,
    /// It was woken, ...
    Woken,
    /// ... by a waker that had taken it off the list.
    Taken,
}

/// One sleeper, any number of wakers. A wake that comes first makes the next sleep return at once.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct Parker(AtomicU32, Kernel);

impl Parker {
    /// Owner: it may be taken from now on. False if it was woken before; it is not listed then.
    pub(super) fn list(&self, polls: bool) -> bool {
        self.begin(if polls { LISTED_POLLING } else { LISTED })
    }

    fn begin(&self, state: u32) -> bool {
        let begun = self
            .0
            .compare_exchange(AWAKE, state, Ordering::SeqCst, Ordering::Acquire)
            .is_ok();
        if !begun {
            self.0.store(AWAKE, Ordering::Release);
        }
        begun
    }

    /// Owner, listed: sleeps until it is taken or woken. [`Parker::end`] comes after that.
    pub(super) fn sleep(&self) {
        while self.0.load(Ordering::Acquire) == LISTED {
            self.1.wait(&self.0, LISTED, None);
        }
    }

    /// As [`Parker::sleep`], until the time has passed. May return early.
    pub(super) fn sleep_for(&self, limit: Duration) {
        if self.0.load(Ordering::Acquire) == LISTED {
            self.1.wait(&self.0, LISTED, Some(limit));
        }
    }

    /// Owner: sleeps until [`Parker::wake`], or until the time has passed. True if it was woken.
    pub(super) fn sleep_briefly(&self, limit: Duration) -> bool {
        if !self.begin(BRIEF) {
            return true;
        }
        self.1.wait(&self.0, BRIEF, Some(limit));
        self.end() != Ended::ByItself
    }

    /// Owner: it is about to sleep briefly in a wait for socket events. False if it was woken before that.
    pub(super) fn begin_poll(&self) -> bool {
        self.begin(BRIEF_POLLING)
    }

    /// Owner: the sleep is over, or does not take place.
    pub(super) fn end(&self) -> Ended {
        stop_point();
        match self.0.swap(AWAKE, Ordering::AcqRel) {
            TAKEN => Ended::Taken,
            TOKEN => Ended::Woken,
            _ => Ended::ByItself,
        }
    }

    /// Any thread: whether it can be taken, from a wait for socket events or from the other.
    pub(super) fn is_listed(&self, polling: bool) -> bool {
        let listed = if polling { LISTED_POLLING } else { LISTED };
        self.0.load(Ordering::SeqCst) == listed
    }

    /// Any thread: wakes it if it is listed. Of several concurrent calls, one succeeds.
    pub(super) fn take(&self) -> bool {
        for state in [LISTED, LISTED_POLLING] {
            let taken = self
                .0
                .compare_exchange(state, TAKEN, Ordering::SeqCst, Ordering::Relaxed);
            if taken.is_ok() {
                self.kick(state);
                return true;
            }
        }
        false
    }

    /// Any thread: ends the sleep, whichever it is.
    pub(super) fn wake(&self) {
        let mut state = self.0.load(Ordering::Relaxed);
        // An update also of a word that stays as it is: what was done before this is visible to the thread that wakes up.
        while let Err(now) = self.0.compare_exchange(
            state,
            if state == TAKEN { TAKEN } else { TOKEN },
            Ordering::AcqRel,
            Ordering::Relaxed,
        ) {
            state = now;
        }
        self.kick(state);
    }

    /// Any thread: does once more what a waker may not have come to, if one has begun to.
    pub(super) fn wake_again(&self) {
        if self.0.load(Ordering::Acquire) == TAKEN {
            self.kick(LISTED);
            self.kick(LISTED_POLLING);
        }
    }

    fn kick(&self, state: u32) {
        stop_point();
        match state {
            LISTED | BRIEF => self.1.wake(&self.0),
            LISTED_POLLING | BRIEF_POLLING => self.1.wake_poller(),
            _ => {}
        }
    }
}

/// How a thread waits for its word to change: the futex of Linux.
#[cfg(all(target_os = "linux", not(feature = "loom")))]
mod kernel {
    use super::*;

    #[derive(Default)]
    pub(super) struct Kernel;

    impl Kernel {
        /// Sleeps if the word is as expected, until a wake-up; or wakes up for no reason.
        pub(super) fn wait(&self, word: &AtomicU32, expected: u32, limit: Option<Duration>) {
            let time = limit.map(|limit| libc::timespec {
                tv_sec: limit.as_secs() as libc::time_t,
                tv_nsec: libc::c_long::from(limit.subsec_nanos() as i32),
            });
            let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
            // SAFETY: the word lives as long as the call; a null time means no limit (futex(2)).
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    word.as_ptr(),
                    libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                    expected,
                    time,
                );
            }
        }

        pub(super) fn wake(&self, word: &AtomicU32) {
            // SAFETY: wakes sleepers on the address; touches no memory.
            unsafe {
                libc::syscall(
                    libc::SYS_futex,
                    word.as_ptr(),
                    libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
                    1,
                );
            }
        }

        pub(super) fn wake_poller(&self) {
            wake_poller();
        }
    }
}

/// How a thread waits for its word to change where there is no futex.
#[cfg(all(not(target_os = "linux"), not(feature = "loom")))]
mod kernel {
    use super::*;
    use parking_lot::{Condvar, Mutex};
    static LOCK: Mutex<()> = Mutex::new(());
    static CHANGED: Condvar = Condvar::new();

    #[derive(Default)]
    pub(super) struct Kernel;

    impl Kernel {
        /// Sleeps if the word is as expected, until a wake-up; or wakes up for no reason.
        pub(super) fn wait(&self, word: &AtomicU32, expected: u32, limit: Option<Duration>) {
            let mut held = LOCK.lock();
            if word.load(Ordering::Acquire) == expected {
                match limit {
                    Some(limit) => drop(CHANGED.wait_for(&mut held, limit)),
                    None => CHANGED.wait(&mut held),
                }
            }
        }

        pub(super) fn wake(&self, _: &AtomicU32) {
            let _held = LOCK.lock();
            CHANGED.notify_all();
        }

        pub(super) fn wake_poller(&self) {
            wake_poller();
        }
    }
}

/// The futex and the eventfd as loom's threads see them.
#[cfg(feature = "loom")]
mod kernel {
    use super::*;
    use loom::sync::{Arc, Condvar, Mutex};

    /// An eventfd: remembers a write until it is read.
    pub(super) struct Event(Mutex<bool>, Condvar);

    impl Event {
        pub(super) fn new() -> Arc<Event> {
            Arc::new(Event(Mutex::new(false), Condvar::new()))
        }

        pub(super) fn write(&self) {
            *self.0.lock().expect("no panic inside") = true;
            self.1.notify_one();
        }

        /// What epoll_wait with that eventfd alone does.
        #[cfg(test)]
        pub(super) fn wait(&self) {
            let mut written = self.0.lock().expect("no panic inside");
            while !*written {
                written = self.1.wait(written).expect("no panic inside");
            }
            *written = false;
        }
    }

    pub(super) struct Kernel {
        lock: Mutex<()>,
        changed: Condvar,
        pub(super) event: Arc<Event>,
    }

    impl Kernel {
        pub(super) fn new(event: Arc<Event>) -> Kernel {
            Kernel {
                lock: Mutex::new(()),
                changed: Condvar::new(),
                event,
            }
        }

        /// A wait with a limit has reached it at once: that is the earliest of what may happen.
        pub(super) fn wait(&self, word: &AtomicU32, expected: u32, limit: Option<Duration>) {
            let held = self.lock.lock().expect("no panic inside");
            if limit.is_none() && word.load(Ordering::Acquire) == expected {
                drop(self.changed.wait(held).expect("no panic inside"));
            }
        }

        pub(super) fn wake(&self, _: &AtomicU32) {
            let _held = self.lock.lock().expect("no panic inside");
            self.changed.notify_all();
        }

        pub(super) fn wake_poller(&self) {
            self.event.write();
        }
    }

    impl Default for Kernel {
        fn default() -> Kernel {
            Kernel::new(Event::new())
        }
    }
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::*;

    #[test]
    fn a_wake_before_the_sleep_is_not_lost() {
        let parker = Parker::default();
        parker.wake();
        assert!(!parker.list(false));
        parker.wake();
        assert!(parker.sleep_briefly(Duration::from_secs(1000)));
        assert!(!parker.sleep_briefly(Duration::from_micros(1)));
    }

    #[test]
    fn a_wake_ends_a_sleep() {
        let parker = std::sync::Arc::new(Parker::default());
        let other = parker.clone();
        let sleeper = std::thread::spawn(move || other.list(false).then(|| other.sleep()));
        parker.wake();
        sleeper.join().unwrap();
    }

    #[test]
    fn only_who_is_listed_is_taken_and_once() {
        let parker = Parker::default();
        assert!(!parker.take(), "awake");
        assert!(parker.begin_poll());
        assert!(!parker.take(), "back by itself soon");
        assert_eq!(parker.end(), Ended::ByItself);
        for polls in [false, true] {
            assert!(parker.list(polls));
            assert!(parker.take());
            assert!(!parker.take());
            parker.wake();
            assert_eq!(parker.end(), Ended::Taken);
        }
    }
}

#[cfg(all(test, feature = "loom"))]
#[path = "models.rs"]
mod loom_tests;
