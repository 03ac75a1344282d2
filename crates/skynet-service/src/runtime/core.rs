//! A service at its turn: what its tasks and its handler work with, and the loop that polls the tasks.
//!
//! The core dispatches the messages of a service one at a time, on whichever worker. While it does, `CURRENT` of that thread names
//! the service: that is the service's *turn*. All that is not atomic is touched only by the turn, and no borrow is held across a
//! call of the C core or of the user's code, because either may come back here, or run another service inside of this one (the
//! init of one that is launched, the release of one whose last reference is let go of).

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::ptr;

use super::ready::{ReadyQueue, TaskList};
use super::remote::Remote;
use super::sessions::Sessions;
use super::sync::Arc;
use super::task::{Label, TaskRef};
use crate::address::Handle;
use crate::error::JoinError;
use crate::kind::Kind;
use crate::net::Table;
use crate::sys;

/// Tasks that are polled before the other services of the worker have their turn.
const BUDGET: usize = 256;

thread_local! {
    static CURRENT: Cell<*const Core> = const { Cell::new(ptr::null()) };
}

/// See the module.
pub(crate) struct Core {
    pub(crate) name: &'static str,
    pub(crate) context: Cell<*mut sys::Context>,
    pub(crate) handle: Cell<Option<Handle>>,
    pub(crate) remote: Arc<Remote>,
    pub(crate) sessions: Sessions,
    /// Made with the first socket.
    pub(crate) sockets: OnceCell<Box<Table>>,
    /// The service is being released: nothing can begin any more.
    pub(crate) ending: Cell<bool>,
    /// A message was dispatched, so the init of C has returned.
    pub(crate) is_launched: Cell<bool>,
    ready: ReadyQueue,
    tasks: TaskList,
}

/// The turn of a service, until it is dropped.
pub(crate) struct Turn {
    /// `CURRENT` of this thread, which is looked up once.
    current: *const Cell<*const Core>,
    before: *const Core,
}

impl Turn {
    /// # Safety
    ///
    /// The core dispatches this service on this thread, or nobody but this thread has it any more; `core` outlives the turn.
    #[inline]
    pub(crate) unsafe fn begin(core: *const Core) -> Turn {
        CURRENT.with(|current| Turn {
            current,
            before: current.replace(core),
        })
    }
}

impl Drop for Turn {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a turn begins and ends on one thread (it is not `Send`), whose variable needs no destructor.
        unsafe { &*self.current }.set(self.before);
    }
}

/// Gives the service whose turn it is to `f`; `None` outside of services.
#[inline]
pub(crate) fn try_current<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    // SAFETY: a turn ends before its service does.
    unsafe { CURRENT.get().as_ref() }.map(f)
}

/// As [`try_current`].
#[inline]
#[track_caller]
pub(crate) fn current<R>(f: impl FnOnce(&Core) -> R) -> R {
    match try_current(f) {
        Some(result) => result,
        None => panic!(
            "a Ctx works only while its service runs, not on other threads and not in thread-local destructors"
        ),
    }
}

/// Puts a task, whose bit `QUEUED` the caller has set, where its service finds it.
pub(crate) fn schedule(task: TaskRef) {
    // SAFETY: as in `try_current`.
    match unsafe { CURRENT.get().as_ref() } {
        Some(core) if core.owns(&task) => core.ready.push(task),
        _ => Arc::clone(&task.header().remote).push(task),
    }
}

/// Whether it is the turn of the task's service.
pub(crate) fn is_current(task: &TaskRef) -> bool {
    try_current(|core| core.owns(task)).unwrap_or(false)
}

/// The wake message of a service to itself.
pub(crate) fn post(handle: u32) -> bool {
    let kind = Kind::Response.number().into();
    // SAFETY: with a source the context may be null, and then any thread may send; no bytes.
    handle != 0
        && unsafe {
            (sys::api().send)(ptr::null_mut(), handle, handle, kind, 0, ptr::null_mut(), 0)
        } >= 0
}

impl Core {
    pub(crate) fn new(name: &'static str) -> Core {
        Core {
            name,
            context: Cell::new(ptr::null_mut()),
            handle: Cell::new(None),
            remote: Arc::new(Remote::new(post)),
            sessions: Sessions::new(),
            sockets: OnceCell::new(),
            ending: Cell::new(false),
            is_launched: Cell::new(false),
            ready: ReadyQueue::new(),
            tasks: TaskList::new(),
        }
    }

    fn owns(&self, task: &TaskRef) -> bool {
        Arc::ptr_eq(&self.remote, &task.header().remote)
    }

    /// Makes a task, which is polled before the service's turn ends.
    pub(crate) fn spawn<F: Future + 'static>(&self, future: F, label: Label) -> TaskRef {
        let task = TaskRef::new(future, Arc::clone(&self.remote), label);
        if self.ending.get() {
            // SAFETY: the turn is that of the task's service.
            self.report(&task, unsafe { task.finish(JoinError::Aborted) });
            return task;
        }
        self.tasks.insert(task.clone());
        task.clone().wake();
        task
    }

    /// Polls what is ready. At the end of each turn.
    #[inline]
    pub(crate) fn run(&self) {
        if !self.ready.is_empty() || self.remote.is_waiting() {
            self.run_ready();
        }
    }

    fn run_ready(&self) {
        // Before tasks that wake themselves again and again: with those alone the queue is never empty.
        if self.remote.is_waiting() {
            self.remote.take(|task| self.ready.push(task));
        }
        for _ in 0..BUDGET {
            let Some(task) = self.next_ready() else {
                return;
            };
            // SAFETY: the turn is that of the task's service.
            let (done, panic) = unsafe { task.run() };
            if done {
                self.tasks.remove(&task);
            }
            self.report(&task, panic);
        }
        if !self.ready.is_empty() {
            self.remote.notify();
        }
    }

    fn next_ready(&self) -> Option<TaskRef> {
        if let Some(task) = self.ready.pop() {
            return Some(task);
        }
        if self.remote.is_waiting() {
            self.remote.take(|task| self.ready.push(task));
        }
        self.ready.pop()
    }

    fn report(&self, task: &TaskRef, panic: Option<String>) {
        if let Some(message) = panic {
            self.report_panic(&task.header().local.label.to_string(), &message);
        }
    }

    /// Says in the log what has panicked.
    pub(crate) fn report_panic(&self, place: &str, message: &str) {
        crate::logger::write(
            self.context.get(),
            &format!("error: service {}: {place} panicked: {message}", self.name),
        );
    }

    /// The service is released: drops all futures, and lets go of what waits for them.
    pub(crate) fn end(&self) {
        self.ending.set(true);
        self.remote.close();
        while let Some(task) = self.tasks.first() {
            // First: the destructors may end others.
            self.tasks.remove(&task);
            // SAFETY: the turn is that of the task's service, and nothing is polled at its release.
            self.report(&task, unsafe { task.finish(JoinError::Aborted) });
        }
        self.sessions.clear();
        while self.ready.pop().is_some() {}
    }

    /// How many tasks there are.
    pub(crate) fn tasks(&self) -> usize {
        self.tasks.len()
    }
}
