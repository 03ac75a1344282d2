//! Work on other threads.
//!
//! A library of services has one pool: threads that begin when there is work, at most one for each processor, and end when there has been none
//! for ten seconds. A queue of jobs that is full lets whoever offers one wait, so a burst costs no memory without bound. (Rayon's pool
//! has no bound, and its threads stay; a job may of course use rayon inside.)

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::context::Ctx;
use crate::elsewhere::Elsewhere;
use crate::error::panic_message;
use crate::runtime::core::{Core, try_current};
#[cfg(any(test, feature = "testing"))]
use crate::testing::{NodeOfThread, node_of_thread};

/// Jobs that wait for a thread.
const QUEUE: usize = 1024;
/// A thread without work ends after that. Miri takes a thread that is there at the end for a leak.
const IDLE: Duration = Duration::from_millis(if cfg!(miri) { 1 } else { 10_000 });

/// What a job does. The result is that of a panic that nobody else is told of.
type Run = Box<dyn FnOnce() -> Option<OffloadError> + Send>;

/// A job that was asked for: it counts from then on until it has been run, or is dropped.
struct Job {
    run: Run,
    /// The name of the service.
    service: &'static str,
    #[cfg(any(test, feature = "testing"))]
    node: NodeOfThread,
    _under_way: Elsewhere,
}

struct Pool {
    state: Mutex<State>,
    work: Condvar,
}

struct State {
    queue: VecDeque<Job>,
    /// Who waits for room in the queue, by the numbers of the futures: each is in it once.
    waiting: BTreeMap<u64, Waker>,
    /// The number of the next future that waits.
    next: u64,
    threads: usize,
    idle: usize,
}

static POOL: Pool = Pool {
    state: Mutex::new(State {
        queue: VecDeque::new(),
        waiting: BTreeMap::new(),
        next: 0,
        threads: 0,
        idle: 0,
    }),
    work: Condvar::new(),
};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole whenever they are open.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    /// Takes a job, or keeps the waker until there is room, under the number of the future.
    fn offer(&'static self, job: Job, waker: &Waker, ticket: &mut Option<u64>) -> Result<(), Job> {
        let mut state = lock(&self.state);
        if state.queue.len() >= QUEUE {
            let next = state.next;
            let number = *ticket.get_or_insert(next);
            state.next += u64::from(number == next);
            let old = state.waiting.insert(number, waker.clone());
            drop(state);
            // Its destructor may be anybody's.
            drop(old);
            return Err(job);
        }
        state.queue.push_back(job);
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

    #[cfg(any(test, feature = "testing"))]
    fn run_job(&self, job: Job) {
        let node = job.node.clone();
        node.enter(|| self.run_job_here(job));
    }

    #[cfg(not(any(test, feature = "testing")))]
    fn run_job(&self, job: Job) {
        self.run_job_here(job);
    }

    fn run_job_here(&self, job: Job) {
        let waiting = std::mem::take(&mut lock(&self.state).waiting);
        for waker in waiting.into_values() {
            guarded(job.service, || waker.wake());
        }
        guarded(job.service, || {
            if let Some(error) = (job.run)() {
                report_unawaited(job.service, &error);
            }
        });
    }
}

/// The thread lives on after destructors and wakers that panic; the job itself is caught closer by.
fn guarded(service: &str, f: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        log::error!(
            "service {service}: an offloaded job panicked behind its result, in a destructor of what it had: {}",
            panic_message(panic)
        );
    }
}

/// A panic that no future brings to anybody.
fn report_unawaited(service: &str, error: &OffloadError) {
    log::error!("service {service}: {error}; nobody awaits it any more");
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
    /// The future was dropped.
    unawaited: bool,
}

/// See [`Ctx::offload`]. Dropped before it was taken by a thread, the job is not run; else its result is dropped, and a panic is a line in the log.
#[must_use = "nothing is done before it is awaited"]
pub struct Offload<T> {
    job: Option<Asked>,
    slot: Arc<Mutex<Slot<T>>>,
    /// Its number among those that wait for room.
    ticket: Option<u64>,
}

