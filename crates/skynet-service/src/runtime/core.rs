//! A service at its turn: what its tasks and its handler work with, and the loop that polls the tasks.
//!
//! The core dispatches the messages of a service one at a time, on whichever worker. While it does, the [`place`] of that thread names
//! the service: that is the service's *turn*. All that is not atomic is touched only by the turn, and no borrow is held across a
//! call of the C core or of the user's code, because either may come back here, or run another service inside of this one (the
//! init of one that is launched, the release of one whose last reference is let go of).

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::outlet::{NOBODY, Outlet, send_ending, send_of};
use super::place::{Near, Place, place};
use super::ready::{ReadyQueue, TaskList};
use super::remote::{Remote, Shared};
use super::sessions::Sessions;
use super::sync::Arc;
use super::task::{Label, TaskRef};
use crate::address::Handle;
use crate::error::{JoinError, panic_message};
use crate::kind::Kind;
use crate::message::OwnedMessage;
use crate::net::Table;
use crate::sys;

/// Tasks that are polled before the other services of the worker have their turn.
const BUDGET: usize = 256;

/// The types that the runtime takes, as bits: [`Kind::Response`], [`Kind::Error`], and [`Kind::Socket`] where the service has sockets of
/// `crate::net`. Others have the same five bits: who looks closer says that they are not.
const RARE: u8 =
    (1 << Kind::Response.number()) | (1 << Kind::Error.number()) | (1 << Kind::Socket.number());

/// See the module. In an order that leaves no gaps: it is what an idle service takes.
#[repr(C)]
pub(crate) struct Core {
    pub(super) outlet: Outlet,
    /// Of the thread on which it ran last.
    pub(super) near: Cell<Near>,
    /// Its name, too.
    shared: Shared,
}

/// Where the service stands.
pub(crate) struct Flags {
    pub(crate) init: Cell<Init>,
    pub(super) stage: Cell<Stage>,
    /// Tasks are being polled: messages that have waited for the init are delivered within that.
    is_running: Cell<bool>,
}

impl Flags {
    /// Of a service that begins.
    pub(super) const fn new() -> Flags {
        Flags {
            init: Cell::new(Init::Running),
            stage: Cell::new(Stage::Launch),
            is_running: Cell::new(false),
        }
    }
}

impl Flags {
    /// The service is being released: nothing can begin any more.
    #[inline]
    pub(crate) fn is_ending(&self) -> bool {
        self.stage.get() == Stage::End
    }

    /// The init of C has returned.
    #[inline]
    pub(crate) fn is_launched(&self) -> bool {
        self.stage.get() != Stage::Launch
    }

    /// The init of C returns.
    #[inline]
    pub(crate) fn launched(&self) {
        self.stage.set(Stage::Life);
    }
}

/// Where the service is for C: in its init, behind it, or at its release.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Launch,
    Life,
    End,
}

/// How far the service's init is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Init {
    Running,
    Done,
    Failed,
}

/// Tasks, requests and sockets of a service, and what they need.
pub(crate) struct Pending {
    pub(crate) remote: Arc<Remote>,
    ready: ReadyQueue,
    pub(super) tasks: TaskList,
    pub(crate) sessions: Sessions,
    /// Made with the first socket.
    pub(crate) sockets: OnceCell<Box<Table>>,
    /// Messages that came while `init` was waiting for something.
    pub(crate) early: RefCell<VecDeque<OwnedMessage>>,
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
    // SAFETY: this thread's own place.
    let outlet = unsafe { (*place()).get() };
    if ptr::eq(outlet, &NOBODY.0) {
        return None;
    }
    // SAFETY: a turn has put it there, and ends before its service does.
    Some(f(unsafe { &*outlet.cast::<Core>() }))
}

