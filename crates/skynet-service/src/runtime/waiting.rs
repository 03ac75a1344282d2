//! What a service waits for, in words: for whoever asks why nothing goes on.

use std::fmt;
use std::ptr;
use std::task::Waker;

use super::core::{Core, Pending};
use super::sessions::Open;
use super::sync::Ordering;
use super::task::{TaskRef, WAKER};
use crate::address::OwnedAddress;

/// What a service waits for; see [`Ctx::waiting`](crate::Ctx::waiting). Its text has one line for each request and for each other task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Waiting {
    /// Requests without an answer, in the order in which they were sent.
    pub requests: Vec<OpenRequest>,
    /// Tasks that wait for something else, as the log calls them: a timer, a channel, another task, another thread.
    pub tasks: Vec<String>,
    /// Somebody has a waker of a task who is none of this service: a channel, or another thread.
    pub(crate) elsewhere: bool,
}

/// A request without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OpenRequest {
    /// Whom it was sent to.
    pub to: OwnedAddress,
    /// Its number.
    pub session: i32,
    /// The task that awaits it, as the log calls it. `None`: nobody has done so yet, or by way of a future with wakers of its own.
    pub task: Option<String>,
}

impl fmt::Display for OpenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.task.as_deref().unwrap_or("a task");
        let OpenRequest { to, session, .. } = self;
        write!(f, "{task} waits for {to} to answer request {session}")
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for request in &self.requests {
            write!(f, "{between}{request}")?;
            between = "\n";
        }
        for task in &self.tasks {
            write!(f, "{between}{task} waits, for no answer")?;
            between = "\n";
        }
        Ok(())
    }
}

impl Core {
    /// See [`Waiting`]. At its turn, or while nobody runs it.
    pub(crate) fn waiting(&self) -> Waiting {
        self.any_pending()
            .map_or_else(Waiting::default, Pending::waiting)
    }
}

impl Pending {
    fn waiting(&self) -> Waiting {
        let open = self.sessions.open();
        let tasks = self.tasks.all();
        let mut waiting = Waiting::default();
        for task in &tasks {
            let is_its = |open: &&Open| open.waker.as_ref().is_some_and(|waker| task.is_of(waker));
            let asked = open.iter().filter(is_its).count();
            let joined = tasks.iter().filter(|other| other.is_joined_by(task));
            // Each waker in `open` is a copy of one in the table.
            waiting.elsewhere |= task.wakers() > 2 * asked + joined.count();
            if !open.iter().filter(is_its).any(|open| open.to.is_some()) {
                waiting.tasks.push(task.header().local.label.to_string());
            }
        }
        let requests = open.into_iter().filter_map(|open| {
            let waker = open.waker;
            let task = waker.and_then(|waker| tasks.iter().find(|task| task.is_of(&waker)));
            Some(OpenRequest {
                to: open.to?,
                session: open.session,
                task: task.map(|task| task.header().local.label.to_string()),
            })
        });
        waiting.requests = requests.collect();
        // The oldest first, as the requests.
        waiting.tasks.reverse();
        waiting
    }
}

impl TaskRef {
    /// Whether the waker is one of this task.
    fn is_of(&self, waker: &Waker) -> bool {
        ptr::eq(waker.vtable(), &raw const WAKER)
            && waker.data() == self.raw().as_ptr().cast_const().cast()
    }

    /// How many wakers of it there are, seen from its service's turn, for a task of the list of which the caller has one reference. A handle
    /// that was dropped elsewhere is taken for one that is there still.
    fn wakers(&self) -> usize {
        let handle = usize::from(!self.header().local.detached.get());
        let refs = self.header().refs.load(Ordering::Acquire);
        refs.saturating_sub(2 + handle)
    }

    /// Whether that task waits for the result of this one.
    fn is_joined_by(&self, other: &TaskRef) -> bool {
        let joiner = self.header().local.joiner.take();
        let is_it = joiner.as_ref().is_some_and(|waker| other.is_of(waker));
        self.header().local.joiner.set(joiner);
        is_it
    }
}
