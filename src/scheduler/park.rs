//! Where a worker sleeps.

use crate::sync::atomic::{AtomicU32, Ordering};
use kernel::Kernel;
use std::time::Duration;

const EMPTY: u32 = 0;
const ASLEEP: u32 = 1;
const TOKEN: u32 = 2;
/// Asleep in a wait for news of sockets.
const POLLING: u32 = 3;

/// One sleeper, any number of wakers. A wake that comes first makes the next sleep return at once.
#[derive(Default)]
pub(super) struct Parker(AtomicU32, Kernel);

impl Parker {
    /// Sleeps until [`Parker::wake`], or until the time has passed. True if it was woken. Only the owner.
    pub(super) fn sleep(&self, limit: Option<Duration>) -> bool {
        if self
            .0
            .compare_exchange(EMPTY, ASLEEP, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            self.0.store(EMPTY, Ordering::Release);
            return true;
        }
        loop {
            self.1.wait(&self.0, ASLEEP, limit);
            if self.0.load(Ordering::Acquire) == TOKEN || limit.is_some() {
                break;
            }
        }
        self.0.swap(EMPTY, Ordering::AcqRel) == TOKEN
    }

    /// The owner is about to sleep in a wait for news of sockets. False if it was woken before that.
    pub(super) fn begin_poll(&self) -> bool {
        let begun = self
            .0
            .compare_exchange(EMPTY, POLLING, Ordering::AcqRel, Ordering::Acquire)
            .is_ok();
        if !begun {
            self.0.store(EMPTY, Ordering::Release);
        }
        begun
    }

    /// That wait is over. True if the owner was woken.
    pub(super) fn end_poll(&self) -> bool {
        self.0.swap(EMPTY, Ordering::AcqRel) == TOKEN
    }

    /// Ends the sleep.
    pub(super) fn wake(&self) {
        match self.0.swap(TOKEN, Ordering::AcqRel) {
            ASLEEP => self.1.wake(&self.0),
            POLLING => self.1.wake_poller(),
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
        /// Sleeps if the word is as expected, until somebody wakes it; or wakes up for no reason.
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
            crate::socket::wake_poller();
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
        /// Sleeps if the word is as expected, until somebody wakes it; or wakes up for no reason.
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
            crate::socket::wake_poller();
        }
    }
}

/// The futex and the eventfd as loom's threads see them.
#[cfg(feature = "loom")]
mod kernel {
    use super::*;
    use loom::sync::{Arc, Condvar, Mutex};

    /// An eventfd: remembers that somebody wrote to it until somebody has read it.
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
        assert!(parker.sleep(None));
        assert!(!parker.sleep(Some(Duration::from_micros(1))));
    }

    #[test]
    fn a_wake_ends_a_sleep() {
        let parker = std::sync::Arc::new(Parker::default());
        let other = parker.clone();
        let sleeper = std::thread::spawn(move || other.sleep(None));
        parker.wake();
        sleeper.join().unwrap();
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::kernel::Event;
    use super::*;
    use crate::scheduler::idle::Idle;
    use crate::socket::role::Role;
    use loom::sync::Arc;
    use loom::sync::atomic::{AtomicBool, AtomicUsize};
    use loom::thread;

    impl Parker {
        fn on(event: &Arc<Event>) -> Parker {
            Parker(AtomicU32::new(EMPTY), Kernel::new(event.clone()))
        }

        /// A worker waits for news of sockets of which there are none. True if it was woken.
        fn poll(&self) -> bool {
            if self.begin_poll() {
                self.1.event.wait();
                return self.end_poll();
            }
            true
        }
    }

    /// Loom fails if the sleeper sleeps for ever.
    #[test]
    fn loom_a_wake_ends_a_sleep_or_a_poll_whenever_it_comes() {
        for polls in [false, true] {
            loom::model(move || {
                let parker = Arc::new(Parker::default());
                let other = parker.clone();
                let sleeper = thread::spawn(move || {
                    if polls {
                        assert!(other.poll());
                    } else {
                        assert!(other.sleep(None));
                    }
                    // Used up: it does not end the next sleep too.
                    assert!(!other.sleep(Some(Duration::ZERO)));
                });
                parker.wake();
                sleeper.join().unwrap();
            });
        }
    }

    /// Work is published while a worker counts itself as asleep, looks once more and goes to poll: it sees the work, or is
    /// woken.
    #[test]
    fn loom_no_wake_up_is_lost_between_a_sender_and_a_worker_that_goes_to_poll() {
        loom::model(|| {
            let shared = Arc::new((Idle::new(), AtomicBool::new(false), Parker::default()));
            shared.0.search();
            let other = shared.clone();
            let sender = thread::spawn(move || {
                let (idle, work, parker) = &*other;
                work.store(true, Ordering::SeqCst);
                if idle.whom_to_wake().is_some() {
                    parker.wake();
                }
            });
            let (idle, work, parker) = &*shared;
            idle.give_up(0, false);
            if !work.load(Ordering::SeqCst) {
                assert!(parker.poll());
            }
            idle.awake(0);
            assert!(work.load(Ordering::SeqCst));
            assert_eq!(idle.searching(), 1);
            sender.join().unwrap();
        });
    }

    /// Two workers go to sleep, one of them at most in a poll; each is woken once. A write to the eventfd that comes late,
    /// when the one that it was meant for has left, ends the poll of another for no reason, as news would; it costs nobody
    /// his wake-up.
    #[test]
    fn loom_one_worker_polls_at_a_time_and_each_is_woken() {
        loom::model(|| {
            struct Shared {
                role: Role,
                polling: AtomicUsize,
                workers: [Parker; 2],
            }
            let event = Event::new();
            let shared = Arc::new(Shared {
                role: Role::new(),
                polling: AtomicUsize::new(0),
                workers: [Parker::on(&event), Parker::on(&event)],
            });
            let worker = |index: usize| {
                let shared = shared.clone();
                move || {
                    let parker = &shared.workers[index];
                    let mut woken = false;
                    while !woken {
                        if shared.role.try_take() {
                            assert_eq!(shared.polling.fetch_add(1, Ordering::Relaxed), 0);
                            woken = parker.poll();
                            shared.polling.fetch_sub(1, Ordering::Relaxed);
                            let _ = shared.role.give_back();
                        } else {
                            woken = parker.sleep(None);
                        }
                    }
                }
            };
            let sleepers = [thread::spawn(worker(0)), thread::spawn(worker(1))];
            for parker in &shared.workers {
                parker.wake();
            }
            for sleeper in sleepers {
                sleeper.join().unwrap();
            }
        });
    }
}