/// What the service whose turn it is sends with, or [`NOBODY`]; quicker if `near` is for this thread.
#[inline(always)]
pub(crate) fn with_outlet<R>(near: Near, f: impl FnOnce(&Outlet) -> R) -> R {
    let place = near.place().unwrap_or_else(far);
    // SAFETY: this thread's own place; it points to a static, or to a service whose turn ends before it does.
    f(unsafe { &*(*place).get() })
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
pub(crate) fn not_running() -> ! {
    panic!(
        "a Ctx works only while its service runs, not on other threads and not in thread-local destructors"
    )
}

/// Puts a task, whose bit `QUEUED` the caller has set, where its service finds it.
pub(crate) fn schedule(task: TaskRef) {
    let kept = try_current(|core| core.owns(&task).then(|| &raw const *core.pending()));
    match kept.flatten() {
        // SAFETY: as in `try_current`.
        Some(pending) => unsafe { &*pending }.ready.push(task),
        None => Arc::clone(&task.header().remote).push(task),
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
    pub(crate) fn new(name: &'static &'static str, api: &sys::Api) -> Core {
        Core {
            outlet: Outlet {
                send: Cell::new(send_of(api)),
                context: Cell::new(ptr::null_mut()),
                handle: AtomicU32::new(0),
                rare: Cell::new(RARE),
                flags: Flags::new(),
                pending: OnceCell::new(),
            },
            near: Cell::new(Near::nobody()),
            shared: Shared::new(name),
        }
    }

    /// The init of C begins.
    pub(crate) fn begin(&self, context: *mut sys::Context, handle: Option<Handle>) {
        self.outlet.context.set(context);
        let handle = handle.map_or(0, Handle::get);
        self.outlet.handle.store(handle, Ordering::Release);
    }

    /// Its context; null before its init.
    #[inline]
    pub(crate) fn context(&self) -> *mut sys::Context {
        self.outlet.context.get()
    }

    #[inline]
    pub(crate) fn flags(&self) -> &Flags {
        &self.outlet.flags
    }

    /// The name under which its code was loaded.
    #[inline]
    pub(crate) fn name(&self) -> &'static str {
        self.shared.name()
    }

    /// Its own handle, once its init has begun.
    #[inline]
    pub(crate) fn handle(&self) -> Option<Handle> {
        Handle::new(self.outlet.handle.load(Ordering::Relaxed))
    }

    /// The context and the source that the core wants for what is sent: at the release no context, but the handle.
    pub(crate) fn sends_as(&self) -> (*mut sys::Context, u32) {
        if self.flags().is_ending() {
            return (ptr::null_mut(), self.handle().map_or(0, Handle::get));
        }
        (self.context(), 0)
    }

    /// Where this thread has its place.
    #[inline(always)]
    pub(crate) fn near(&self) -> Near {
        if !self.near.get().is_here() {
            self.arrive();
        }
        self.near.get()
    }

    /// Its turn is on a thread on which it was not before.
    #[cold]
    #[inline(never)]
    pub(crate) fn arrive(&self) {
        self.near.set(Near::this_thread());
    }

    /// What waits for something, if anything has done so.
    #[inline]
    pub(crate) fn any_pending(&self) -> Option<&Pending> {
        self.outlet.pending.get().map(|pending| &**pending)
    }

    /// The same for what is about to wait.
    #[inline]
    pub(crate) fn pending(&self) -> &Pending {
        match self.any_pending() {
            Some(pending) => pending,
            None => self.first_pending(),
        }
    }

    #[cold]
    #[inline(never)]
    fn first_pending(&self) -> &Pending {
        self.outlet.pending.get_or_init(|| {
            let remote = self
                .shared
                .remote(|| self.outlet.handle.load(Ordering::Acquire), post);
            if self.flags().is_ending() {
                remote.close();
            }
            Box::new(Pending {
                remote,
                ready: ReadyQueue::new(),
                tasks: TaskList::new(),
                sessions: Sessions::new(),
                sockets: OnceCell::new(),
                early: RefCell::new(VecDeque::new()),
            })
        })
    }

    /// A signal, from any thread.
    ///
    /// # Safety
    ///
    /// `core` points to a service that is not released meanwhile.
    pub(crate) unsafe fn signal(core: *const Core, signal: i32) {
        // SAFETY: the caller's; the fields are for all threads, and are all that is referred to.
        let (shared, handle) = unsafe { (&(*core).shared, &(*core).outlet.handle) };
        shared
            .remote(|| handle.load(Ordering::Acquire), post)
            .signal(signal);
    }

    /// The wake message is here; the signals that have come.
    pub(crate) fn woken(&self) -> Vec<i32> {
        self.shared.woken()
    }

    fn owns(&self, task: &TaskRef) -> bool {
        self.any_pending()
            .is_some_and(|pending| Arc::ptr_eq(&pending.remote, &task.header().remote))
    }

    /// Makes a task, which is polled before the service's turn ends.
    pub(crate) fn spawn<F: Future + 'static>(&self, future: F, label: Label) -> TaskRef {
        let pending = self.pending();
        let task = TaskRef::new(future, Arc::clone(&pending.remote), label);
        if self.flags().is_ending() {
            // SAFETY: the turn is that of the task's service.
            self.report(&task, unsafe { task.finish(JoinError::Aborted) });
            return task;
        }
        pending.tasks.insert(task.clone());
        task.clone().wake();
        task
    }

    /// Makes a task whose result nobody wants, and polls it at once: most are done then, and were in no queue. Only where the user's
    /// code has nothing more to do for this message, as it may hold a borrow that the task wants.
    pub(crate) fn start<F: Future + 'static>(&self, future: F, label: Label) {
        let pending = self.pending();
        let task = TaskRef::new(future, Arc::clone(&pending.remote), label);
        // The list's reference; tasks are taken out of it here, in `run`, and when the service has ended, of which none is within another.
        let task = ManuallyDrop::new(task);
        // SAFETY: not dropped: the list has it.
        pending
            .tasks
            .insert(unsafe { TaskRef::from_raw(task.raw()) });
        // SAFETY: the turn is that of the task's service.
        let (done, panic) = unsafe {
            // It is not done yet: there is no result that could panic.
            let _ = task.detach();
            if self.flags().is_ending() {
                (true, task.finish(JoinError::Aborted))
            } else {
                task.run()
            }
        };
        self.report(&task, panic);
        if done {
            pending.tasks.remove(&task);
        }
    }

    /// Whether a message may be for the runtime.
    #[allow(dead_code, reason = "x86-64 asks in another way")]
    #[inline(always)]
    pub(super) fn is_rare(&self, kind: i32) -> bool {
        (u32::from(self.outlet.rare.get()) >> (kind & 31)) & 1 != 0
    }

    /// Runs `f`, while no message is for the runtime.
    pub(crate) fn with_none_rare<R>(&self, f: impl FnOnce() -> R) -> R {
        self.outlet.rare.set(0);
        let result = f();
        self.outlet.rare.set(RARE);
        result
    }

    /// Whether [`Core::run`] has something to do. At the end of each turn.
    #[inline]
    pub(crate) fn has_work(&self) -> bool {
        self.any_pending()
            .is_some_and(|pending| !pending.ready.is_empty() || pending.remote.is_waiting())
    }

    /// Polls what is ready, unless this is within that.
    pub(crate) fn run(&self) {
        if !self.flags().is_running.replace(true) {
            let _over = Over(&self.flags().is_running);
            self.run_ready(self.pending());
        }
    }

    fn run_ready(&self, pending: &Pending) {
        // Before tasks that wake themselves again and again: with those alone the queue is never empty.
        pending.collect();
        for _ in 0..BUDGET {
            let Some(task) = pending.next_ready() else {
                return;
            };
            // SAFETY: the turn is that of the task's service.
            let (done, panic) = unsafe { task.run() };
            if done {
                pending.tasks.remove(&task);
            }
            self.report(&task, panic);
        }
        if !pending.ready.is_empty() {
            pending.remote.notify();
        }
    }

    /// The same, with what panics in wakers of other executors: tasks are caught one by one.
    #[inline(never)]
    pub(crate) fn run_caught(&self) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.run())) {
            self.report_panic("a waker", &panic_message(panic));
            // The tasks behind it have their turn.
            self.pending().remote.notify();
        }
    }

    pub(crate) fn report(&self, task: &TaskRef, panic: Option<String>) {
        if let Some(message) = panic {
            self.report_panic(&task.header().local.label.to_string(), &message);
        }
    }

    /// Says in the log what has panicked.
    pub(crate) fn report_panic(&self, place: &str, message: &str) {
        crate::logger::write(
            self.context(),
            &format!(
                "error: service {}: {place} panicked: {message}",
                self.name()
            ),
        );
    }

    /// The service is released: drops all futures, and lets go of what waits for them.
    pub(crate) fn end(&self) {
        self.flags().stage.set(Stage::End);
        self.outlet.send.set(send_ending);
        if let Some(pending) = self.any_pending() {
            self.end_pending(pending);
        }
    }

    #[inline(never)]
    fn end_pending(&self, pending: &Pending) {
        pending.remote.close();
        while let Some(task) = pending.tasks.first() {
            // First: the destructors may end others.
            pending.tasks.remove(&task);
            // SAFETY: the turn is that of the task's service, and nothing is polled at its release.
            self.report(&task, unsafe { task.finish(JoinError::Aborted) });
        }
        pending.sessions.clear();
        while pending.ready.pop().is_some() {}
        while let Some(message) = pending.next_early() {
            drop(message.responder());
        }
    }

    /// How many tasks there are.
    pub(crate) fn tasks(&self) -> usize {
        self.any_pending().map_or(0, |pending| pending.tasks.len())
    }

    /// How many requests wait for an answer.
    pub(crate) fn requests(&self) -> usize {
        self.any_pending()
            .map_or(0, |pending| pending.sessions.len())
    }
}

impl Pending {
    /// Takes what other threads have woken.
    fn collect(&self) {
        if self.remote.is_waiting() {
            self.remote.take(|task| self.ready.push(task));
        }
    }

    fn next_ready(&self) -> Option<TaskRef> {
        if let Some(task) = self.ready.pop() {
            return Some(task);
        }
        self.collect();
        self.ready.pop()
    }

    pub(crate) fn next_early(&self) -> Option<OwnedMessage> {
        self.early.borrow_mut().pop_front()
    }
}
