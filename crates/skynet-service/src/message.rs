//! A message that has come, and the duty to answer it.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::address::Handle;
use crate::context;
use crate::kind::Kind;
use crate::lua;
use crate::payload::Payload;
use crate::runtime::core::try_current;
use crate::sys;

/// A call of the service's callback: the bytes are the core's, until the message is kept.
pub(crate) struct Frame {
    data: *const u8,
    len: usize,
    kept: Cell<bool>,
}

impl Frame {
    pub(crate) fn new(data: *const u8, len: usize) -> Frame {
        let len = if data.is_null() { 0 } else { len };
        let kept = Cell::new(false);
        Frame { data, len, kept }
    }

    /// Takes the bytes over: the callback will answer 1, whatever happens until then.
    ///
    /// # Safety
    ///
    /// The bytes are a block of `skynet_malloc`, and this is called once.
    pub(crate) unsafe fn take(&self) -> Payload {
        self.kept.set(true);
        // SAFETY: the caller's.
        unsafe { Payload::from_raw(self.data.cast_mut(), self.len) }
    }

    /// The bytes, as long as nobody has taken them.
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.data.is_null() || self.kept.get() {
            return &[];
        }
        // SAFETY: the core keeps them until the callback returns, which outlives the frame.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept.get()
    }
}

enum Body<'a> {
    Borrowed(&'a Frame),
    Owned(Payload),
}

/// Who has sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `None` for what comes from the node: timers, sockets, signals.
    pub source: Option<Handle>,
    /// The number of the request, 0 when no answer is awaited.
    pub session: i32,
}

impl Caller {
    /// Answers with an error.
    pub(crate) fn fail(self) {
        if self.session != 0 {
            send_error(self.source.map_or(0, Handle::get), self.session);
        }
    }
}

/// Answers a request with an error.
fn send_error(source: u32, session: i32) {
    context::send_raw(source, Kind::Error, session, Payload::new());
}

/// A message. The bytes are the core's and are gone when the handler returns; [`Message::keep`] takes them over without a copy.
pub struct Message<'a> {
    kind: Kind,
    session: i32,
    source: u32,
    body: Body<'a>,
    /// Somebody has the duty to answer.
    claimed: &'a Cell<bool>,
    _local: PhantomData<*const ()>,
}

impl<'a> Message<'a> {
    pub(crate) fn borrowed(
        kind: Kind,
        session: i32,
        source: u32,
        frame: &'a Frame,
        claimed: &'a Cell<bool>,
    ) -> Message<'a> {
        Message {
            kind,
            session,
            source,
            body: Body::Borrowed(frame),
            claimed,
            _local: PhantomData,
        }
    }

    /// Its type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Who sent it; `None` for what comes from the node: timers, sockets, signals.
    pub fn source(&self) -> Option<Handle> {
        Handle::new(self.source)
    }

    /// The number of the request, 0 when no answer is awaited.
    pub fn session(&self) -> i32 {
        self.session
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Owned(payload) => payload,
            Body::Borrowed(frame) if frame.data.is_null() => &[],
            // SAFETY: the core keeps them until the callback returns, and `'a` ends before. `keep`, which hands them to a
            // payload, consumes the message.
            Body::Borrowed(frame) => unsafe { std::slice::from_raw_parts(frame.data, frame.len) },
        }
    }

    /// Takes the message over: it may be kept as long as one likes, and its bytes are not copied.
    pub fn keep(self) -> OwnedMessage {
        let payload = match self.body {
            Body::Owned(payload) => payload,
            // SAFETY: a message's block. It is taken once, because this consumes the only message of the frame.
            Body::Borrowed(frame) => unsafe { frame.take() },
        };
        OwnedMessage {
            kind: self.kind,
            session: self.session,
            source: self.source,
            payload,
            owner: try_current(|core| core.handle.get()).flatten(),
            // The duty goes along.
            claimed: Cell::new(self.claimed.replace(true)),
        }
    }

    /// Takes the bytes over, without a copy.
    pub fn into_payload(self) -> Payload {
        let (claimed, before) = (self.claimed, self.claimed.get());
        let payload = self.keep().into_payload();
        claimed.set(before);
        payload
    }

    /// The duty to answer, when somebody waits for an answer. It is there once.
    pub fn responder(&self) -> Option<Responder> {
        if self.claimed.replace(true) {
            return None;
        }
        Responder::new(self.source, self.session)
    }

    /// The values of a message of [`Kind::Lua`]; see [`lua::unpack`].
    ///
    /// # Errors
    ///
    /// When the bytes are no such values.
    pub fn unpack<'de, T: serde::Deserialize<'de>>(&'de self) -> Result<T, lua::Error> {
        lua::unpack(self.bytes())
    }

    /// Who sent it, and under which number.
    pub fn caller(&self) -> Caller {
        Caller {
            source: self.source(),
            session: self.session,
        }
    }
}

