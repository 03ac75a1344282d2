//! Lines of text on their way from a debug console to the service that it debugs.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// One line, bytes as they were typed.
pub(super) type Line = Box<[u8]>;

/// A queue with two ends. It is for people who type, so a lock will do.
pub(super) struct Channel {
    lines: Mutex<VecDeque<Line>>,
    written: Condvar,
}

/// Channels that wait for their second end, by address. An address comes from Lua, so it is looked up before it is used.
static WAITING: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());

impl Channel {
    /// The first end of a new channel.
    pub fn create() -> Arc<Channel> {
        let channel = Arc::new(Channel {
            lines: Mutex::default(),
            written: Condvar::new(),
        });
        WAITING.lock().insert(Arc::as_ptr(&channel).addr());
        channel
    }

    /// The second end of the channel at `address`; `None` if it has one, or if there is no such channel.
    pub fn connect(address: *const Channel) -> Option<Arc<Channel>> {
        let mut waiting = WAITING.lock();
        if !waiting.remove(&address.addr()) {
            return None;
        }
        // SAFETY: what waits has a first end, whose release must take the lock that is held here.
        unsafe {
            Arc::increment_strong_count(address);
            Some(Arc::from_raw(address))
        }
    }

    /// Gives one end back.
    pub fn release(self: Arc<Self>) {
        WAITING.lock().remove(&Arc::as_ptr(&self).addr());
    }

    pub fn write(&self, line: Line) {
        self.lines.lock().push_back(line);
        self.written.notify_one();
    }

    /// The oldest line. Where there is none, waits for one, but not longer than `limit`.
    pub fn read(&self, limit: Duration) -> Option<Line> {
        let mut lines = self.lines.lock();
        if lines.is_empty() && !limit.is_zero() {
            self.written
                .wait_while_for(&mut lines, |lines| lines.is_empty(), limit);
        }
        lines.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const NO_WAIT: Duration = Duration::ZERO;

    #[test]
    fn a_channel_has_two_ends_and_no_more() {
        let first = Channel::create();
        let address = Arc::as_ptr(&first);
        let second = Channel::connect(address).expect("the second end");
        assert!(Channel::connect(address).is_none());
        first.write(Box::from(*b"a"));
        second.write(Box::from(*b"b"));
        assert_eq!(second.read(NO_WAIT).as_deref(), Some(&b"a"[..]));
        assert_eq!(first.read(NO_WAIT).as_deref(), Some(&b"b"[..]));
        assert_eq!(first.read(NO_WAIT), None);
        first.release();
        second.release();
        assert!(Channel::connect(address).is_none());
    }

    #[test]
    fn a_released_channel_cannot_be_connected() {
        let first = Channel::create();
        let address = Arc::as_ptr(&first);
        first.release();
        assert!(Channel::connect(address).is_none());
    }

    #[test]
    fn a_reader_that_waits_gets_the_line_of_another_thread() {
        let first = Channel::create();
        let second = Channel::connect(Arc::as_ptr(&first)).expect("the second end");
        let reader = thread::spawn(move || second.read(Duration::from_secs(60)));
        first.write(Box::from(*b"line"));
        assert_eq!(reader.join().unwrap().as_deref(), Some(&b"line"[..]));
    }
}
