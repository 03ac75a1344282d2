//! What other threads see of a service: where a waker puts a task that is to be polled, and how the service hears of it.
//!
//! A waker pushes the task on a stack without a lock, and the one that finds no wake message on its way posts one: a message of the
//! service to itself, which a worker of the core dispatches like any other. The consumer is whoever dispatches the service's
//! messages; it lets the next wake message be sent *before* it takes the stack. So either it takes what was pushed, or whoever
//! pushed posts. At most one wake message is in the mailbox.
//!
//! The structure lives as long as any waker. When the service is released, the stack is closed: what a late waker pushes
//! it takes back itself, and no future is behind it any more. Posting needs nothing of the service but its handle, and a handle
//! of a service that is gone is no error: nothing of a released service is touched.

use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Mutex;

use super::sync::{Arc, AtomicBool, AtomicPtr, AtomicU32, Ordering, fence};
use super::task::{Header, TaskRef};

/// See the module.
pub(crate) struct Remote {
    /// Newest first, linked by `Header::next`.
    head: AtomicPtr<Header>,
    /// A wake message is in the mailbox, or somebody is about to put it there.
    in_flight: AtomicBool,
    closed: AtomicBool,
    /// The service; 0 before its init.
    handle: AtomicU32,
    /// The name under which its code was loaded.
    name: &'static &'static str,
    /// Signals that wait for the service's turn.
    signals: Mutex<Vec<i32>>,
    /// Sends the wake message; `false` when the mailbox takes none.
    post: fn(handle: u32) -> bool,
}

/// Where a service has its [`Remote`], for all threads. It is made when it is needed: most services have neither wakers nor signals.
/// From `Arc::into_raw`, a reference of this one's; before, the service's name, a `&'static &'static str` whose address has [`NAME`] set.
/// (Both in one word, as the launch of a service pays for each.)
pub(crate) struct Shared(AtomicPtr<Remote>);

/// What marks a name: the lowest bit, as both are aligned to words.
const NAME: usize = 1;
const _: () = assert!(align_of::<Remote>() > NAME && align_of::<&str>() > NAME);

impl Shared {
    pub(crate) fn new(name: &'static &'static str) -> Shared {
        let name = ptr::from_ref(name).cast_mut().cast::<Remote>();
        Shared(AtomicPtr::new(name.map_addr(|address| address | NAME)))
    }

    /// What is there now: the remote, which stays, or the name.
    fn found(&self) -> Result<*const Remote, *mut Remote> {
        let found = self.0.load(Ordering::Acquire);
        if found.addr() & NAME == 0 {
            Ok(found.cast_const())
        } else {
            Err(found)
        }
    }

    /// The name under which its code was loaded.
    pub(crate) fn name(&self) -> &'static &'static str {
        match self.found() {
            // SAFETY: the reference that is stored, which stays there until this is dropped.
            Ok(remote) => unsafe { &*remote }.name,
            Err(name) => Shared::name_of(name),
        }
    }

    fn name_of(marked: *mut Remote) -> &'static &'static str {
        // SAFETY: from `new`, a reference for ever.
        unsafe { &*marked.map_addr(|address| address & !NAME).cast() }
    }

    /// Made now, if it is not there. It knows the handle, if the init has begun.
    pub(crate) fn remote(
        &self,
        handle: impl FnOnce() -> u32,
        post: fn(u32) -> bool,
    ) -> Arc<Remote> {
        let remote = self.found().unwrap_or_else(|name| {
            let new = Arc::into_raw(Arc::new(Remote::new(Shared::name_of(name), post)));
            let stored =
                self.0
                    .compare_exchange(name, new.cast_mut(), Ordering::AcqRel, Ordering::Acquire);
            match stored {
                Ok(_) => new,
                Err(other) => {
                    // SAFETY: nobody else has seen it.
                    drop(unsafe { Arc::from_raw(new) });
                    // Another remote: the name is there only before the first one.
                    other.cast_const()
                }
            }
        });
        // SAFETY: the reference that is stored, which stays there until this is dropped.
        let stored = ManuallyDrop::new(unsafe { Arc::from_raw(remote) });
        stored.set_handle(handle());
        Arc::clone(&stored)
    }

