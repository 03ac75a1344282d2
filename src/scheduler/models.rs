//! Models of sleep and wake-up (loom). A worker that stops for ever is a thread of the model that ends at one of its stop
//! points ([`crate::base::sync::stop_point`]); each of them is tried.

use super::kernel::{Event, Kernel};
use super::*;
use crate::base::sync::stopping_at;
use crate::scheduler::idle::Idle;
use crate::scheduler::poller_lock::PollerLock;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, AtomicUsize};
use loom::thread;

impl Parker {
    fn on(event: &Arc<Event>) -> Parker {
        Parker(AtomicU32::new(AWAKE), Kernel::new(event.clone()))
    }

    /// A listed worker waits for socket events of which there are none. True if it was woken.
    fn poll(&self) -> bool {
        self.1.event.wait();
        self.end() != Ended::ByItself
    }
}

fn idle(workers: usize) -> Idle {
    Idle::new((0..workers).map(|_| Parker::default()).collect())
}

/// Loom fails if the sleeper sleeps for ever.
#[test]
fn loom_a_wake_ends_a_sleep_or_a_poll_whenever_it_comes() {
    for polls in [false, true] {
        loom::model(move || {
            let parker = Arc::new(Parker::default());
            let other = parker.clone();
            let sleeper = thread::spawn(move || {
                if other.list(polls) {
                    if polls {
                        assert!(other.poll());
                    } else {
                        other.sleep();
                        assert_eq!(other.end(), Ended::Woken);
                    }
                }
                // Used up: it does not end the next sleep too.
                assert!(!other.sleep_briefly(Duration::ZERO));
            });
            parker.wake();
            sleeper.join().unwrap();
        });
    }
}

/// Work is published while a worker counts itself as asleep, looks once more and goes to sleep: it sees the work, or is
/// woken.
#[test]
fn loom_no_wake_up_is_lost_between_a_sender_and_a_worker_that_goes_to_sleep() {
    for polls in [false, true] {
        loom::model(move || {
            let shared = Arc::new((idle(1), AtomicBool::new(false)));
            shared.0.transition_to_searching(0);
            let other = shared.clone();
            let sender = thread::spawn(move || {
                let (idle, work) = &*other;
                work.store(true, Ordering::SeqCst);
                if idle.should_notify() {
                    idle.notify_one();
                }
            });
            let (idle, work) = &*shared;
            assert!(idle.transition_to_parked(0, polls));
            if work.load(Ordering::SeqCst) {
            } else if polls {
                idle.parker(0).1.event.wait();
            } else {
                idle.parker(0).sleep();
            }
            idle.transition_from_parked(0);
            assert!(work.load(Ordering::SeqCst));
            sender.join().unwrap();
            // None, if the sender came to wake it when it was awake already.
            assert!(matches!(idle.searcher(), None | Some(0)));
            assert_eq!(idle.asleep(), 0);
        });
    }
}

/// The same for a worker that sleeps until a timer is due, which may be at any time; it goes to sleep once more after that.
#[test]
fn loom_no_wake_up_is_lost_when_a_sleep_ends_by_itself() {
    loom::model(|| {
        let shared = Arc::new((idle(1), AtomicBool::new(false)));
        shared.0.transition_to_searching(0);
        let other = shared.clone();
        let sender = thread::spawn(move || {
            let (idle, work) = &*other;
            work.store(true, Ordering::SeqCst);
            if idle.should_notify() {
                idle.notify_one();
            }
        });
        let (idle, work) = &*shared;
        for timed in [true, false] {
            if work.load(Ordering::SeqCst) || !idle.transition_to_parked(0, false) {
                continue;
            }
            match (work.load(Ordering::SeqCst), timed) {
                (true, _) => {}
                (false, true) => idle.parker(0).sleep_for(Duration::from_millis(1)),
                (false, false) => idle.parker(0).sleep(),
            }
            idle.transition_from_parked(0);
        }
        assert!(work.load(Ordering::SeqCst));
        sender.join().unwrap();
        assert_eq!(idle.asleep(), 0);
    });
}

/// Two senders at once wake one worker, not two.
#[test]
fn loom_a_burst_wakes_one() {
    loom::model(|| {
        let idle = Arc::new(idle(2));
        for index in 0..2 {
            idle.transition_to_searching(index);
            assert!(idle.transition_to_parked(index, false));
        }
        let other = idle.clone();
        let sender = thread::spawn(move || other.should_notify() && other.notify_one());
        let mine = idle.should_notify() && idle.notify_one();
        let theirs = sender.join().unwrap();
        assert!(mine ^ theirs);
        let woken = (0..2)
            .filter(|&i| idle.parker(i).end() == Ended::Taken)
            .count();
        assert_eq!(woken, 1);
    });
}

