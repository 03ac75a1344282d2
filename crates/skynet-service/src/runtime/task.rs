//! A task: one allocation with a future, what is needed to wake it from any thread, and its result.
//!
//! Who may touch what:
//!
//! | field | who |
//! |---|---|
//! | `state`, `refs` | every thread |
//! | `next` | who has set `QUEUED`, then the queue, until that bit is cleared |
//! | `local`, the stage | only who dispatches the service's messages (the *service's turn*) |
//!
//! The memory lives as long as any reference (`TaskRef`, also inside of a `Waker`), the future not longer than its service: it is
//! dropped on the service's turn when it is ready, aborted, or the service is released. So the last waker, on whichever thread it
//! is dropped, frees memory and runs no code of the user's.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::remote::Remote;
use super::sync::{Arc, AtomicPtr, AtomicUsize, Ordering, fence};
use crate::error::{JoinError, panic_message};

/// In a queue, or about to be put into one.
const QUEUED: usize = 1;
/// Its future is gone: waking it does nothing.
const DONE: usize = 2;

/// What all tasks have.
#[repr(C)]
pub(crate) struct Header {
    state: AtomicUsize,
    pub(super) refs: AtomicUsize,
    /// The next one in the queue that it is in.
    pub(crate) next: AtomicPtr<Header>,
    pub(crate) remote: Arc<Remote>,
    vtable: &'static VTable,
    pub(crate) local: Local,
}

/// What belongs to the service's turn.
pub(crate) struct Local {
    /// The list of all tasks of the service.
    pub(crate) previous: Cell<*mut Header>,
    pub(crate) following: Cell<*mut Header>,
    pub(crate) is_listed: Cell<bool>,
    pub(crate) label: Label,
    /// Who waits for the result.
    pub(super) joiner: Cell<Option<Waker>>,
    aborted: Cell<bool>,
    /// The future's destructor runs: nobody else may use the stage. It may have this very task's handle.
    dropping: Cell<bool>,
    /// Nobody will take the result.
    pub(super) detached: Cell<bool>,
}

/// What a task is called in the log.
#[derive(Clone, Copy)]
pub(crate) enum Label {
    /// Where it was spawned.
    At(&'static Location<'static>),
    /// A task that the runtime makes.
    Named(&'static str),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::At(location) => write!(f, "the task of {}:{}", location.file(), location.line()),
            Label::Named(name) => f.write_str(name),
        }
    }
}

struct VTable {
    poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> bool,
    /// Drops the future; the error is the result.
    cancel: unsafe fn(NonNull<Header>, JoinError),
    /// Drops a result that nobody will take.
    discard: unsafe fn(NonNull<Header>),
    /// Writes the result, an `Option<Result<T, JoinError>>`.
    take: unsafe fn(NonNull<Header>, *mut ()),
    free: unsafe fn(NonNull<Header>),
}

#[repr(C)]
struct Task<F: Future> {
    header: Header,
    stage: UnsafeCell<Stage<F>>,
}

enum Stage<F: Future> {
    Running(F),
    Finished(Result<F::Output, JoinError>),
    Empty,
}

