//! What services tell the debug adapter: that they have stopped, answers of their agents, log messages.
//!
//! They wait in a list of their own, and the adapter gets one message when there are some: the requests of the editor, which come through its
//! mailbox, do not wait behind them. A service in a loop sends log messages as fast as it can; of these so many wait, the rest is counted.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;

use libc::c_int;
use parking_lot::Mutex;
use skynet_support::State;

use super::{ADAPTER, ATTACHMENT, adapter};
use crate::services::builtin::snlua::core;

/// Bytes of notices without an end that wait.
const MOST_WAITING: usize = 256 * 1024;
/// ... with those that a notice takes beside its text.
const NOTICE: usize = 64;

struct Notice {
    source: u32,
    kind: &'static str,
    text: Box<[u8]>,
}

impl Notice {
    /// Log messages, and places at which a service could not be stopped or not be looked into, come as often as the service runs there. Of all others there are
    /// a few for each stop, each request and each launch.
    fn has_no_end(&self) -> bool {
        matches!(self.kind, "output" | "unstopped" | "broken")
    }

    fn size(&self) -> usize {
        self.text.len() + NOTICE
    }
}

struct Waiting {
    list: VecDeque<Notice>,
    /// Of those without an end.
    bytes: usize,
    /// Notices that were left out since the adapter has asked.
    lost: u64,
    /// The adapter has a message about them that it has not handled yet.
    told: bool,
}

static WAITING: Mutex<Waiting> = Mutex::new(Waiting {
    list: VecDeque::new(),
    bytes: 0,
    lost: 0,
    told: false,
});

const KINDS: [&str; 9] = [
    "stopped",
    "continued",
    "answer",
    "failed",
    "output",
    "unstopped",
    "broken",
    "disarmed",
    "service",
];

/// Tells the adapter something about a service, if the editor of `attachment` is still attached; `None` stands for whoever is. False if
/// there is no such kind of notice.
pub(super) fn tell(source: u32, attachment: Option<u64>, kind: &[u8], text: &[u8]) -> bool {
    let Some(kind) = KINDS.into_iter().find(|known| known.as_bytes() == kind) else {
        return false;
    };
    if ADAPTER.load(Ordering::Relaxed) == 0 {
        return true;
    }
    let notice = Notice {
        source,
        kind,
        text: text.into(),
    };
    let (is_first, adapter) = {
        let mut waiting = WAITING.lock();
        // Both change under the lock.
        let adapter = ADAPTER.load(Ordering::Relaxed);
        let present = ATTACHMENT.load(Ordering::Relaxed);
        if adapter == 0 || attachment.is_some_and(|attachment| attachment != present) {
            return true;
        }
        if notice.has_no_end() {
            // One may always wait.
            if waiting.bytes != 0 && waiting.bytes + notice.size() > MOST_WAITING {
                waiting.lost += 1;
                return true;
            }
            waiting.bytes += notice.size();
        }
        waiting.list.push_back(notice);
        (!std::mem::replace(&mut waiting.told, true), adapter)
    };
    if is_first && !core::tell(source, adapter) {
        WAITING.lock().told = false;
    }
    true
}

/// Another editor is attached from now on, by way of the service `adapter`, or none (0). What was told to the one before is of no
/// interest any more, and neither is what comes late for it.
pub(super) fn begin_attachment(adapter: u32) {
    let mut waiting = WAITING.lock();
    ADAPTER.store(adapter, Ordering::SeqCst);
    ATTACHMENT.fetch_add(1, Ordering::SeqCst);
    waiting.list = VecDeque::new();
    (waiting.bytes, waiting.lost, waiting.told) = (0, 0, false);
}

/// `waiting()`: how many notices wait, for a loop over [`next`], and how many were left out since this was asked last. What comes from now on
/// comes with another message.
pub(super) fn waiting(state: State<'_>) -> c_int {
    adapter::check_mine(state);
    let (count, lost) = {
        let mut waiting = WAITING.lock();
        waiting.told = false;
        (waiting.list.len() as i64, std::mem::take(&mut waiting.lost))
    };
    state.push_integer(count);
    state.push_integer(lost.cast_signed());
    2
}

/// `next()`: the oldest notice: the handle of the service, the kind, the text. Nothing if there is none.
pub(super) fn next(state: State<'_>) -> c_int {
    adapter::check_mine(state);
    let notice = {
        let mut waiting = WAITING.lock();
        let notice = waiting.list.pop_front();
        if let Some(notice) = notice.as_ref().filter(|notice| notice.has_no_end()) {
            waiting.bytes -= notice.size();
        }
        notice
    };
    let Some(Notice { source, kind, text }) = notice else {
        return 0;
    };
    let text = Box::into_raw(text);
    state.push_integer(source.into());
    // SAFETY: the box is this function's; while the strings are made, which may raise, it is but an address.
    unsafe {
        state.push_bytes(kind.as_bytes());
        state.push_bytes(&*text);
        drop(Box::from_raw(text));
    }
    3
}