/// Two workers go to sleep, one of them at most in a poll; each is woken once. A write to the eventfd that comes late,
/// when the one that it was meant for has left, ends the poll of another for no reason, as events would; no wake-up is lost
/// by that.
#[test]
fn loom_one_worker_polls_at_a_time_and_each_is_woken() {
    loom::model(|| {
        struct Shared {
            role: PollerLock,
            polling: AtomicUsize,
            workers: [Parker; 2],
        }
        let event = Event::new();
        let shared = Arc::new(Shared {
            role: PollerLock::new(),
            polling: AtomicUsize::new(0),
            workers: [Parker::on(&event), Parker::on(&event)],
        });
        let worker = |index: usize| {
            let shared = shared.clone();
            move || {
                let parker = &shared.workers[index];
                let mut woken = false;
                while !woken {
                    if let Some(right) = shared.role.try_take() {
                        woken = if parker.list(true) {
                            assert_eq!(shared.polling.fetch_add(1, Ordering::Relaxed), 0);
                            let woken = parker.poll();
                            shared.polling.fetch_sub(1, Ordering::Relaxed);
                            woken
                        } else {
                            true
                        };
                        let _ = shared.role.give_back(right);
                    } else if parker.list(false) {
                        parker.sleep();
                        parker.end();
                        woken = true;
                    } else {
                        woken = true;
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

/// A node in small: work that has to be done, workers, one of which stops somewhere for ever, and the watchdog.
struct Node {
    idle: Idle,
    work: AtomicBool,
    done: AtomicBool,
}

impl Node {
    fn new() -> Arc<Node> {
        Arc::new(Node {
            idle: idle(2),
            work: AtomicBool::new(false),
            done: AtomicBool::new(false),
        })
    }

    /// What a sender does.
    fn send(&self) {
        self.work.store(true, Ordering::SeqCst);
        stop_point();
        if self.idle.should_notify() {
            self.idle.notify_one();
        }
    }

    /// The loop of a worker until it or another one has done the work.
    fn work(&self, index: usize) {
        self.idle.transition_to_searching(index);
        while !self.done.load(Ordering::SeqCst) {
            stop_point();
            if self.work.load(Ordering::SeqCst) && self.work.swap(false, Ordering::SeqCst) {
                self.idle.transition_from_searching(index);
                return;
            }
            if !self.idle.transition_to_parked(index, false) {
                self.idle.transition_to_searching(index);
                continue;
            }
            if !self.work.load(Ordering::SeqCst) && !self.done.load(Ordering::SeqCst) {
                self.idle.parker(index).sleep();
            }
            self.idle.transition_from_parked(index);
        }
    }

    fn finish(&self) {
        self.done.store(true, Ordering::SeqCst);
        // The workers end.
        self.idle.parker(0).wake();
        self.idle.parker(1).wake();
    }

    /// What the watchdog does after its patience, which may end at any time.
    fn look_after(&self) {
        if let Some(index) = self.idle.searcher()
            && self.idle.clear_searcher(index)
        {
            self.idle.parker(index).wake_again();
        }
        if self.work.load(Ordering::SeqCst) && self.idle.should_notify() {
            self.idle.notify_one();
        }
    }
}

/// One worker stops for ever wherever it is, woken or not. It is not the one that has taken the work, so that is done: by the
/// other, once the watchdog's patience is over.
#[test]
fn loom_work_does_not_wait_for_a_worker_that_stops() {
    for point in 1..10 {
        loom::model(move || {
            let node = Node::new();
            let (a, b) = (node.clone(), node.clone());
            let stops = thread::spawn(move || {
                stopping_at(point, || a.work(0));
            });
            let goes_on = thread::spawn(move || b.work(1));
            node.send();
            // The first may have taken the work when it stops; then the work stays with it.
            while node.work.load(Ordering::SeqCst) {
                node.look_after();
                thread::yield_now();
            }
            node.finish();
            stops.join().unwrap();
            goes_on.join().unwrap();
        });
    }
}

/// A sender that is a worker stops for ever in the middle of waking another: the watchdog wakes one in its place.
#[test]
fn loom_work_does_not_wait_for_a_waker_that_stops() {
    for point in 1..5 {
        loom::model(move || {
            let node = Node::new();
            let (a, b) = (node.clone(), node.clone());
            let sender = thread::spawn(move || {
                stopping_at(point, || a.send());
                a.work.load(Ordering::SeqCst)
            });
            let worker = thread::spawn(move || b.work(0));
            sender.join().unwrap();
            while node.work.load(Ordering::SeqCst) {
                node.look_after();
                thread::yield_now();
            }
            node.finish();
            worker.join().unwrap();
        });
    }
}
