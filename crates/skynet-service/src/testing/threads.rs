//! What other threads do for the services of a node for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::core::{Shared, running};

/// How much is under way for tasks that are polled where no node runs.
static OF_NO_NODE: AtomicUsize = AtomicUsize::new(0);

/// The node that a thread runs, if it does, for another one that works in its stead: what that writes goes to the log of this node.
#[derive(Clone)]
pub(crate) struct NodeOfThread(Option<Arc<Shared>>);

/// Of this thread.
pub(crate) fn node_of_thread() -> NodeOfThread {
    NodeOfThread(running())
}

impl NodeOfThread {
    fn elsewhere(&self) -> &AtomicUsize {
        self.0.as_ref().map_or(&OF_NO_NODE, |node| &node.elsewhere)
    }

    /// Something is under way elsewhere.
    pub(crate) fn work_begins(&self) {
        self.elsewhere().fetch_add(1, Ordering::SeqCst);
    }

    /// It is over: what it has woken is in a mailbox.
    pub(crate) fn work_ends(&self) {
        self.elsewhere().fetch_sub(1, Ordering::SeqCst);
        if let Some(node) = &self.0 {
            let _state = node.lock();
            node.woken.notify_all();
        }
    }

    pub(crate) fn enter(&self, f: impl FnOnce()) {
        match &self.0 {
            Some(node) => node.enter(f),
            None => f(),
        }
    }
}

impl Shared {
    /// Whether anything is under way elsewhere.
    pub(super) fn waits_for_work(&self) -> bool {
        self.elsewhere.load(Ordering::SeqCst) + OF_NO_NODE.load(Ordering::SeqCst) != 0
    }
}