    /// The wake message is here; the signals that have come.
    pub(crate) fn woken(&self) -> Vec<i32> {
        match self.found() {
            Ok(remote) => {
                // SAFETY: as above.
                let remote = unsafe { &*remote };
                remote.arrived();
                remote.take_signals()
            }
            Err(_) => Vec::new(),
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Ok(remote) = self.found() {
            // SAFETY: this one's reference.
            drop(unsafe { Arc::from_raw(remote) });
        }
    }
}

impl Remote {
    pub(crate) fn new(name: &'static &'static str, post: fn(u32) -> bool) -> Remote {
        Remote {
            head: AtomicPtr::new(ptr::null_mut()),
            in_flight: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            handle: AtomicU32::new(0),
            name,
            signals: Mutex::new(Vec::new()),
            post,
        }
    }

    pub(crate) fn set_handle(&self, handle: u32) {
        self.handle.store(handle, Ordering::Release);
    }

    /// Hands a task over, from any thread. The caller has set its bit `QUEUED`, so it is in no queue.
    pub(crate) fn push(&self, task: TaskRef) {
        let task = task.into_raw();
        let mut head = self.head.load(Ordering::Relaxed);
        loop {
            // SAFETY: the reference that came in keeps it; `next` belongs to who has set `QUEUED`.
            unsafe { (*task.as_ptr()).next.store(head, Ordering::Relaxed) };
            let result = self.head.compare_exchange_weak(
                head,
                task.as_ptr(),
                Ordering::SeqCst,
                Ordering::Relaxed,
            );
            match result {
                Ok(_) => break,
                Err(now) => head = now,
            }
        }
        // Between the push and this load, and between the store and the swap of `close`, stands one order: one of the two
        // sees the other.
        fence(Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) {
            self.take(drop);
            return;
        }
        self.notify();
    }

    /// Sees to it that a wake message comes, unless one is on its way.
    pub(crate) fn notify(&self) {
        if self.in_flight.swap(true, Ordering::AcqRel) {
            return;
        }
        if !(self.post)(self.handle.load(Ordering::Acquire)) {
            // The service has ended, or its mailbox is full: then there are messages, and the stack is looked at with each.
            self.in_flight.store(false, Ordering::Release);
        }
    }

    /// The wake message is here: the next one may be sent. Before [`Remote::take`].
    pub(crate) fn arrived(&self) {
        self.in_flight.swap(false, Ordering::AcqRel);
    }

    /// Whether [`Remote::take`] may find something.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        !self.head.load(Ordering::Relaxed).is_null()
    }

    /// Takes all tasks, the oldest first.
    pub(crate) fn take(&self, mut each: impl FnMut(TaskRef)) {
        let mut newest = self.head.swap(ptr::null_mut(), Ordering::SeqCst);
        let mut oldest = ptr::null_mut();
        while let Some(task) = ptr::NonNull::new(newest) {
            // SAFETY: the stack owns a reference of each of its tasks, and their `next`.
            newest = unsafe { task.as_ref().next.swap(oldest, Ordering::Relaxed) };
            oldest = task.as_ptr();
        }
        while let Some(task) = ptr::NonNull::new(oldest) {
            // SAFETY: as above; the reference goes on to `each`.
            oldest = unsafe { task.as_ref().next.swap(ptr::null_mut(), Ordering::Relaxed) };
            // SAFETY: the stack's reference.
            each(unsafe { TaskRef::from_raw(task) });
        }
    }

    /// A signal, from any thread.
    pub(crate) fn signal(&self, signal: i32) {
        self.signals
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .push(signal);
        self.notify();
    }

    /// The signals that have come.
    pub(crate) fn take_signals(&self) -> Vec<i32> {
        std::mem::take(
            &mut *self
                .signals
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner()),
        )
    }

    /// The service is released: tasks that are woken from now on are let go.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        self.take(drop);
    }
}
