//! A message that has come, and the duty to answer it.

use std::cell::Cell;
use std::ffi::c_int;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::address::{Address, Handle};
use crate::body::Body;
use crate::context::{self, Ctx};
use crate::error::SendError;
use crate::kind::Kind;
use crate::lua;
use crate::payload::Payload;
use crate::runtime::core::{Core, try_current};
use crate::sys;

/// Who may wait for an answer. It is in memory, also while the handler runs (`black_box` sees to that): what is looked at when that has panicked
/// is to take no register from it.
pub(crate) struct Asker {
    source: u32,
    /// 0 when no answer is awaited, or when somebody has the duty to give it.
    session: Cell<i32>,
    /// The type of the message.
    kind: u8,
}

impl Asker {
    /// (Only 8 bits of the type travel.)
    #[inline]
    pub(crate) fn new(kind: c_int, source: u32, session: i32) -> Asker {
        Asker {
            source,
            session: Cell::new(session),
            kind: kind as u8,
        }
    }

    /// Whether there is a session that nobody has the duty to answer.
    #[inline]
    pub(crate) fn is_waiting(&self) -> bool {
        self.session.get() != 0
    }

    /// The handler has left it: a request is answered with an error, and the log says so.
    #[cold]
    #[inline(never)]
    pub(crate) fn left(&self) {
        let kind = Kind::from_number(self.kind);
        if has_asker(kind, self.source, self.session.get()) {
            report_unanswered(None, kind, self.source, self.session.get());
            self.fail();
        }
    }

    /// The session of a request that nobody has the duty to answer yet: the caller has it from now on. 0 when there is none.
    #[inline]
    fn claim(&self) -> i32 {
        self.session.replace(0)
    }

    /// Answers with an error, unless that is somebody else's duty.
    pub(crate) fn fail(&self) {
        let session = self.claim();
        if session != 0 {
            send_error(self.source, session);
        }
    }
}

/// A call of the service's callback: the bytes are the core's, until the message is kept.
pub(crate) struct Frame<'a> {
    data: *const u8,
    len: usize,
    session: i32,
    source: u32,
    kept: Cell<bool>,
    asker: &'a Asker,
}

impl<'a> Frame<'a> {
    #[inline]
    pub(crate) fn new(data: *const u8, len: usize, asker: &'a Asker) -> Frame<'a> {
        Frame {
            data,
            len,
            session: asker.session.get(),
            source: asker.source,
            kept: Cell::new(false),
            asker,
        }
    }

    /// What the callback answers: 1 when the bytes were taken over.
    #[inline]
    pub(crate) fn answer(&self) -> c_int {
        c_int::from(self.kept.get())
    }

    /// The only message of it.
    ///
    /// # Safety
    ///
    /// `data` is null or a block of `skynet_malloc` with `len` bytes, which is there as long as the frame, or until the message is kept. This
    /// is called once, or the message before was dropped.
    #[inline]
    pub(crate) unsafe fn message(&self) -> Message<'_> {
        Message {
            frame: self,
            _local: PhantomData,
        }
    }

    /// Its type.
    #[inline]
    pub(crate) fn kind(&self) -> Kind {
        Kind::from_number(self.asker.kind)
    }

    /// Takes the bytes over: the callback will answer 1, whatever happens until then.
    ///
    /// # Safety
    ///
    /// The bytes are a block of `skynet_malloc`, and this is called once.
    #[inline]
    pub(crate) unsafe fn take(&self) -> Payload {
        self.kept.set(true);
        // SAFETY: the caller's.
        unsafe { Payload::from_raw(self.data.cast_mut(), self.len) }
    }

    /// Nobody will handle it: who waits for an answer gets an error.
    pub(crate) fn fail(&self) {
        self.asker.fail();
    }

    /// The bytes, as long as nobody has taken them.
    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.data.is_null() || self.kept.get() {
            return &[];
        }
        // SAFETY: the core keeps them until the callback returns, which outlives the frame.
        unsafe { std::slice::from_raw_parts(self.data, self.len) }
    }
}

/// Who has sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `None` for what comes from the node: timers, sockets, signals.
    pub source: Option<Handle>,
    /// The number of the request, 0 when no answer is awaited.
    pub session: i32,
}

