//! What a service can do.

mod commands;
mod requests;
mod select;
mod tasks;

use std::borrow::Cow;
use std::ffi::{CStr, c_char};
use std::fmt;
use std::hint::cold_path;
use std::marker::PhantomData;
use std::ptr;

pub use commands::Stat;
pub use requests::{Call, CallLua};
pub use select::{Either, Select, select};
pub use tasks::{JoinHandle, Sleep, Timeout};

pub use crate::elsewhere::AwaitElsewhere;
pub use crate::runtime::waiting::{OpenRequest, Waiting};

use crate::address::{Address, Handle, OwnedAddress};
use crate::body::Body;
use crate::error::SendError;
use crate::kind::Kind;
use crate::lua;
use crate::payload::Payload;
use crate::runtime::core::{Core, current, not_running, try_current, with_outlet};
use crate::runtime::outlet::ENDING;
use crate::runtime::place::Near;
use crate::sys::{self, DONT_COPY};

/// The service that runs: sends, asks, and starts tasks in its name.
///
/// A `Ctx` can be copied into every task; it always means the service whose turn it is on this thread. It cannot go
/// to other threads.
///
/// # Panics
///
/// All functions panic where no service runs (in a job of [`Ctx::offload`] no `Ctx` can be had in the first place).
#[derive(Clone, Copy)]
pub struct Ctx {
    /// Of the thread on which it was made.
    near: Near,
    _local: PhantomData<*const ()>,
}

impl Ctx {
    pub(crate) fn near(near: Near) -> Ctx {
        Ctx {
            near,
            _local: PhantomData,
        }
    }

    /// The service that runs on this thread.
    pub fn current() -> Option<Ctx> {
        try_current(|core| Ctx::near(core.near()))
    }

    /// Its own handle.
    pub fn handle(self) -> Handle {
        current(Core::handle).expect("the core gives each service a handle")
    }

    /// The name under which its code was loaded.
    pub fn service_name(self) -> &'static str {
        current(Core::name)
    }

    /// Sends a message; nobody answers. The bytes of a [`Payload`] are handed over without a copy.
    ///
    /// # Errors
    ///
    /// When the service is not there; the message is gone then.
    #[inline]
    pub fn send<'a>(
        self,
        address: impl Into<Address<'a>>,
        kind: Kind,
        body: impl Into<Body<'a>>,
    ) -> Result<(), SendError> {
        send(self.near, address.into(), kind, 0, 0, body.into()).map(drop)
    }

    /// Sends values of Lua, as `skynet.send(address, "lua", ...)`; see [`lua::pack`].
    ///
    /// # Errors
    ///
    /// As for [`Ctx::send`], and when the values cannot be packed.
    pub fn send_lua<'a, T: serde_core::Serialize + ?Sized>(
        self,
        address: impl Into<Address<'a>>,
        values: &T,
    ) -> Result<(), SendError> {
        let address = address.into();
        lua::with_packed(values, |body| self.send(address, Kind::Lua, body))?
    }

    /// Sends a message on in the name of another service, and with its session, as `skynet.redirect`: the answer goes there. A request that this
    /// service has got is passed on by [`Responder::redirect`](crate::Responder::redirect).
    ///
    /// # Errors
    ///
    /// As for [`Ctx::send`].
    pub fn redirect<'a>(
        self,
        address: impl Into<Address<'a>>,
        source: Handle,
        kind: Kind,
        session: i32,
        body: impl Into<Body<'a>>,
    ) -> Result<(), SendError> {
        send(
            self.near,
            address.into(),
            kind,
            source.get(),
            session,
            body.into(),
        )
        .map(drop)
    }

    /// Answers a request whose number and asker one knows; [`Responder`](crate::Responder) does not forget it. Of a request that this service has
    /// got, the duty has to be [given up](crate::Responder::into_caller) first, or there are two answers.
    pub fn respond<'a>(self, source: Handle, session: i32, body: impl Into<Body<'a>>) {
        send_raw(source.get(), Kind::Response, session, body.into());
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ctx")
    }
}

/// Calls `f` with a C string, on the stack when it is short.
#[inline(never)]
fn with_c_str<R>(text: &str, f: impl FnOnce(&CStr) -> R) -> Option<R> {
    const SHORT: usize = 64;
    if text.len() >= SHORT {
        return std::ffi::CString::new(text).ok().map(|text| f(&text));
    }
    let mut buffer = [0; SHORT];
    buffer[..text.len()].copy_from_slice(text.as_bytes());
    CStr::from_bytes_with_nul(&buffer[..=text.len()])
        .ok()
        .map(f)
}

/// What a message needs to leave the service, but for where it goes.
struct Sender<'a> {
    near: Near,
    /// 0: the service itself.
    source: u32,
    /// The type with its tags.
    tagged: i32,
    session: i32,
    /// Null when there are none.
    data: *const u8,
    len: usize,
    /// What `data` points to, unless that is handed over.
    kept: PhantomData<&'a [u8]>,
}

