//! Requests: a message, and the future of its answer.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{Ctx, NEW_SESSION, send};
use crate::address::Address;
use crate::body::Body;
use crate::error::{CallError, SendError};
use crate::kind::Kind;
use crate::lua;
use crate::payload::Payload;
use crate::runtime::core::{current, try_current};
use crate::runtime::place::Near;
use crate::sys;

/// A new session, and the request under it.
pub(super) fn request(
    near: Near,
    address: Address<'_>,
    kind: Kind,
    body: Body<'_>,
) -> Result<i32, SendError> {
    if current(|core| core.pending().sessions.may_collide()) {
        skip_used_sessions()?;
    }
    let session = send(near, address, kind, 0, NEW_SESSION, body)?;
    current(|core| {
        let sessions = &core.pending().sessions;
        sessions.note(session);
        sessions.begin(session, Some(address.into()));
    });
    Ok(session)
}

/// The number that the core makes up next is not in use after this. Its counter begins again after 2^31 requests.
#[cold]
pub(super) fn skip_used_sessions() -> Result<(), SendError> {
    while current(|core| core.pending().sessions.is_next_waiting()) {
        current(|core| {
            if core.flags().is_ending() {
                return Err(SendError::Ending);
            }
            // A message to nobody without bytes: the core makes up a session, and that is all.
            let kind = i32::from(Kind::Response.number()) | sys::ALLOC_SESSION;
            // SAFETY: the context of the service whose turn it is; no bytes.
            let session = unsafe {
                (sys::api().send)(core.context(), 0, 0, kind, 0, std::ptr::null_mut(), 0)
            };
            core.pending().sessions.note(session);
            Ok(())
        })?;
    }
    Ok(())
}

/// The answer to come of [`Ctx::call`]. Dropped before that, it withdraws the request: a late answer is dropped.
#[must_use = "the request is sent, but its answer is dropped"]
pub struct Call {
    state: State,
    _local: PhantomData<*const ()>,
}

enum State {
    Waiting(i32),
    Failed(Option<SendError>),
    Done,
}

impl Future for Call {
    type Output = Result<Payload, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let result = match &mut self.state {
            State::Done => panic!("a request was awaited again after its answer"),
            State::Failed(error) => Err(CallError::Send(error.take().unwrap_or(SendError::Ending))),
            State::Waiting(session) => {
                let answer = current(|core| core.pending().sessions.poll(*session, context));
                match ready!(answer) {
                    Some(answer) => answer.of_request(),
                    // The service ends, and has let go of all.
                    None => Err(CallError::Send(SendError::Ending)),
                }
            }
        };
        self.state = State::Done;
        Poll::Ready(result)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let State::Waiting(session) = self.state {
            // Without a turn its table is gone, or cannot be reached.
            try_current(|core| {
                core.any_pending()
                    .map(|pending| pending.sessions.withdraw(session))
            });
        }
    }
}

/// The answer to come of [`Ctx::call_lua`].
#[must_use = "the request is sent, but its answer is dropped"]
pub struct CallLua<R> {
    call: Call,
    _answer: PhantomData<fn() -> R>,
}

impl<R: serde_core::de::DeserializeOwned> Future for CallLua<R> {
    type Output = Result<R, CallError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let payload = ready!(Pin::new(&mut self.call).poll(context))?;
        Poll::Ready(lua::unpack(&payload).map_err(CallError::Answer))
    }
}

impl Ctx {
    /// Asks another service, and answers with the bytes of what it answers. The request is sent at once; the future waits for the answer.
    ///
    /// # Errors
    ///
    /// (Of the future.) When the service is not there, fails, or ends before it has answered.
    pub fn call<'a>(
        self,
        address: impl Into<Address<'a>>,
        kind: Kind,
        body: impl Into<Body<'a>>,
    ) -> Call {
        let address = address.into();
        let state = match request(self.near, address, kind, body.into()) {
            Ok(session) => State::Waiting(session),
            Err(error) => State::Failed(Some(error)),
        };
        Call {
            state,
            _local: PhantomData,
        }
    }

    /// Asks with values of Lua, as `skynet.call(address, "lua", ...)`; see [`lua::pack`]. `R` is what comes back: one value, a tuple
    /// of several, or `()` for whatever it is.
    ///
    /// # Errors
    ///
    /// (Of the future.) As for [`Ctx::call`], and when the values cannot be packed, or the answer is no `R`.
    pub fn call_lua<'a, R: serde_core::de::DeserializeOwned>(
        self,
        address: impl Into<Address<'a>>,
        values: &(impl serde_core::Serialize + ?Sized),
    ) -> CallLua<R> {
        let address = address.into();
        let called = lua::with_packed(values, |body| self.call(address, Kind::Lua, body));
        let call = called.unwrap_or_else(|error| Call {
            state: State::Failed(Some(SendError::Pack(error))),
            _local: PhantomData,
        });
        CallLua {
            call,
            _answer: PhantomData,
        }
    }
}