/// A message that the service owns. It may go to other threads. When a panic or the end of the service drops it before its duty to
/// answer was taken, or when it is dropped on another thread, who asked gets an error.
#[derive(Debug)]
pub struct OwnedMessage {
    kind: Kind,
    session: i32,
    source: u32,
    payload: Payload,
    /// The service that has got it.
    owner: Option<Handle>,
    claimed: Cell<bool>,
}

impl OwnedMessage {
    /// Its type.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Who sent it; `None` for what comes from the node: timers, sockets, signals.
    pub fn source(&self) -> Option<Handle> {
        Handle::new(self.source)
    }

    /// The number of the request, 0 when no answer is awaited.
    pub fn session(&self) -> i32 {
        self.session
    }

    /// The duty to answer, when somebody waits for an answer. It is there once, and only in the service: on other threads there is none
    /// to be had, so take it before the message goes to one.
    pub fn responder(&self) -> Option<Responder> {
        context::Ctx::current()?;
        if self.claimed.replace(true) {
            return None;
        }
        Responder::new(self.source, self.session)
    }

    /// The bytes, to send them on without a copy.
    pub fn into_payload(mut self) -> Payload {
        std::mem::take(&mut self.payload)
    }

    pub(crate) fn into_message(mut self, claimed: &Cell<bool>) -> Message<'_> {
        claimed.set(self.claimed.get());
        Message {
            kind: self.kind,
            session: self.session,
            source: self.source,
            body: Body::Owned(std::mem::take(&mut self.payload)),
            claimed,
            _local: PhantomData,
        }
    }
}

impl Drop for OwnedMessage {
    fn drop(&mut self) {
        if self.claimed.get() || self.session == 0 {
            return;
        }
        let at_home = try_current(|core| {
            let is_lost = std::thread::panicking() || core.ending.get();
            (core.handle.get() == self.owner).then_some(is_lost)
        });
        match at_home.flatten() {
            Some(true) => drop(self.responder()),
            // In the service: it may answer without this.
            Some(false) => {}
            None => self.fail_from_elsewhere(),
        }
    }
}

impl OwnedMessage {
    /// Answers with an error where no turn of the service is: in its name, which any thread may.
    #[cold]
    fn fail_from_elsewhere(&self) {
        let (Some(owner), Some(asker)) = (self.owner, self.source()) else {
            return;
        };
        let kind = Kind::Error.number().into();
        // SAFETY: with a source the context may be null, and then any thread may send; no bytes.
        unsafe {
            (sys::api().send)(
                std::ptr::null_mut(),
                owner.get(),
                asker.get(),
                kind,
                self.session,
                std::ptr::null_mut(),
                0,
            );
        }
    }
}

impl Deref for OwnedMessage {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.payload
    }
}

/// Somebody waits for an answer. Dropped without one, it answers with an error: who asked hears of it, also when the task that was to
/// answer panics or is aborted, or the service ends.
#[must_use = "dropping it answers with an error"]
#[derive(Debug)]
pub struct Responder {
    source: u32,
    session: i32,
    _local: PhantomData<*const ()>,
}

impl Responder {
    fn new(source: u32, session: i32) -> Option<Responder> {
        // Not made when it is not wanted: its destructor would answer.
        (source != 0 && session != 0).then(|| Responder {
            source,
            session,
            _local: PhantomData,
        })
    }

    /// Answers. Who asked may be gone by now, which is no error.
    pub fn respond(self, payload: impl Into<Payload>) {
        let this = std::mem::ManuallyDrop::new(self);
        context::send_raw(this.source, Kind::Response, this.session, payload.into());
    }

    /// Answers with values of Lua; see [`lua::pack`].
    ///
    /// # Errors
    ///
    /// When the values cannot be packed; who asked gets an error then.
    pub fn respond_lua<T: serde::Serialize + ?Sized>(self, values: &T) -> Result<(), lua::Error> {
        self.respond(lua::pack(values)?);
        Ok(())
    }

    /// Answers with an error, which has no text: the log is the place for that.
    pub fn fail(self) {}

    /// Who waits.
    pub fn source(&self) -> Option<Handle> {
        Handle::new(self.source)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        send_error(self.source, self.session);
    }
}