impl<'a> Sender<'a> {
    #[inline(always)]
    fn new(near: Near, kind: Kind, source: u32, session: i32) -> Sender<'a> {
        let (tag, session) = match session {
            NEW_SESSION => (sys::ALLOC_SESSION, 0),
            session => (0, session),
        };
        Sender {
            near,
            source,
            tagged: tag | i32::from(kind.number()),
            session,
            data: ptr::null(),
            len: 0,
            kept: PhantomData,
        }
    }

    /// Bytes that the core copies.
    #[inline(always)]
    fn lend(&mut self, bytes: &'a [u8]) {
        if !bytes.is_empty() {
            (self.data, self.len) = (bytes.as_ptr(), bytes.len());
        }
    }

    /// Bytes that the core takes over.
    #[inline(always)]
    fn give(&mut self, payload: Payload) {
        let (data, len) = payload.into_block();
        (self.data, self.len) = (data, len);
        self.tagged |= DONT_COPY;
    }

    #[inline(always)]
    fn send(self, address: Address<'_>) -> Result<i32, SendError> {
        let Address::Handle(handle) = address else {
            return self.send_by_name(address);
        };
        let (data, to) = (self.data.cast_mut().cast(), handle.get());
        let (source, tagged, session, len) = (self.source, self.tagged, self.session, self.len);
        // SAFETY: what an outlet sends with, and its context; the core copies what is lent, and takes over what is given, on every path.
        let sent = with_outlet(self.near, |outlet| unsafe {
            (outlet.send.get())(outlet.context.get(), source, to, tagged, session, data, len)
        });
        if sent < 0 {
            cold_path();
            // (How many bytes it had is not asked for: that too would have to wait somewhere.)
            return Err(match sent {
                ENDING => SendError::Ending,
                code => send_error(code, handle, TOO_MANY),
            });
        }
        Ok(sent)
    }

    #[inline(never)]
    fn send_by_name(self, address: Address<'_>) -> Result<i32, SendError> {
        let name = match address {
            Address::Name(name) => Cow::Borrowed(name),
            Address::Handle(handle) => Cow::Owned(handle.to_string()),
        };
        let Some((context, own)) = try_current(Core::sends_as) else {
            self.take_back();
            not_running();
        };
        if context.is_null() && self.tagged & sys::ALLOC_SESSION != 0 {
            self.take_back();
            return Err(SendError::Ending);
        }
        let source = if self.source == 0 { own } else { self.source };
        let api = sys::api();
        let sent = with_c_str(&name, |name| {
            let (data, to) = (self.data.cast_mut().cast(), name.as_ptr());
            let (tagged, session, len) = (self.tagged, self.session, self.len);
            // SAFETY: the context of the service whose turn it is, or null with a source; the name lives during the call. The bytes are as above.
            unsafe { (api.send_name)(context, source, to, tagged, session, data, len) }
        });
        match sent {
            Some(sent) if sent < 0 => Err(send_error(sent, address, self.len)),
            Some(sent) => Ok(sent),
            None => {
                self.take_back();
                let name = name.into_owned();
                Err(SendError::InvalidName { name })
            }
        }
    }

    /// Frees what was given, and has not left.
    fn take_back(&self) {
        if self.tagged & DONT_COPY != 0 {
            // SAFETY: the payload that was given.
            drop(unsafe { Payload::from_raw(self.data.cast_mut(), self.len) });
        }
    }
}

/// Sends; the session, which the core made up if `session` is [`NEW_SESSION`].
#[inline(always)]
fn send(
    near: Near,
    address: Address<'_>,
    kind: Kind,
    source: u32,
    session: i32,
    body: Body<'_>,
) -> Result<i32, SendError> {
    let mut sender = Sender::new(near, kind, source, session);
    match body {
        Body::Bytes(bytes) => sender.lend(bytes),
        Body::Payload(payload) => sender.give(payload),
        Body::Vec(vec) => {
            sender.lend(&vec);
            return sender.send(address);
        }
    }
    sender.send(address)
}

/// The session that the core is to make up.
const NEW_SESSION: i32 = i32::MIN;

/// The least number of bytes that no message can have.
const TOO_MANY: usize = 1 << (usize::BITS - 8);

/// (A value without memory where the address is a handle: who does not look at it does not pay for it.)
#[inline]
fn send_error(code: i32, address: impl Into<OwnedAddress>, bytes: usize) -> SendError {
    match code {
        -2 => SendError::TooLarge { bytes },
        _ => SendError::Unreachable {
            address: address.into(),
        },
    }
}

/// Sends an answer; nobody hears of a failure. Outside of a turn it goes nowhere, as the service is gone then.
pub(crate) fn send_raw(destination: u32, kind: Kind, session: i32, body: Body<'_>) {
    let Some(destination) = Handle::new(destination) else {
        return;
    };
    if let Some(ctx) = Ctx::current() {
        let _ = send(ctx.near, destination.into(), kind, 0, session, body);
    }
}

/// Runs a command of the core. The answer is a copy; `None` is none.
fn command(name: &CStr, parameter: Option<&CStr>) -> Option<Vec<u8>> {
    let context = current(|core| (!core.flags().is_ending()).then(|| core.context()))?;
    let parameter: *const c_char = parameter.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the context of the service whose turn it is, and C strings.
    let answer = unsafe { (sys::api().command)(context, name.as_ptr(), parameter) };
    if answer.is_null() {
        return None;
    }
    // SAFETY: a C string, which the next command overwrites.
    Some(unsafe { CStr::from_ptr(answer) }.to_bytes().to_vec())
}
