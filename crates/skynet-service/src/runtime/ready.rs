//! The tasks of a service: those that are to be polled, in order, and all of them. Both lists are for the service's turn.

use std::cell::Cell;
use std::ptr::{self, NonNull};

use super::sync::Ordering;
use super::task::{Header, TaskRef};

/// First in, first out; linked by `Header::next`, so a task is in it once. It owns a reference of each.
pub(crate) struct ReadyQueue {
    first: Cell<*mut Header>,
    last: Cell<*mut Header>,
}

impl ReadyQueue {
    pub(crate) const fn new() -> ReadyQueue {
        ReadyQueue {
            first: Cell::new(ptr::null_mut()),
            last: Cell::new(ptr::null_mut()),
        }
    }

    /// The caller has set the task's bit `QUEUED`.
    pub(crate) fn push(&self, task: TaskRef) {
        let task = task.into_raw().as_ptr();
        match NonNull::new(self.last.replace(task)) {
            None => self.first.set(task),
            // SAFETY: the queue has a reference of it, and its `next`.
            Some(last) => unsafe { last.as_ref().next.store(task, Ordering::Relaxed) },
        }
    }

    pub(crate) fn pop(&self) -> Option<TaskRef> {
        let task = NonNull::new(self.first.get())?;
        // SAFETY: the queue has a reference of it, and its `next`.
        let next = unsafe { task.as_ref().next.swap(ptr::null_mut(), Ordering::Relaxed) };
        self.first.set(next);
        if next.is_null() {
            self.last.set(ptr::null_mut());
        }
        // SAFETY: the queue's reference.
        Some(unsafe { TaskRef::from_raw(task) })
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_null()
    }
}

impl Drop for ReadyQueue {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// The tasks whose futures are there, linked both ways. It owns a reference of each.
pub(crate) struct TaskList {
    first: Cell<*mut Header>,
    len: Cell<usize>,
}

impl TaskList {
    pub(crate) const fn new() -> TaskList {
        TaskList {
            first: Cell::new(ptr::null_mut()),
            len: Cell::new(0),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len.get()
    }

    pub(crate) fn insert(&self, task: TaskRef) {
        let task = task.into_raw();
        let following = self.first.replace(task.as_ptr());
        // SAFETY: a reference that the list owns now; the links are the list's.
        let local = unsafe { &task.as_ref().local };
        local.following.set(following);
        local.is_listed.set(true);
        if let Some(following) = NonNull::new(following) {
            // SAFETY: the list owns a reference of it.
            unsafe { following.as_ref().local.previous.set(task.as_ptr()) };
        }
        self.len.set(self.len.get() + 1);
    }

    /// Takes a task out, if it is in it.
    pub(crate) fn remove(&self, task: &TaskRef) {
        let local = &task.header().local;
        if !local.is_listed.replace(false) {
            return;
        }
        let previous = local.previous.replace(ptr::null_mut());
        let following = local.following.replace(ptr::null_mut());
        match NonNull::new(previous) {
            None => self.first.set(following),
            // SAFETY: the list owns a reference of it.
            Some(previous) => unsafe { previous.as_ref().local.following.set(following) },
        }
        if let Some(following) = NonNull::new(following) {
            // SAFETY: as above.
            unsafe { following.as_ref().local.previous.set(previous) };
        }
        self.len.set(self.len.get() - 1);
        // SAFETY: the list's reference of it.
        drop(unsafe { TaskRef::from_raw(task.raw()) });
    }

    pub(crate) fn first(&self) -> Option<TaskRef> {
        TaskList::of(self.first.get())
    }

    /// Another reference of one that is in a list.
    fn of(task: *mut Header) -> Option<TaskRef> {
        let task = NonNull::new(task)?;
        // SAFETY: the list owns a reference of it, which stays; this is another one.
        let task = std::mem::ManuallyDrop::new(unsafe { TaskRef::from_raw(task) });
        Some(TaskRef::clone(&task))
    }
}

impl TaskList {
    /// All of them, the newest first.
    pub(crate) fn all(&self) -> Vec<TaskRef> {
        let mut all = Vec::new();
        let mut next = self.first();
        while let Some(task) = next {
            next = TaskList::of(task.header().local.following.get());
            all.push(task);
        }
        all
    }
}

impl Drop for TaskList {
    fn drop(&mut self) {
        while let Some(task) = self.first() {
            self.remove(&task);
        }
    }
}