/// A counted reference of a task.
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: what can be reached through it from other threads is atomic; the rest is for the service's turn (unsafe functions).
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// A task that is in no queue and has one reference.
    pub(crate) fn new<F: Future + 'static>(
        future: F,
        remote: Arc<Remote>,
        label: Label,
    ) -> TaskRef {
        let task = Box::new(Task {
            header: Header {
                state: AtomicUsize::new(0),
                refs: AtomicUsize::new(1),
                next: AtomicPtr::new(ptr::null_mut()),
                remote,
                vtable: &VTable {
                    poll: poll::<F>,
                    cancel: cancel::<F>,
                    discard: discard::<F>,
                    take: take::<F>,
                    free: free::<F>,
                },
                local: Local {
                    previous: Cell::new(ptr::null_mut()),
                    following: Cell::new(ptr::null_mut()),
                    is_listed: Cell::new(false),
                    label,
                    joiner: Cell::new(None),
                    aborted: Cell::new(false),
                    dropping: Cell::new(false),
                    detached: Cell::new(false),
                },
            },
            stage: UnsafeCell::new(Stage::Running(future)),
        });
        let raw = NonNull::from(Box::leak(task));
        TaskRef(raw.cast())
    }

    pub(crate) fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    /// # Safety
    ///
    /// `raw` comes from [`TaskRef::into_raw`], whose reference this one is.
    pub(crate) unsafe fn from_raw(raw: NonNull<Header>) -> TaskRef {
        TaskRef(raw)
    }

    /// For a reference of the same task that somebody else owns.
    pub(crate) fn raw(&self) -> NonNull<Header> {
        self.0
    }

    pub(crate) fn header(&self) -> &Header {
        // SAFETY: the reference keeps it.
        unsafe { self.0.as_ref() }
    }

    /// Whether it is to be put into a queue; who gets `true` has to do it.
    pub(crate) fn set_queued(&self) -> bool {
        self.header().state.fetch_or(QUEUED, Ordering::AcqRel) & (QUEUED | DONE) == 0
    }

    /// Makes the task ready to be polled, from any thread.
    pub(crate) fn wake(self) {
        if self.set_queued() {
            super::schedule(self);
        }
    }

    /// Whether the future is gone.
    pub(crate) fn is_done(&self) -> bool {
        self.header().state.load(Ordering::Acquire) & DONE != 0
    }

    /// Polls it, as it was taken out of a queue. The message of a panic comes back; `true` when the future is gone.
    ///
    /// # Safety
    ///
    /// It is the service's turn.
    pub(crate) unsafe fn run(&self) -> (bool, Option<String>) {
        // Before the poll: who wakes it from now on queues it again. What was written before a wake is seen in the poll.
        if self.header().state.fetch_and(!QUEUED, Ordering::AcqRel) & DONE != 0 {
            return (true, None);
        }
        if !self.header().local.aborted.get() {
            // SAFETY: the waker is not dropped; who keeps it clones it.
            let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw_waker(self.0)) });
            let mut context = Context::from_waker(&waker);
            // SAFETY: the service's turn, so nobody else polls it.
            let poll = || unsafe { (self.header().vtable.poll)(self.0, &mut context) };
            match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(false) if !self.header().local.aborted.get() => return (false, None),
                Ok(false) => {}
                Ok(true) => return (true, self.done()),
                Err(panic) => {
                    let message = panic_message(panic);
                    // SAFETY: as for `poll`; the call has ended.
                    let another = unsafe {
                        self.finish(JoinError::Panicked {
                            message: message.clone(),
                        })
                    };
                    let message = match another {
                        Some(another) => format!("{message}; and then: {another}"),
                        None => message,
                    };
                    return (true, Some(message));
                }
            }
        }
        // SAFETY: as above.
        let panic = unsafe { self.finish(JoinError::Aborted) };
        (true, panic)
    }

    /// Drops the future, whatever it was doing. The message, if its destructor panics.
    ///
    /// # Safety
    ///
    /// It is the service's turn, and the future is not being polled.
    pub(crate) unsafe fn finish(&self, error: JoinError) -> Option<String> {
        if self.is_done() {
            return None;
        }
        // Before the destructor, which may wake this very task.
        self.header().state.fetch_or(DONE, Ordering::AcqRel);
        // SAFETY: the caller's.
        let cancel = || unsafe { (self.header().vtable.cancel)(self.0, error) };
        self.header().local.dropping.set(true);
        let result = catch_unwind(AssertUnwindSafe(cancel));
        self.header().local.dropping.set(false);
        let discarded = self.done();
        result.err().map(panic_message).or(discarded)
    }

    /// The future is gone: wakes who waits for the result. The message, if that is dropped and its destructor panics.
    fn done(&self) -> Option<String> {
        let header = self.header();
        header.state.fetch_or(DONE, Ordering::AcqRel);
        let panic = if header.local.detached.get() {
            // SAFETY: called on the service's turn only, by `run` and `finish`.
            unsafe { self.discard() }
        } else {
            None
        };
        if let Some(joiner) = header.local.joiner.take() {
            joiner.wake();
        }
        panic
    }

    /// Drops the result, a value of the user's. The message, if its destructor panics.
    ///
    /// # Safety
    ///
    /// It is the service's turn, and the task is done.
    unsafe fn discard(&self) -> Option<String> {
        // SAFETY: contract of this function.
        let discard = || unsafe { (self.header().vtable.discard)(self.0) };
        let panic = catch_unwind(AssertUnwindSafe(discard)).err()?;
        let message = panic_message(panic);
        Some(format!(
            "{message} (in the destructor of its result, which nobody has taken)"
        ))
    }

    /// The task is to end with the next look at it.
    ///
    /// # Safety
    ///
    /// It is the service's turn.
    pub(crate) unsafe fn abort(&self) {
        if !self.is_done() {
            self.header().local.aborted.set(true);
            self.clone().wake();
        }
    }

    /// The result, or notes who waits for it.
    ///
    /// # Safety
    ///
    /// It is the service's turn, and `T` is the output of the future.
    pub(crate) unsafe fn poll_join<T>(&self, context: &Context<'_>) -> Poll<Result<T, JoinError>> {
        if !self.is_done() || self.header().local.dropping.get() {
            self.header()
                .local
                .joiner
                .set(Some(context.waker().clone()));
            return Poll::Pending;
        }
        let mut result: Option<Result<T, JoinError>> = None;
        // SAFETY: the place has the type that `take` writes.
        unsafe { (self.header().vtable.take)(self.0, (&raw mut result).cast()) };
        match result {
            Some(result) => Poll::Ready(result),
            None => panic!("a task was awaited again after its result"),
        }
    }

    /// Nobody will ask for the result. The message, if it is there and its destructor panics.
    ///
    /// # Safety
    ///
    /// It is the service's turn.
    #[must_use = "a panic is reported"]
    pub(crate) unsafe fn detach(&self) -> Option<String> {
        let local = &self.header().local;
        local.detached.set(true);
        local.joiner.set(None);
        // While the destructor runs, the result is for `done`, which comes next.
        if self.is_done() && !local.dropping.get() {
            // SAFETY: the caller's.
            return unsafe { self.discard() };
        }
        None
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> TaskRef {
        // Relaxed, as in `Arc`: a new reference is made from one that is there.
        self.header().refs.fetch_add(1, Ordering::Relaxed);
        TaskRef(self.0)
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        if self.header().refs.fetch_sub(1, Ordering::Release) == 1 {
            // Whatever the others did with it comes before the end.
            fence(Ordering::Acquire);
            // SAFETY: no reference is left.
            unsafe { (self.header().vtable.free)(self.0) };
        }
    }
}

