//! A service at its turn: what its tasks and its handler work with, and the loop that polls the tasks.
//!
//! The core dispatches the messages of a service one at a time, on whichever worker. While it does, the [`place`] of that thread names
//! the service: that is the service's *turn*. All that is not atomic is touched only by the turn, and no borrow is held across a
//! call of the C core or of the user's code, because either may come back here, or run another service inside of this one (the
//! init of one that is launched, the release of one whose last reference is let go of).

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use super::place::{Near, Place, place};
use super::ready::{ReadyQueue, TaskList};
use super::remote::Remote;
use super::sessions::Sessions;
use super::sync::Arc;
use super::task::{Label, TaskRef};
use crate::address::Handle;
use crate::error::{JoinError, panic_message};
use crate::kind::Kind;
use crate::net::Table;
use crate::sys;

/// Tasks that are polled before the other services of the worker have their turn.
const BUDGET: usize = 256;

/// See the module.
pub(crate) struct Core {
    pub(crate) name: &'static str,
    pub(crate) api: &'static sys::Api,
    /// Of the thread on which it ran last.
    pub(crate) near: Cell<Near>,
    pub(crate) context: Cell<*mut sys::Context>,
    pub(crate) handle: Cell<Option<Handle>>,
    /// What it sends with: the context. It may be used as long as messages are dispatched; a release has the handle only.
    pub(crate) sender: Cell<(*mut sys::Context, u32)>,
    pub(crate) remote: Arc<Remote>,
    pub(crate) sessions: Sessions,
    /// Made with the first socket.
    pub(crate) sockets: OnceCell<Box<Table>>,
    /// The service is being released: nothing can begin any more.
    pub(crate) ending: Cell<bool>,
    /// The init of C has returned.
    pub(crate) is_launched: Cell<bool>,
    /// Tasks are being polled: messages that have waited for the init are delivered within that.
    is_running: Cell<bool>,
    ready: ReadyQueue,
    tasks: TaskList,
}

/// The turn of a service, until it is dropped.
pub(crate) struct Turn {
    /// That of this thread, which is looked up once.
    place: *const Place,
    before: *const Core,
}

impl Turn {
    /// # Safety
    ///
    /// The core dispatches this service on this thread, or nobody but this thread has it any more; `core` outlives the turn.
    #[inline(always)]
    pub(crate) unsafe fn begin(core: *const Core) -> Turn {
        // SAFETY: the caller's.
        let known = unsafe { &*core };
        let place = known.near.get().place().unwrap_or_else(|| known.arrive());
        // SAFETY: this thread's own.
        let before = unsafe { &*place }.replace(core);
        Turn { place, before }
    }
}

impl Drop for Turn {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a turn begins and ends on one thread (it is not `Send`), which keeps its place.
        unsafe { &*self.place }.set(self.before);
    }
}

/// Takes a flag back, also when a waker of another executor panics.
struct Over<'a>(&'a Cell<bool>);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Gives the service whose turn it is to `f`; `None` outside of services.
#[inline]
pub(crate) fn try_current<R>(f: impl FnOnce(&Core) -> R) -> Option<R> {
    // SAFETY: this thread's own place; and a turn ends before its service does.
    unsafe { (*place()).get().as_ref() }.map(f)
}

/// As [`current`], which is quicker if `near` is for this thread.
#[inline(always)]
#[track_caller]
pub(crate) fn current_near<R>(near: Near, f: impl FnOnce(&Core) -> R) -> R {
    let place = near.place().unwrap_or_else(far);
    // SAFETY: as in `try_current`.
    match unsafe { (*place).get().as_ref() } {
        Some(core) => f(core),
        None => not_running(),
    }
}

#[inline(never)]
fn far() -> *const Place {
    place()
}

/// As [`try_current`].
#[inline]
#[track_caller]
pub(crate) fn current<R>(f: impl FnOnce(&Core) -> R) -> R {
    match try_current(f) {
        Some(result) => result,
        None => not_running(),
    }
}

#[cold]
#[inline(never)]
#[track_caller]
fn not_running() -> ! {
    panic!(
        "a Ctx works only while its service runs, not on other threads and not in thread-local destructors"
    )
}

/// Puts a task, whose bit `QUEUED` the caller has set, where its service finds it.
pub(crate) fn schedule(task: TaskRef) {
    // SAFETY: as in `try_current`.
    match unsafe { (*place()).get().as_ref() } {
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
    pub(crate) fn new(name: &'static str, api: &'static sys::Api) -> Core {
        Core {
            name,
            api,
            near: Cell::new(Near::nobody()),
            context: Cell::new(ptr::null_mut()),
            handle: Cell::new(None),
            sender: Cell::new((ptr::null_mut(), 0)),
            remote: Arc::new(Remote::new(post)),
            sessions: Sessions::new(),
            sockets: OnceCell::new(),
            ending: Cell::new(false),
            is_launched: Cell::new(false),
            is_running: Cell::new(false),
            ready: ReadyQueue::new(),
            tasks: TaskList::new(),
        }
    }

    /// The init of C begins.
    pub(crate) fn begin(&self, context: *mut sys::Context, handle: Option<Handle>) {
        self.context.set(context);
        self.handle.set(handle);
        self.sender.set((context, 0));
        self.remote.set_handle(handle.map_or(0, Handle::get));
    }

    /// The place of this thread, on which the service did not run before.
    #[cold]
    #[inline(never)]
    fn arrive(&self) -> *const Place {
        self.near.set(Near::this_thread());
        place()
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

    /// Makes a task whose result nobody wants, and polls it at once: most are done then, and were in no queue. Only where the user's
    /// code has nothing more to do for this message, as it may hold a borrow that the task wants.
    pub(crate) fn start<F: Future + 'static>(&self, future: F, label: Label) {
        let task = TaskRef::new(future, Arc::clone(&self.remote), label);
        // The list's reference; tasks are taken out of it here, in `run`, and when the service has ended, of which none is within another.
        let task = ManuallyDrop::new(task);
        // SAFETY: not dropped: the list has it.
        self.tasks.insert(unsafe { TaskRef::from_raw(task.raw()) });
        // SAFETY: the turn is that of the task's service.
        let (done, panic) = unsafe {
            task.detach();
            if self.ending.get() {
                (true, task.finish(JoinError::Aborted))
            } else {
                task.run()
            }
        };
        self.report(&task, panic);
        if done {
            self.tasks.remove(&task);
        }
    }

    /// Whether [`Core::run`] has something to do. At the end of each turn.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        !self.ready.is_empty() || self.remote.is_waiting()
    }

    /// Polls what is ready, unless this is within that.
    pub(crate) fn run(&self) {
        if !self.is_running.replace(true) {
            let _over = Over(&self.is_running);
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

    /// The same, with what panics in wakers of other executors: tasks are caught one by one.
    #[inline(never)]
    pub(crate) fn run_caught(&self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run())) {
            self.report_panic("a waker", &panic_message(panic));
            // The tasks behind it have their turn.
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
        self.sender
            .set((ptr::null_mut(), self.handle.get().map_or(0, Handle::get)));
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