/// Whether somebody waits for an answer to what nobody has answered. Gates and channels give their messages numbers of their own in the place of
/// a session, and tags of `skynet.trace` have that of what they belong to.
fn has_asker(kind: Kind, source: u32, session: i32) -> bool {
    let is_other = matches!(kind, Kind::Client | Kind::Multicast | Kind::Other(12));
    source != 0 && session != 0 && !is_other
}

/// A line in the log about a request that was let go of, where it is not the turn of its owner, if there is one.
fn report_unanswered(owner: Option<Handle>, kind: Kind, source: u32, session: i32) {
    let service = match owner {
        Some(owner) => owner.to_string(),
        None => try_current(Core::name).unwrap_or("?").to_string(),
    };
    let from = Handle::new(source).map_or_else(|| "nobody".to_string(), |from| from.to_string());
    log::error!(
        "service {service}: the request {session} of type {kind:?} from {from} was dropped without an answer, which is an error to {from}: answer it by its responder()"
    );
}

/// Answers a request with an error.
fn send_error(source: u32, session: i32) {
    context::send_raw(source, Kind::Error, session, Body::Bytes(&[]));
}

/// A message. The bytes are the core's and are gone when the handler returns; [`Message::keep`] takes them over without a copy.
///
/// A request has one answer. Who takes the [responder](Message::responder) has the duty to give it, and may do so at any time; where nobody has
/// taken it when the handler returns, who asked gets an error, and the log says so. (Not for messages of [`Kind::Client`] and
/// [`Kind::Multicast`]: most of them are no requests, though they have a number.)
pub struct Message<'a> {
    frame: &'a Frame<'a>,
    _local: PhantomData<*const ()>,
}

impl Message<'_> {
    /// Its type.
    #[inline]
    pub fn kind(&self) -> Kind {
        self.frame.kind()
    }

    /// Who sent it; `None` for what comes from the node: timers, sockets, signals.
    #[inline]
    pub fn source(&self) -> Option<Handle> {
        Handle::new(self.frame.source)
    }

    /// The number of the request, 0 when no answer is awaited.
    #[inline]
    pub fn session(&self) -> i32 {
        self.frame.session
    }

    /// The bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        // `keep`, which hands them to a payload, consumes the message.
        self.frame.bytes()
    }

    /// Takes the message over: it may be kept as long as one likes, and its bytes are not copied.
    pub fn keep(self) -> OwnedMessage {
        let frame = self.frame;
        OwnedMessage {
            kind: frame.kind(),
            session: frame.session,
            source: frame.source,
            // The duty goes along.
            claimed: Cell::new(frame.asker.claim() == 0),
            payload: self.into_payload(),
            owner: try_current(Core::handle).flatten(),
        }
    }

    /// Takes the bytes over, without a copy. The duty to answer stays where it is.
    #[inline]
    pub fn into_payload(self) -> Payload {
        // SAFETY: a message's block. It is taken once, because this consumes the only message of the frame.
        unsafe { self.frame.take() }
    }

    /// The duty to answer, when somebody waits for an answer. It is there once.
    #[inline]
    pub fn responder(&self) -> Option<Responder> {
        Responder::new(self.frame.source, self.frame.asker.claim())
    }

    /// The values of a message of [`Kind::Lua`]; see [`lua::unpack`].
    ///
    /// # Errors
    ///
    /// When the bytes are no such values.
    pub fn unpack<'de, T: serde_core::Deserialize<'de>>(&'de self) -> Result<T, lua::Error> {
        lua::unpack(self.bytes())
    }

    /// Who sent it, and under which number.
    #[inline]
    pub fn caller(&self) -> Caller {
        Caller {
            source: self.source(),
            session: self.session(),
        }
    }
}