/// # Safety
///
/// `task` is a `Task<F>`, it is the service's turn, and no other borrow of the stage is alive.
unsafe fn poll<F: Future>(task: NonNull<Header>, context: &mut Context<'_>) -> bool {
    // SAFETY: the caller's.
    let stage = unsafe { &mut *task.cast::<Task<F>>().as_ref().stage.get() };
    let Stage::Running(future) = stage else {
        return true;
    };
    // SAFETY: the future stays in its allocation, and is dropped in place by the assignments to the stage.
    match unsafe { Pin::new_unchecked(future) }.poll(context) {
        Poll::Pending => false,
        Poll::Ready(output) => {
            *stage = Stage::Finished(Ok(output));
            true
        }
    }
}

/// # Safety
///
/// As for [`poll`].
unsafe fn cancel<F: Future>(task: NonNull<Header>, error: JoinError) {
    // SAFETY: the caller's.
    let stage = unsafe { task.cast::<Task<F>>().as_ref().stage.get() };
    // SAFETY: as above. The result is there also when the destructor of the future panics, which is then not dropped again.
    unsafe { replace(stage, Stage::Finished(Err(error))) };
}

/// Drops what is there in place (futures are pinned), and puts something else there in every case.
///
/// # Safety
///
/// `stage` is valid, and nobody else uses it.
unsafe fn replace<F: Future>(stage: *mut Stage<F>, with: Stage<F>) {
    struct Put<F: Future>(*mut Stage<F>, ManuallyDrop<Stage<F>>);
    impl<F: Future> Drop for Put<F> {
        fn drop(&mut self) {
            // SAFETY: valid, and what was there has been dropped; the value is not used again.
            unsafe { self.0.write(ManuallyDrop::take(&mut self.1)) };
        }
    }
    let _put = Put(stage, ManuallyDrop::new(with));
    // SAFETY: the caller's; `_put` overwrites it, whatever happens.
    unsafe { ptr::drop_in_place(stage) };
}

