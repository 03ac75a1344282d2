//! Workers in the place of those whose message waits for a person: a debugger has stopped the service.
//!
//! Such a message may wait for hours, and other services must not wait for it. So the worker that is about to wait ([`held`])
//! leaves what is ready to all others, and a spare worker takes its place: a thread that is started when there is none yet.
//! When the message goes on there is one too many, and a spare that has finished its turn gives up what it has and rests. The thread of
//! one that nobody has called for [`PATIENCE`] ends.
//! Running workers are then as many as the config says, or for the rest of one turn one more.
//!
//! The places of spares ([`super::Remote`]) are made with those of the others, at the start, where a node may need them
//! ([`allow`]). A node that does not has none, and nothing here costs it anything.
//!
//! The lock is taken by those that begin or end such a wait and by spares, for some instructions or the start of a thread. Other
//! workers never wait for it.

use crate::base::sync::atomic::{AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, MutexGuard};
use std::sync::{OnceLock, PoisonError};
use std::time::Duration;

/// So long a spare rests: a person makes one step after the other.
const PATIENCE: Duration = Duration::from_secs(10);

/// Starts a thread that calls [`super::run_spare`] with the index, when the thread before that had this index has ended: it is about to.
/// False if the system has none.
pub type Spawn = fn(usize) -> bool;

/// How many spares there are, and what they do. It is the same for any number of messages that wait: there are as many spares that
/// serve as messages that wait, or more.
struct Spares {
    /// How many there may be.
    most: usize,
    threads: Mutex<Threads>,
    call: Condvar,
    /// Messages that wait, and spares that serve. Written with the lock held.
    held: AtomicUsize,
    active: AtomicUsize,
}

#[derive(Default)]
struct Threads {
    /// Numbers that were given to threads.
    numbers: usize,
    /// ... of which these are of threads that have ended, or are about to.
    free: Vec<usize>,
    /// Spares that rest, or are about to.
    resting: usize,
    /// Rests that are over, of threads that have not woken up yet.
    called: usize,
}

impl Spares {
    fn new(most: usize) -> Spares {
        Spares {
            most,
            threads: Mutex::default(),
            call: Condvar::new(),
            held: AtomicUsize::new(0),
            active: AtomicUsize::new(0),
        }
    }

