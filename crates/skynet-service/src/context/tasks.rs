//! Tasks and time.

use std::ffi::CString;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Ctx, command, requests};
use crate::error::{Elapsed, JoinError};
use crate::runtime::core::{current, is_current, try_current};
use crate::runtime::task::{Label, TaskRef};

/// The result to come of a task. Dropped, it lets the task run on.
pub struct JoinHandle<T> {
    task: TaskRef,
    _output: PhantomData<*const T>,
}

impl<T> JoinHandle<T> {
    /// Ends the task: its future is dropped soon, and the result is [`JoinError::Aborted`] (unless there is one already).
    pub fn abort(&self) {
        self.check();
        // SAFETY: `check`.
        unsafe { self.task.abort() };
    }

    /// Whether the result is there.
    pub fn is_finished(&self) -> bool {
        self.task.is_done()
    }

    /// A task's insides are for the turn of its service.
    #[track_caller]
    fn check(&self) {
        assert!(
            is_current(&self.task),
            "a JoinHandle is used outside of its service"
        );
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.check();
        // SAFETY: `check`; `T` is the output of the future that the handle was made for.
        unsafe { self.task.poll_join(context) }
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if is_current(&self.task) {
            // SAFETY: just seen.
            let panic = unsafe { self.task.detach() };
            current(|core| core.report(&self.task, panic));
        }
    }
}

impl<T> std::fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinHandle")
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// The longest time that the core's timers take, in 10 ms: more is slept in pieces.
const LONGEST: u64 = i32::MAX as u64;

/// See [`Ctx::sleep`]. Dropped, it is withdrawn.
#[must_use = "nothing sleeps before it is awaited"]
pub struct Sleep {
    /// In 10 ms, what comes behind the current piece.
    left: u64,
    session: Option<i32>,
    started: bool,
    _local: PhantomData<*const ()>,
}

impl Sleep {
    fn start(&mut self) {
        let piece = self.left.min(LONGEST);
        self.left -= piece;
        self.session = timer(piece);
    }
}

/// A timer; its session. `None` while the service ends.
fn timer(centiseconds: u64) -> Option<i32> {
    if current(|core| core.pending().sessions.may_collide()) {
        // The core's answer would go to a request of 2^31 requests ago that has the number.
        requests::skip_used_sessions().ok()?;
    }
    let text = CString::new(centiseconds.to_string()).ok()?;
    let answer = command(c"TIMEOUT", Some(&text))?;
    let session: i32 = std::str::from_utf8(&answer).ok()?.parse().ok()?;
    current(|core| {
        let sessions = &core.pending().sessions;
        sessions.note(session);
        sessions.begin(session, None);
    });
    Some(session)
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if !self.started {
            self.started = true;
            self.start();
        }
        while let Some(session) = self.session {
            if current(|core| core.pending().sessions.poll(session, context)).is_pending() {
                return Poll::Pending;
            }
            self.session = None;
            if self.left > 0 {
                self.start();
            }
        }
        // Without a session: the service is ending, and nothing is worth waiting for; its tasks are dropped.
        Poll::Ready(())
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(session) = self.session {
            try_current(|core| {
                core.any_pending()
                    .map(|pending| pending.sessions.withdraw(session))
            });
        }
    }
}

/// See [`Ctx::timeout`].
#[must_use = "nothing happens before it is awaited"]
pub struct Timeout<F> {
    future: F,
    sleep: Sleep,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the future is pinned with the whole, and never moved out; the other field is `Unpin`.
        let (future, sleep) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.future), &mut this.sleep)
        };
        if let Poll::Ready(output) = future.poll(context) {
            return Poll::Ready(Ok(output));
        }
        Pin::new(sleep).poll(context).map(|()| Err(Elapsed))
    }
}

impl Ctx {
    /// Starts a task of this service. It is polled before the current message has been handled, and ends with the service. Tasks of a
    /// service never run at the same time, so they may share `Rc` and `RefCell` (but do not hold a borrow over an `await`).
    ///
    /// A panic ends the task only, and stands in the log.
    #[track_caller]
    pub fn spawn<F: Future + 'static>(self, future: F) -> JoinHandle<F::Output> {
        let label = Label::At(Location::caller());
        JoinHandle {
            task: current(|core| core.spawn(future, label)),
            _output: PhantomData,
        }
    }

    /// As [`Ctx::spawn`], with a name for the log.
    pub fn spawn_named<F: Future + 'static>(
        self,
        name: &'static str,
        future: F,
    ) -> JoinHandle<F::Output> {
        JoinHandle {
            task: current(|core| core.spawn(future, Label::Named(name))),
            _output: PhantomData,
        }
    }

    /// Waits. The node's clock counts in 10 ms, and the time is rounded up to that.
    pub fn sleep(self, time: Duration) -> Sleep {
        let centiseconds = time.as_nanos().div_ceil(10_000_000);
        Sleep {
            left: u64::try_from(centiseconds).unwrap_or(u64::MAX),
            session: None,
            started: false,
            _local: PhantomData,
        }
    }

    /// Lets the messages that wait, and other services, have their turn.
    pub fn yield_now(self) -> Sleep {
        self.sleep(Duration::ZERO)
    }

    /// Waits for a future, but not longer than that; then it is dropped, which withdraws requests.
    pub fn timeout<F: Future>(self, time: Duration, future: F) -> Timeout<F> {
        Timeout {
            future,
            sleep: self.sleep(time),
        }
    }
}
