//! For which tick the timer thread sleeps, and who has to tell it of an earlier one. That thread does not take the lock of the timers for
//! it: whoever the system does not run may have that lock, and the timer thread would have it while the system does not run it.
//!
//! Who sets a timer writes `next`, then looks at `alarm`; the timer thread writes `alarm`, then looks at `next` again. So one of the two
//! sees the other. `next` is written under the lock of the timers, and it does not pass a tick before what is due then is taken, under
//! that lock too: so while a thread with the lock looks at `alarm`, the value of a former sleep cannot come back.

use super::resolution::NEVER;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::base::sync::{order_for_loom, stop_point};

/// The timer thread is awake: nobody has to tell it.
const AWAKE: u64 = 0;

/// See the module's documentation.
pub struct Sleeper {
    /// The tick at which there is something to do.
    next: AtomicU64,
    /// The tick for which the timer thread's alarm is set, and the monitor thread's.
    alarm: AtomicU64,
}

impl Sleeper {
    /// Nothing to do. Before the timer thread has looked, it is as if it were awake.
    pub fn new() -> Sleeper {
        Sleeper {
            next: AtomicU64::new(NEVER),
            alarm: AtomicU64::new(AWAKE),
        }
    }

    /// With the lock of the timers: the tick at which there is something to do.
    #[inline]
    pub fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// With the lock of the timers: there is something to do at `tick`, and not before.
    #[inline]
    pub fn set_next(&self, tick: u64) {
        self.next.store(tick, Ordering::SeqCst);
        order_for_loom();
        stop_point();
    }

    /// With the lock of the timers, for a tick that is not before [`Sleeper::next`]: whether the timer thread sleeps longer, and the caller
    /// has to set its alarm.
    #[inline]
    pub fn is_to_be_told(&self, tick: u64) -> bool {
        let mut seen = self.alarm.load(Ordering::SeqCst);
        while tick < seen {
            stop_point();
            match self
                .alarm
                .compare_exchange(seen, tick, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// The timer thread: until when it may sleep.
    pub fn fall_asleep(&self) -> u64 {
        let mut next = self.next.load(Ordering::SeqCst);
        loop {
            self.alarm.store(next, Ordering::SeqCst);
            order_for_loom();
            stop_point();
            let now = self.next.load(Ordering::SeqCst);
            if now >= next {
                return next;
            }
            next = now;
        }
    }

    /// The timer thread is awake, and looks for what is due after this.
    pub fn wake(&self) {
        self.alarm.store(AWAKE, Ordering::SeqCst);
        order_for_loom();
    }
}

#[cfg(all(test, feature = "loom"))]
mod loom_tests {
    use super::*;
    use crate::base::sync::stopping_at;
    use loom::sync::{Arc, Mutex};
    use loom::thread;

    /// What the timer thread and those that set timers share: the lock, and the alarm that the kernel keeps.
    struct Timers {
        lock: Mutex<()>,
        sleeper: Sleeper,
        kernel: AtomicU64,
    }

    impl Timers {
        fn new() -> Arc<Timers> {
            Arc::new(Timers {
                lock: Mutex::new(()),
                sleeper: Sleeper::new(),
                kernel: AtomicU64::new(NEVER),
            })
        }

        fn add(&self, tick: u64) {
            let told = {
                let _lock = self.lock.lock().unwrap();
                if tick < self.sleeper.next() {
                    self.sleeper.set_next(tick);
                }
                self.sleeper.is_to_be_told(tick)
            };
            if told {
                self.kernel.fetch_min(tick, Ordering::SeqCst);
            }
        }

        /// Until when it sleeps unless it is told.
        fn sleep(&self) -> u64 {
            self.sleeper.wake();
            self.sleeper.fall_asleep()
        }
    }

    #[test]
    fn loom_the_timer_thread_sleeps_past_no_timer() {
        loom::model(|| {
            let timers = Timers::new();
            timers.add(9);
            let others = [5, 7].map(|tick| {
                let timers = timers.clone();
                thread::spawn(move || timers.add(tick))
            });
            let asleep = timers.sleep();
            for other in others {
                other.join().unwrap();
            }
            let wakes = asleep.min(timers.kernel.load(Ordering::SeqCst));
            assert!(wakes <= 5, "it sleeps until {wakes}");
        });
    }

    /// Who sets a timer may stop with the lock: the timer thread sleeps and wakes all the same.
    #[test]
    fn loom_the_timer_thread_waits_for_no_thread_that_sets_a_timer() {
        for point in 1..=2 {
            loom::model(move || {
                let timers = Timers::new();
                timers.add(9);
                assert_eq!(timers.sleep(), 9);
                let other = {
                    let timers = timers.clone();
                    thread::spawn(move || {
                        std::mem::forget(timers.lock.lock().unwrap());
                        stopping_at(point, || {
                            timers.sleeper.set_next(5);
                            timers.sleeper.is_to_be_told(5);
                        })
                    })
                };
                let asleep = timers.sleep();
                let stopped = other.join().unwrap();
                assert!(stopped || asleep == 5 || timers.sleeper.alarm.load(Ordering::SeqCst) == 5);
                assert!(timers.sleep() == 5);
            });
        }
    }
}
