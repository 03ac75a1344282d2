//! Work on other threads.
//!
//! A library of services has one pool: threads that begin when there is work, at most one for each processor, and end when there has been none
//! for ten seconds. A queue of jobs that is full lets whoever offers one wait, so a burst costs no memory without bound. (Rayon's pool
//! has no bound, and its threads stay; a job may of course use rayon inside.)

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::context::Ctx;
use crate::error::panic_message;

/// Jobs that wait for a thread.
const QUEUE: usize = 1024;
/// A thread without work ends after that. Miri takes a thread that is there at the end for a leak.
const IDLE: Duration = Duration::from_millis(if cfg!(miri) { 1 } else { 10_000 });

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    queue: VecDeque<Job>,
    /// Who waits for room in the queue.
    waiting: VecDeque<Waker>,
    threads: usize,
    idle: usize,
    /// Jobs in the queue and on threads.
    jobs: usize,
}

static POOL: Pool = Pool {
    state: Mutex::new(State {
        queue: VecDeque::new(),
        waiting: VecDeque::new(),
        threads: 0,
        idle: 0,
        jobs: 0,
    }),
    work: Condvar::new(),
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole whenever they are open.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Jobs that are not done.
pub(crate) fn jobs() -> usize {
    lock(&POOL.state).jobs
}

impl Pool {
    /// Takes a job, or keeps the waker until there is room.
    fn offer(&'static self, job: Job, waker: &Waker) -> Result<(), Job> {
        let mut state = lock(&self.state);
        if state.queue.len() >= QUEUE {
            state.waiting.push_back(waker.clone());
            return Err(job);
        }
        state.queue.push_back(job);
        state.jobs += 1;
        if state.idle >= state.queue.len() {
            self.work.notify_one();
            return Ok(());
        }
        let most = thread::available_parallelism().map_or(1, usize::from);
        if state.threads < most {
            state.threads += 1;
            drop(state);
            self.begin();
        }
        Ok(())
    }

    fn begin(&'static self) {
        let thread = thread::Builder::new().name("skynet-offload".to_string());
        if let Err(error) = thread.spawn(|| self.run()) {
            let mut state = lock(&self.state);
            state.threads -= 1;
            let alone = state.threads == 0;
            drop(state);
            log::error!("no thread for offloaded work: {error}");
            if alone {
                // Late is better than never.
                self.run_queue();
            }
        }
    }

    /// A thread of the pool.
    fn run(&self) {
        let mut state = lock(&self.state);
        loop {
            if let Some(job) = state.queue.pop_front() {
                drop(state);
                self.run_job(job);
                state = lock(&self.state);
                continue;
            }
            state.idle += 1;
            let (now, timeout) = self
                .work
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = now;
            state.idle -= 1;
            if timeout.timed_out() && state.queue.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn run_queue(&self) {
        loop {
            let job = lock(&self.state).queue.pop_front();
            let Some(job) = job else {
                return;
            };
            self.run_job(job);
        }
    }

    fn run_job(&self, job: Job) {
        let waiting = std::mem::take(&mut lock(&self.state).waiting);
        for waker in waiting {
            guarded(|| waker.wake());
        }
        guarded(job);
        lock(&self.state).jobs -= 1;
    }
}

/// The thread lives on after destructors and wakers that panic; the job itself is caught closer by.
fn guarded(f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        log::error!(
            "an offloaded job panicked behind its result: {}",
            panic_message(panic)
        );
    }
}

/// A job has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffloadError {
    /// The message of its panic.
    pub message: String,
}

impl fmt::Display for OffloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the offloaded job panicked: {}", self.message)
    }
}

impl std::error::Error for OffloadError {}

/// What a job leaves for the future.
struct Slot<T> {
    result: Option<Result<T, OffloadError>>,
    waker: Option<Waker>,
}

/// See [`Ctx::offload`]. Dropped before it was taken by a thread, the job is not run; else its result is dropped.
#[must_use = "nothing is done before it is awaited"]
pub struct Offload<T> {
    job: Option<Job>,
    slot: Arc<Mutex<Slot<T>>>,
}

impl<T> Unpin for Offload<T> {}

impl<T> Future for Offload<T> {
    type Output = Result<T, OffloadError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut slot = lock(&self.slot);
        if let Some(result) = slot.result.take() {
            return Poll::Ready(result);
        }
        slot.waker = Some(context.waker().clone());
        drop(slot);
        if let Some(job) = self.job.take()
            && let Err(job) = POOL.offer(job, context.waker())
        {
            self.job = Some(job);
        }
        Poll::Pending
    }
}

impl Ctx {
    /// Runs what takes long on another thread, while the service handles other messages. A panic comes back as an error. When the service
    /// ends meanwhile, the job runs to its end and its result is dropped.
    pub fn offload<T: Send + 'static>(
        self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Offload<T> {
        let slot = Arc::new(Mutex::new(Slot {
            result: None,
            waker: None,
        }));
        let theirs = Arc::downgrade(&slot);
        let job: Job = Box::new(move || {
            if theirs.strong_count() == 0 {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(job)).map_err(|panic| OffloadError {
                message: panic_message(panic),
            });
            let Some(slot) = theirs.upgrade() else {
                return;
            };
            let mut open = lock(&slot);
            open.result = Some(result);
            let waker = open.waker.take();
            drop(open);
            if let Some(waker) = waker {
                waker.wake();
            }
        });
        Offload {
            job: Some(job),
            slot,
        }
    }
}