/// # Safety
///
/// As for [`poll`].
unsafe fn discard<F: Future>(task: NonNull<Header>) {
    // SAFETY: the caller's.
    unsafe { replace(task.cast::<Task<F>>().as_ref().stage.get(), Stage::Empty) };
}

/// # Safety
///
/// As for [`poll`]; `place` is an `Option<Result<F::Output, JoinError>>`.
unsafe fn take<F: Future>(task: NonNull<Header>, place: *mut ()) {
    // SAFETY: the caller's.
    let stage = unsafe { &mut *task.cast::<Task<F>>().as_ref().stage.get() };
    if let Stage::Finished(_) = stage
        && let Stage::Finished(result) = std::mem::replace(stage, Stage::Empty)
    {
        // SAFETY: the caller's.
        unsafe { *place.cast::<Option<Result<F::Output, JoinError>>>() = Some(result) };
    }
}

/// # Safety
///
/// `task` is a `Task<F>` without a reference.
unsafe fn free<F: Future>(task: NonNull<Header>) {
    let task = task.cast::<Task<F>>();
    // SAFETY: as above. A stage that is not empty belongs to a handle that was let go outside of its service, or leaked: what
    // is in it may not be used on this thread, so it is not dropped.
    unsafe {
        ptr::drop_in_place(&raw mut (*task.as_ptr()).header);
        drop(Box::from_raw(task.as_ptr().cast::<ManuallyDrop<Task<F>>>()));
    }
}

pub(super) static WAKER: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

fn raw_waker(task: NonNull<Header>) -> RawWaker {
    RawWaker::new(task.as_ptr().cast_const().cast(), &WAKER)
}

/// The reference that a waker owns.
///
/// # Safety
///
/// `task` is the data of a waker that is alive. The result is dropped once, with the waker, or not at all.
unsafe fn of_waker(task: *const ()) -> TaskRef {
    // SAFETY: made by `raw_waker` from a pointer that is not null.
    TaskRef(unsafe { NonNull::new_unchecked(task.cast_mut().cast()) })
}

/// Another waker of the task.
///
/// # Safety
/// `task` is the data of a waker that is alive. (Contract of `RawWakerVTable`.)
unsafe fn clone(task: *const ()) -> RawWaker {
    // SAFETY: a waker's data; its own reference stays.
    let task = ManuallyDrop::new(unsafe { of_waker(task) });
    raw_waker(TaskRef::clone(&task).into_raw())
}

/// Queues the task; the waker is gone then.
///
/// # Safety
/// `task` is the data of a waker that is alive and not used afterwards. (Contract of `RawWakerVTable`.)
unsafe fn wake(task: *const ()) {
    // SAFETY: a waker's data, and its reference goes with the waker.
    unsafe { of_waker(task) }.wake();
}

/// Queues the task.
///
/// # Safety
/// `task` is the data of a waker that is alive. (Contract of `RawWakerVTable`.)
unsafe fn wake_by_ref(task: *const ()) {
    // SAFETY: a waker's data; its own reference stays.
    let task = ManuallyDrop::new(unsafe { of_waker(task) });
    if task.set_queued() {
        super::schedule(TaskRef::clone(&task));
    }
}

/// The waker is gone.
///
/// # Safety
/// `task` is the data of a waker that is alive and not used afterwards. (Contract of `RawWakerVTable`.)
unsafe fn drop_waker(task: *const ()) {
    // SAFETY: a waker's data, and its reference goes with the waker.
    drop(unsafe { of_waker(task) });
}
