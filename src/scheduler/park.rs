//! Where a worker sleeps.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

const EMPTY: u32 = 0;
const ASLEEP: u32 = 1;
const TOKEN: u32 = 2;
/// Asleep in a wait for news of sockets.
const POLLING: u32 = 3;

/// One sleeper, any number of wakers. A wake that comes first makes the next sleep return at once.
#[derive(Default)]
pub(super) struct Parker(AtomicU32);

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
            futex_wait(&self.0, ASLEEP, limit);
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
            ASLEEP => futex_wake(&self.0),
            POLLING => crate::socket::wake_poller(),
            _ => {}
        }
    }
}

#[cfg(target_os = "linux")]
fn futex_wait(word: &AtomicU32, expected: u32, limit: Option<Duration>) {
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

#[cfg(target_os = "linux")]
fn futex_wake(word: &AtomicU32) {
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

#[cfg(not(target_os = "linux"))]
mod fallback {
    use super::*;
    use parking_lot::{Condvar, Mutex};
    static LOCK: Mutex<()> = Mutex::new(());
    static CHANGED: Condvar = Condvar::new();

    pub(super) fn futex_wait(word: &AtomicU32, expected: u32, limit: Option<Duration>) {
        let mut held = LOCK.lock();
        if word.load(Ordering::Acquire) == expected {
            match limit {
                Some(limit) => drop(CHANGED.wait_for(&mut held, limit)),
                None => CHANGED.wait(&mut held),
            }
        }
    }

    pub(super) fn futex_wake(_: &AtomicU32) {
        let _held = LOCK.lock();
        CHANGED.notify_all();
    }
}
#[cfg(not(target_os = "linux"))]
use fallback::{futex_wait, futex_wake};

#[cfg(all(test, not(loom)))]
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