/// A message that the service owns. It may go to other threads. The duty to answer is in it until its [responder](OwnedMessage::responder) is taken:
/// dropped before, wherever that is, it answers a request with an error, and the log says so. (For the types that are excepted see [`Message`].)
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
    #[inline]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Who sent it; `None` for what comes from the node: timers, sockets, signals.
    #[inline]
    pub fn source(&self) -> Option<Handle> {
        Handle::new(self.source)
    }

    /// The number of the request, 0 when no answer is awaited.
    #[inline]
    pub fn session(&self) -> i32 {
        self.session
    }

    /// The duty to answer, when somebody waits for an answer. It is there once, and only in the service: on other threads there is none
    /// to be had, so take it before the message goes to one.
    #[inline]
    pub fn responder(&self) -> Option<Responder> {
        Ctx::current()?;
        if self.claimed.replace(true) {
            return None;
        }
        Responder::new(self.source, self.session)
    }

    /// The bytes, to send them on without a copy. Take the responder before, if there is one: what is left of the message is dropped.
    #[inline]
    pub fn into_payload(mut self) -> Payload {
        std::mem::take(&mut self.payload)
    }

    /// What C needs to deliver it: type, session, source, bytes. Nobody has the duty to answer.
    pub(crate) fn into_parts(mut self) -> (Kind, i32, u32, Payload) {
        self.claimed.set(true);
        let payload = std::mem::take(&mut self.payload);
        (self.kind, self.session, self.source, payload)
    }
}

impl Drop for OwnedMessage {
    #[inline]
    fn drop(&mut self) {
        if !self.claimed.get() && self.session != 0 {
            self.left();
        }
    }
}

impl OwnedMessage {
    /// Nobody has taken the duty to answer.
    #[cold]
    #[inline(never)]
    fn left(&self) {
        // A panic and the end of the service say in the log what they are.
        let is_lost = try_current(|core| {
            let is_lost = std::thread::panicking() || core.flags().is_ending();
            (core.handle() == self.owner).then_some(is_lost)
        });
        let is_lost = is_lost.flatten();
        if is_lost != Some(true) {
            if !has_asker(self.kind, self.source, self.session) {
                return;
            }
            let owner = is_lost.is_none().then_some(self.owner).flatten();
            report_unanswered(owner, self.kind, self.source, self.session);
        }
        match is_lost {
            Some(_) => drop(self.responder()),
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
    #[inline]
    fn new(source: u32, session: i32) -> Option<Responder> {
        // Not made when it is not wanted: its destructor would answer.
        (source != 0 && session != 0).then(|| Responder {
            source,
            session,
            _local: PhantomData,
        })
    }

    /// Answers. Who asked may be gone by now, which is no error.
    #[inline]
    pub fn respond<'a>(self, body: impl Into<Body<'a>>) {
        let this = std::mem::ManuallyDrop::new(self);
        context::send_raw(this.source, Kind::Response, this.session, body.into());
    }

    /// Answers with values of Lua; see [`lua::pack`].
    ///
    /// # Errors
    ///
    /// When the values cannot be packed; who asked gets an error then.
    pub fn respond_lua<T: serde_core::Serialize + ?Sized>(
        self,
        values: &T,
    ) -> Result<(), lua::Error> {
        lua::with_packed(values, |body| self.respond(body))
    }

    /// Answers with an error, which has no text: the log is the place for that.
    pub fn fail(self) {}

    /// Passes the request on: that service gets the message as if who asked had sent it there, and answers in the place of this one, as after
    /// `skynet.redirect`.
    ///
    /// # Errors
    ///
    /// When the service is not there; who asked gets an error then.
    pub fn redirect<'a>(
        self,
        address: impl Into<Address<'a>>,
        kind: Kind,
        body: impl Into<Body<'a>>,
    ) -> Result<(), SendError> {
        let (ctx, source) = (Ctx::current(), self.source());
        let (Some(ctx), Some(source)) = (ctx, source) else {
            return Err(SendError::Ending);
        };
        ctx.redirect(address, source, kind, self.session, body)?;
        std::mem::forget(self);
        Ok(())
    }

    /// Gives the duty up without an answer: whoever has these numbers is to answer, by [`Ctx::respond`]. If nobody does, who asked waits for ever.
    pub fn into_caller(self) -> Caller {
        let this = std::mem::ManuallyDrop::new(self);
        Caller {
            source: this.source(),
            session: this.session,
        }
    }

    /// Who waits.
    #[inline]
    pub fn source(&self) -> Option<Handle> {
        Handle::new(self.source)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        send_error(self.source, self.session);
    }
}
