//! Requests that wait for their answers.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::task::{Context, Poll, Waker};

use crate::address::{Handle, OwnedAddress};
use crate::error::{CallError, SendError};
use crate::payload::Payload;

/// The other side failed or is gone.
#[derive(Debug)]
pub(crate) struct Failure;

/// What has come of a request.
pub(crate) struct Answer {
    pub(crate) result: Result<Payload, Failure>,
    /// As it was begun with.
    pub(crate) to: Option<OwnedAddress>,
}

impl Answer {
    /// Of a request, with whom it failed at.
    pub(crate) fn of_request(self) -> Result<Payload, CallError> {
        match (self.result, self.to) {
            (Ok(payload), _) => Ok(payload),
            (Err(Failure), Some(address)) => Err(CallError::Failed { address }),
            (Err(Failure), None) => Err(CallError::Send(SendError::Ending)),
        }
    }
}

enum State {
    Waiting(Option<Waker>),
    Answered(Result<Payload, Failure>),
}

struct Entry {
    /// Whom it was sent to; `None` for a timer.
    to: Option<OwnedAddress>,
    state: State,
}

/// A request, or a timer (`to` is `None`), that has no answer yet, and who waits for that.
pub(crate) struct Open {
    pub(crate) session: i32,
    pub(crate) to: Option<OwnedAddress>,
    pub(crate) waker: Option<Waker>,
}

/// Sessions are small numbers in a row.
#[derive(Default)]
struct SessionHasher(u64);

impl Hasher for SessionHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i32((*byte).into());
        }
    }

    fn write_i32(&mut self, session: i32) {
        // The table uses the highest bits too.
        self.0 = (self.0 ^ u64::from(session.cast_unsigned())).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

/// See the module.
pub(crate) struct Sessions {
    entries: RefCell<HashMap<i32, Entry, BuildHasherDefault<SessionHasher>>>,
    last: Cell<i32>,
    /// The core's counter has begun again: a new session may be one that still waits.
    wrapped: Cell<bool>,
}

impl Sessions {
    pub(crate) fn new() -> Sessions {
        Sessions {
            entries: RefCell::new(HashMap::default()),
            last: Cell::new(0),
            wrapped: Cell::new(false),
        }
    }

    /// Whether a session that the core makes up may be in use.
    #[inline]
    pub(crate) fn may_collide(&self) -> bool {
        // It counts by one for each request of this service, and nobody else uses its context.
        self.wrapped.get() || self.last.get() == i32::MAX
    }

    /// Whether somebody waits for the session that the core makes up next.
    pub(crate) fn is_next_waiting(&self) -> bool {
        let next = self.last.get().checked_add(1).unwrap_or(1);
        self.entries.borrow().contains_key(&next)
    }

    /// A session that the core made up.
    #[inline]
    pub(crate) fn note(&self, session: i32) {
        if session < self.last.replace(session) {
            self.wrapped.set(true);
        }
    }

    /// A request was sent; `None`: a timer was set.
    pub(crate) fn begin(&self, session: i32, to: Option<OwnedAddress>) {
        let state = State::Waiting(None);
        self.entries
            .borrow_mut()
            .insert(session, Entry { to, state });
    }

    /// What has come of a request, and whom it was sent to; or notes who waits for it. `None`: there is no such request.
    pub(crate) fn poll(&self, session: i32, context: &Context<'_>) -> Poll<Option<Answer>> {
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = entries.get_mut(&session) else {
            return Poll::Ready(None);
        };
        if let State::Waiting(waker) = &mut entry.state {
            if !waker
                .as_ref()
                .is_some_and(|waker| waker.will_wake(context.waker()))
            {
                let old = waker.replace(context.waker().clone());
                // Its destructor may be anybody's.
                drop(entries);
                drop(old);
            }
            return Poll::Pending;
        }
        let Some(Entry {
            state: State::Answered(result),
            to,
        }) = entries.remove(&session)
        else {
            return Poll::Ready(None);
        };
        Poll::Ready(Some(Answer { result, to }))
    }

    /// An answer. `false`: nobody waits for it (any more), and it is still the caller's.
    pub(crate) fn answer(
        &self,
        session: i32,
        result: impl FnOnce() -> Result<Payload, Failure>,
    ) -> bool {
        let mut entries = self.entries.borrow_mut();
        let Some(entry) = entries.get_mut(&session) else {
            return false;
        };
        let State::Waiting(waker) = &mut entry.state else {
            // A second answer to one request.
            return false;
        };
        let waker = waker.take();
        entry.state = State::Answered(result());
        drop(entries);
        if let Some(waker) = waker {
            waker.wake();
        }
        true
    }

    /// A service has ended: so do the requests that it has got.
    pub(crate) fn fail_all_of(&self, destination: u32) {
        let to = Handle::new(destination).map(OwnedAddress::Handle);
        if to.is_none() {
            return;
        }
        let sessions: Vec<i32> = {
            let entries = self.entries.borrow();
            let of_it = entries.iter().filter(|(_, entry)| entry.to == to);
            of_it.map(|(session, _)| *session).collect()
        };
        for session in sessions {
            self.answer(session, || Err(Failure));
        }
    }

    /// Nobody waits any more: a late answer is dropped.
    pub(crate) fn withdraw(&self, session: i32) {
        let entry = self.entries.borrow_mut().remove(&session);
        drop(entry);
    }

    /// Lets go of all.
    pub(crate) fn clear(&self) {
        let entries = std::mem::take(&mut *self.entries.borrow_mut());
        drop(entries);
    }

    /// What has no answer, in the order of the numbers.
    pub(crate) fn open(&self) -> Vec<Open> {
        let entries = self.entries.borrow();
        let open = entries
            .iter()
            .filter_map(|(session, entry)| match &entry.state {
                State::Answered(_) => None,
                State::Waiting(waker) => Some(Open {
                    session: *session,
                    to: entry.to.clone(),
                    waker: waker.clone(),
                }),
            });
        let mut open: Vec<Open> = open.collect();
        open.sort_by_key(|open| open.session);
        open
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.borrow().len()
    }
}