    /// Who panics ends the process.
    fn lock(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One message more waits; one spare more serves, or `spawn` starts it, which gets its number. `None`: there are so many already, or
    /// no thread is to be had.
    fn begin(&self, spawn: impl FnOnce(usize) -> bool) -> Option<()> {
        let mut threads = self.lock();
        let held = self.held.load(Ordering::Relaxed) + 1;
        if held > self.most {
            return None;
        }
        if self.active.load(Ordering::Relaxed) < held {
            if threads.resting > threads.called {
                threads.called += 1;
                self.call.notify_one();
            } else {
                let number = threads.free.pop().unwrap_or(threads.numbers);
                let is_new = number == threads.numbers;
                if !spawn(number) {
                    if !is_new {
                        threads.free.push(number);
                    }
                    return None;
                }
                threads.numbers += usize::from(is_new);
            }
            self.active.fetch_add(1, Ordering::SeqCst);
        }
        self.held.store(held, Ordering::SeqCst);
        Some(())
    }

    /// It goes on.
    fn end(&self) {
        let _threads = self.lock();
        self.held.fetch_sub(1, Ordering::SeqCst);
    }

    /// Of a spare between two turns: whether it is one too many. Then it does not serve any more, and has to [`Spares::rest`].
    #[inline]
    fn is_surplus(&self) -> bool {
        let surplus = || self.active.load(Ordering::Relaxed) > self.held.load(Ordering::Relaxed);
        surplus() && {
            let mut threads = self.lock();
            // Another one may have given up meanwhile.
            let surplus = surplus();
            if surplus {
                self.active.fetch_sub(1, Ordering::SeqCst);
                // It may be called from now on, also before it sleeps.
                threads.resting += 1;
            }
            surplus
        }
    }

    /// Until the spare is called. False: it is not needed, as the node has ended or nobody has called it for `patience`. Then its thread has to
    /// end, and its number is another one's.
    fn rest(&self, number: usize, patience: Duration, has_ended: impl Fn() -> bool) -> bool {
        let mut threads = self.lock();
        let mut is_over = patience.is_zero();
        while threads.called == 0 && !is_over && !has_ended() {
            let waited = self.call.wait_timeout(threads, patience);
            let (locked, result) = waited.unwrap_or_else(PoisonError::into_inner);
            (threads, is_over) = (locked, result.timed_out());
        }
        threads.resting -= 1;
        let is_called = threads.called != 0;
        if is_called {
            threads.called -= 1;
        } else {
            threads.free.push(number);
        }
        is_called
    }

    /// The node has ended: nobody rests any more.
    fn call_all(&self) {
        let _threads = self.lock();
        self.call.notify_all();
    }
}

static SPARES: OnceLock<(Spares, Spawn)> = OnceLock::new();

/// From now on so many messages may be held at a time. Before [`super::start`]; the first call counts.
pub fn allow(most: usize, spawn: Spawn) {
    let _ = SPARES.set((Spares::new(most), spawn));
}

/// How many places of spares there are.
pub(super) fn places() -> usize {
    SPARES.get().map_or(0, |(spares, _)| spares.most)
}

/// A message that may wait: see [`hold`].
#[cfg(feature = "lua")]
#[must_use = "the spare serves until it ends"]
pub struct Held(&'static super::Remote);

#[cfg(feature = "lua")]
impl Held {
    /// The message goes on. Any thread.
    pub fn end(self) {
        self.0.activity.set_held(false);
        if let Some((spares, _)) = SPARES.get() {
            spares.end();
        }
    }
}

/// Runs `wait`, in which the message that this thread handles may wait for as long as it likes. `None`, and nothing is run, where
/// that is not possible ([`hold`]).
#[cfg(feature = "lua")]
pub fn held<R>(wait: impl FnOnce() -> R) -> Option<R> {
    let held = hold()?;
    let result = wait();
    held.end();
    Some(result)
}

/// The message that this thread handles may wait for as long as it likes, until [`Held::end`]. `None` where that is not possible:
/// the thread is no worker, so many messages are held already as were allowed, or there is no thread to be had.
#[cfg(feature = "lua")]
pub fn hold() -> Option<Held> {
    let ((spares, spawn), local, shared) =
        (SPARES.get()?, super::WORKER.get()?, super::SHARED.get()?);
    // Their places are behind those of the others.
    let first = shared.workers.len() - spares.most;
    spares.begin(|number| spawn(first + number))?;
    // What is ready here, others run now.
    local.clear_out();
    shared.wake_for_surplus();
    local.activity.set_held(true);
    Some(Held(local.remote))
}

/// See [`Spares::is_surplus`].
#[inline]
pub(super) fn is_surplus() -> bool {
    SPARES.get().is_some_and(|(spares, _)| spares.is_surplus())
}

/// Until the spare with that index is needed again. False: its thread has to end.
pub(super) fn rest(index: usize) -> bool {
    let (Some((spares, _)), Some(shared)) = (SPARES.get(), super::SHARED.get()) else {
        return false;
    };
    let number = index - (shared.workers.len() - spares.most);
    spares.rest(number, PATIENCE, super::has_ended)
}

/// The node ends: nobody rests any more.
pub(super) fn end() {
    if let Some((spares, _)) = SPARES.get() {
        spares.call_all();
    }
}

/// Threads that serve, of which `workers` are no spares.
pub(super) fn running(workers: usize) -> usize {
    let Some((spares, _)) = SPARES.get() else {
        return workers;
    };
    // Acquire: a spare that serves no more has handled its last message.
    workers - spares.most + spares.active.load(Ordering::Acquire)
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use super::*;
    use crate::base::sync::atomic::AtomicBool;
    use loom::sync::Arc;
    use loom::thread;
    use std::sync::Mutex as PlainMutex;

    /// Wakes who waits for it, also when it comes first.
    struct Wake(Mutex<bool>, Condvar);

    impl Wake {
        fn new() -> Wake {
            Wake(Mutex::new(false), Condvar::new())
        }

        fn notify(&self) {
            *self.0.lock().unwrap() = true;
            self.1.notify_one();
        }

        fn wait(&self) {
            let mut woken = self.0.lock().unwrap();
            while !*woken {
                woken = self.1.wait(woken).unwrap();
            }
            *woken = false;
        }
    }

    /// A time that is long enough in a model, and one in which nobody is called.
    const LONG: Duration = Duration::from_secs(1);
    const NONE: Duration = Duration::ZERO;

    /// Spares, a node that ends, and work that waits for one of them.
    struct Node {
        spares: Spares,
        patience: Duration,
        ended: AtomicBool,
        /// Work, or the end, for a spare that sleeps; and that the work is done.
        work: Wake,
        done: Wake,
        threads: PlainMutex<Vec<thread::JoinHandle<()>>>,
    }

    impl Node {
        fn new(most: usize) -> Arc<Node> {
            Node::with(most, LONG)
        }

        fn with(most: usize, patience: Duration) -> Arc<Node> {
            Arc::new(Node {
                spares: Spares::new(most),
                patience,
                ended: AtomicBool::new(false),
                work: Wake::new(),
                done: Wake::new(),
                threads: PlainMutex::default(),
            })
        }

        fn spawn(this: &Arc<Node>, number: usize) -> bool {
            let node = this.clone();
            let thread = thread::spawn(move || node.serve(number));
            this.threads.lock().unwrap().push(thread);
            true
        }

        /// A spare, as [`super::super::worker`] has it. One at a time may sleep.
        fn serve(&self, number: usize) {
            let has_ended = || self.ended.load(Ordering::SeqCst);
            while !has_ended() {
                if self.spares.is_surplus() {
                    if !self.spares.rest(number, self.patience, has_ended) {
                        return;
                    }
                } else {
                    self.work.wait();
                    self.done.notify();
                }
            }
        }

        /// A message that waits until a spare has done something. Whether it could wait.
        fn hold(this: &Arc<Node>) -> bool {
            let spawn = |number| Node::spawn(this, number);
            if this.spares.begin(spawn).is_none() {
                return false;
            }
            this.work.notify();
            this.done.wait();
            this.spares.end();
            true
        }

        fn end(&self) {
            self.ended.store(true, Ordering::SeqCst);
            self.spares.call_all();
            self.work.notify();
            let threads = std::mem::take(&mut *self.threads.lock().unwrap());
            for thread in threads {
                thread.join().unwrap();
            }
        }
    }

    fn model(f: impl Fn() + Send + Sync + 'static) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = model.preemption_bound.or(Some(2));
        model.check(f);
    }

    /// Loom fails if nobody serves while a message waits, or if a spare rests for ever.
    #[test]
    fn loom_a_spare_serves_while_a_message_waits_and_ends_with_the_node() {
        model(|| {
            let node = Node::new(1);
            assert!(Node::hold(&node));
            node.end();
        });
    }

    /// The first one may be about to rest, or rest, or still serve.
    #[test]
    fn loom_one_thread_is_enough_for_waits_that_follow_each_other() {
        model(|| {
            let node = Node::new(1);
            assert!(Node::hold(&node));
            assert!(Node::hold(&node));
            assert_eq!(node.threads.lock().unwrap().len(), 1);
            node.end();
        });
    }

    /// One may be about to end when the next wait begins; it is called, or another thread has its number.
    #[test]
    fn loom_a_spare_whose_thread_ends_is_followed_by_another() {
        model(|| {
            let node = Node::with(1, NONE);
            assert!(Node::hold(&node));
            assert!(Node::hold(&node));
            assert_eq!(node.spares.lock().numbers, 1);
            node.end();
        });
    }

    /// Two begin, and end, at any time: also while a spare is about to rest. No more threads are started than may be.
    #[test]
    fn loom_as_many_serve_as_messages_wait() {
        model(|| {
            let node = Node::new(2);
            let look = |node: &Arc<Node>| {
                let threads = node.spares.lock();
                let held = node.spares.held.load(Ordering::SeqCst);
                let active = node.spares.active.load(Ordering::SeqCst);
                assert!(active >= held, "{active} serve in the place of {held}");
                // One that the node's end has woken is neither.
                let resting = threads.resting - threads.called;
                assert!(active + resting <= threads.numbers - threads.free.len());
                held
            };
            let counts = move |node: &Arc<Node>, started: &AtomicUsize| {
                let begun = node.spares.begin(|number| {
                    // Each has a place of its own.
                    assert!(number <= started.fetch_add(1, Ordering::SeqCst));
                    true
                });
                assert!(begun.is_some());
                assert!(look(node) >= 1, "this one waits");
                node.spares.end();
                look(node);
            };
            let started = Arc::new(AtomicUsize::new(0));
            let (other, count) = (node.clone(), started.clone());
            let first = thread::spawn(move || counts(&other, &count));
            counts(&node, &started);
            // A spare between two turns.
            if node.spares.is_surplus() {
                node.spares.rest(0, LONG, || true);
            }
            look(&node);
            first.join().unwrap();
            assert!(started.load(Ordering::SeqCst) <= 2);
            assert_eq!(node.spares.held.load(Ordering::SeqCst), 0);
        });
    }
}