/// What is to be run. Before it is awaited for the first time, nothing is under way.
enum Asked {
    Not(Run),
    /// There was no room for it.
    Before(Job),
}

impl Asked {
    fn job(self) -> Job {
        match self {
            Asked::Before(job) => job,
            Asked::Not(run) => Job {
                run,
                service: try_current(Core::name).unwrap_or("?"),
                #[cfg(any(test, feature = "testing"))]
                node: node_of_thread(),
                _under_way: Elsewhere::begin(),
            },
        }
    }
}

impl<T> Drop for Offload<T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let waker = lock(&POOL.state).waiting.remove(&ticket);
            drop(waker);
        }
        let mut slot = lock(&self.slot);
        slot.unawaited = true;
        let result = slot.result.take();
        drop(slot);
        if let Some(Err(error)) = result {
            report_unawaited(try_current(Core::name).unwrap_or("?"), &error);
        }
    }
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
        if let Some(job) = self.job.take() {
            let mut ticket = self.ticket.take();
            let offered = POOL.offer(job.job(), context.waker(), &mut ticket);
            self.ticket = ticket;
            self.job = offered.err().map(Asked::Before);
        }
        Poll::Pending
    }
}

impl Ctx {
    /// Runs what takes long on another thread, while the service handles other messages. A panic comes back as an error. When the service
    /// ends meanwhile, the job runs to its end and its result is dropped. Virtual time waits for it, as for [`Ctx::elsewhere`].
    pub fn offload<T: Send + 'static>(
        self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Offload<T> {
        let slot = Arc::new(Mutex::new(Slot {
            result: None,
            waker: None,
            unawaited: false,
        }));
        let theirs = Arc::downgrade(&slot);
        let run = Box::new(move || {
            if theirs.strong_count() == 0 {
                return None;
            }
            let result = catch_unwind(AssertUnwindSafe(job)).map_err(|panic| OffloadError {
                message: panic_message(panic),
            });
            let Some(slot) = theirs.upgrade() else {
                return result.err();
            };
            let mut open = lock(&slot);
            if open.unawaited {
                drop(open);
                return result.err();
            }
            open.result = Some(result);
            let waker = open.waker.take();
            drop(open);
            if let Some(waker) = waker {
                waker.wake();
            }
            None
        });
        Offload {
            job: Some(Asked::Not(run)),
            slot,
            ticket: None,
        }
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::{POOL, QUEUE, lock};
    use crate::context::Ctx;
    use crate::runtime::place::Near;
    use std::future::Future;
    use std::pin::pin;
    use std::sync::{Arc, RwLock};
    use std::task::{Context, Poll, Waker};
    use std::thread::available_parallelism;

    #[test]
    fn a_future_that_waits_for_room_waits_once() {
        let gate = Arc::new(RwLock::new(()));
        let closed = gate.write().unwrap();
        let mut context = Context::from_waker(Waker::noop());
        let threads = available_parallelism().map_or(1, usize::from);
        let mut jobs: Vec<_> = (0..QUEUE + threads)
            .map(|_| {
                let gate = Arc::clone(&gate);
                Box::pin(Ctx::near(Near::nobody()).offload(move || drop(gate.read())))
            })
            .collect();
        // Threads take some of them, sooner or later.
        while lock(&POOL.state).queue.len() < QUEUE {
            for job in &mut jobs {
                assert!(job.as_mut().poll(&mut context).is_pending());
            }
        }
        let before = lock(&POOL.state).waiting.len();
        {
            let mut late = pin!(Ctx::near(Near::nobody()).offload(|| 1));
            for _ in 0..3 {
                assert_eq!(late.as_mut().poll(&mut context), Poll::Pending);
            }
            assert_eq!(lock(&POOL.state).waiting.len(), before + 1);
        }
        assert_eq!(lock(&POOL.state).waiting.len(), before);
        drop(closed);
    }
}
