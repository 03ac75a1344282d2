//! A lock that no waiting thread is ever given.
//!
//! `parking_lot`'s hands itself over to a thread that waits, now and then, so that each has its turn. On a busy machine that
//! thread may not run for long, and all others wait for it although nobody is inside. Here an unlocked lock is free for
//! whoever comes first; who waits looks again by himself after [`LOOK`], so that he depends on no thread to wake him either.
//!
//! For sections of a few instructions that all workers come through.

use super::sync::atomic::{AtomicU32, Ordering};
use super::sync::{hint, stop_point};
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

const FREE: u32 = 0;
const HELD: u32 = 1;
/// Held, and a thread sleeps, perhaps.
const AWAITED: u32 = 2;

/// A waiter looks so often before it sleeps, ...
const SPINS: u32 = if cfg!(feature = "loom") { 1 } else { 50 };
/// ... and sleeps no longer than this.
#[cfg(not(feature = "loom"))]
const LOOK: std::time::Duration = std::time::Duration::from_millis(1);

/// See the module's documentation.
pub struct Mutex<T> {
    word: AtomicU32,
    value: UnsafeCell<T>,
}

// SAFETY: one thread at a time gets at the value.
unsafe impl<T: Send> Send for Mutex<T> {}
// SAFETY: one thread at a time gets at the value, so `T` is moved between threads and never shared.
unsafe impl<T: Send> Sync for Mutex<T> {}

/// The right to the value, as `&mut T` is.
pub struct MutexGuard<'a, T>(&'a Mutex<T>, PhantomData<&'a mut T>);

impl<T> Mutex<T> {
    /// A free lock.
    pub fn new(value: T) -> Mutex<T> {
        Mutex {
            word: AtomicU32::new(FREE),
            value: UnsafeCell::new(value),
        }
    }

    /// Waits until no other thread has it.
    #[inline]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        if !self.try_take() {
            self.wait();
        }
        MutexGuard(self, PhantomData)
    }

    #[inline(always)]
    fn try_take(&self) -> bool {
        self.word
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[cold]
    fn wait(&self) {
        for _ in 0..SPINS {
            hint::spin_loop();
            if self.word.load(Ordering::Relaxed) == FREE && self.try_take() {
                return;
            }
        }
        stop_point();
        // What is taken here is marked as awaited: there may be others. At worst its holder wakes one for nothing.
        while self.word.swap(AWAITED, Ordering::Acquire) != FREE {
            kernel::wait(&self.word, AWAITED);
            stop_point();
        }
    }

    fn unlock(&self) {
        if self.word.swap(FREE, Ordering::Release) == AWAITED {
            kernel::wake(&self.word);
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard is the right to the value.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard is the right to the value.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.0.unlock();
    }
}

#[cfg(all(target_os = "linux", not(feature = "loom")))]
mod kernel {
    use super::{AtomicU32, LOOK};

    /// Sleeps for a while if the word is as expected.
    pub(super) fn wait(word: &AtomicU32, expected: u32) {
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: libc::c_long::from(LOOK.subsec_nanos() as i32),
        };
        let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: the word and the time live as long as the call (futex(2)).
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, &time) };
    }

    pub(super) fn wake(word: &AtomicU32) {
        let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
        // SAFETY: wakes sleepers on the address; touches no memory.
        unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, 1) };
    }
}

#[cfg(all(not(target_os = "linux"), not(feature = "loom")))]
mod kernel {
    use super::{AtomicU32, LOOK};

    pub(super) fn wait(_: &AtomicU32, _: u32) {
        std::thread::sleep(LOOK);
    }

    pub(super) fn wake(_: &AtomicU32) {}
}

/// Nobody is woken: a waiter looks by himself.
#[cfg(feature = "loom")]
mod kernel {
    use super::AtomicU32;

    pub(super) fn wait(_: &AtomicU32, _: u32) {
        loom::thread::yield_now();
    }

    pub(super) fn wake(_: &AtomicU32) {}
}

#[cfg(all(test, target_os = "linux", not(feature = "loom")))]
mod tests {
    use super::*;
    use std::os::unix::thread::JoinHandleExt;
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use std::time::Duration;

    static STOPPED: AtomicBool = AtomicBool::new(false);
    static GO_ON: AtomicBool = AtomicBool::new(false);

    extern "C" fn stop(_: libc::c_int) {
        STOPPED.store(true, Ordering::SeqCst);
        while !GO_ON.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn await_(flag: impl Fn() -> bool) {
        while !flag() {
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// However long a thread has waited, others get in when the system does not run it.
    #[test]
    fn a_thread_that_waits_and_does_not_run_keeps_nobody_out() {
        let lock: &'static Mutex<u32> = Box::leak(Box::new(Mutex::new(0)));
        let held = lock.lock();
        let waiter = thread::spawn(|| *lock.lock() += 1);
        await_(|| lock.word.load(Ordering::SeqCst) == AWAITED);
        // SAFETY: the handler does what a handler may; nobody else uses this signal, and the thread has not been joined.
        unsafe {
            libc::signal(
                libc::SIGRTMIN() + 7,
                stop as *const () as libc::sighandler_t,
            );
            libc::pthread_kill(waiter.as_pthread_t(), libc::SIGRTMIN() + 7);
        }
        await_(|| STOPPED.load(Ordering::SeqCst));
        drop(held);
        for _ in 0..100 {
            *lock.lock() += 1;
        }
        thread::spawn(|| *lock.lock() += 1).join().unwrap();
        assert_eq!(*lock.lock(), 101);
        GO_ON.store(true, Ordering::SeqCst);
        waiter.join().unwrap();
        assert_eq!(*lock.lock(), 102);
    }

    #[test]
    fn one_thread_at_a_time_is_inside() {
        let lock = Mutex::new(0u64);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..20_000 {
                        *lock.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), 80_000);
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use crate::base::sync::stopping_at;
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;
    use loom::thread;

    fn pass_through(lock: &Mutex<AtomicUsize>) {
        let inside = lock.lock();
        assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
        inside.fetch_sub(1, Ordering::Relaxed);
    }

    /// One of three stops for ever while it waits.
    #[test]
    fn loom_one_thread_is_inside_and_none_waits_for_a_waiter_that_stops() {
        for point in 1..3 {
            let mut model = loom::model::Builder::new();
            model.preemption_bound = Some(2);
            model.check(move || {
                let lock = Arc::new(Mutex::new(AtomicUsize::new(0)));
                let (a, b) = (lock.clone(), lock.clone());
                let stops = thread::spawn(move || {
                    stopping_at(point, || pass_through(&a));
                });
                let goes_on = thread::spawn(move || pass_through(&b));
                pass_through(&lock);
                stops.join().unwrap();
                goes_on.join().unwrap();
            });
        }
    }
}
