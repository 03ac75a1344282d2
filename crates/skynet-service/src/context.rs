//! What a service can do.

mod commands;
mod requests;
mod select;
mod tasks;

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ptr;

pub use commands::Stat;
pub use requests::{Call, CallLua};
pub use select::{Either, Select, select};
pub use tasks::{JoinHandle, Sleep, Timeout};

use crate::address::{Address, Handle};
use crate::error::SendError;
use crate::kind::Kind;
use crate::lua;
use crate::payload::Payload;
use crate::runtime::core::{current, try_current};
use crate::sys::{self, DONT_COPY};

/// The service that runs: sends, asks, and starts tasks in its name.
///
/// A `Ctx` has no content, and can be copied into every task; it always means the service whose turn it is on this thread. It cannot go
/// to other threads.
///
/// # Panics
///
/// All functions panic where no service runs (in a job of [`Ctx::offload`] no `Ctx` can be had in the first place).
#[derive(Clone, Copy, Debug)]
pub struct Ctx {
    _local: PhantomData<*const ()>,
}

impl Ctx {
    pub(crate) const fn new() -> Ctx {
        Ctx {
            _local: PhantomData,
        }
    }

    /// The service that runs on this thread.
    pub fn current() -> Option<Ctx> {
        try_current(|_| Ctx::new())
    }

    /// Its own handle.
    pub fn handle(self) -> Handle {
        current(|core| core.handle.get()).expect("the core gives each service a handle")
    }

    /// The name under which its code was loaded.
    pub fn service_name(self) -> &'static str {
        current(|core| core.name)
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
        payload: impl Into<Payload>,
    ) -> Result<(), SendError> {
        send(address.into(), kind, 0, 0, payload.into()).map(drop)
    }

    /// Sends values of Lua, as `skynet.send(address, "lua", ...)`; see [`lua::pack`].
    ///
    /// # Errors
    ///
    /// As for [`Ctx::send`], and when the values cannot be packed.
    pub fn send_lua<'a, T: serde::Serialize + ?Sized>(
        self,
        address: impl Into<Address<'a>>,
        values: &T,
    ) -> Result<(), SendError> {
        self.send(address, Kind::Lua, lua::pack(values)?)
    }

    /// Sends a message on in the name of another service, and with its session, as `skynet.redirect`: the answer goes there.
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
        payload: impl Into<Payload>,
    ) -> Result<(), SendError> {
        send(address.into(), kind, source.get(), session, payload.into()).map(drop)
    }

    /// Answers a request whose number and asker one knows; [`Responder`](crate::Responder) does not forget it.
    pub fn respond(self, source: Handle, session: i32, payload: impl Into<Payload>) {
        send_raw(source.get(), Kind::Response, session, payload.into());
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

/// What a message needs to leave the service: its context, a source, the type with its tags, a session.
struct Sender {
    context: *mut sys::Context,
    source: u32,
    tagged: i32,
    session: i32,
}

impl Sender {
    #[inline]
    fn new(kind: Kind, source: u32, session: i32) -> Result<Sender, SendError> {
        let (context, source) = current(|core| {
            // The context may be used as long as messages are dispatched; a release has its handle only.
            if core.ending.get() && source == 0 {
                (ptr::null_mut(), core.handle.get().map_or(0, Handle::get))
            } else {
                (core.context.get(), source)
            }
        });
        let mut sender = Sender {
            context,
            source,
            tagged: i32::from(kind.number()) | DONT_COPY,
            session,
        };
        if session == NEW_SESSION {
            if context.is_null() {
                return Err(SendError::Ending);
            }
            sender.tagged |= sys::ALLOC_SESSION;
            sender.session = 0;
        }
        Ok(sender)
    }

    #[inline]
    fn to_handle(&self, handle: Handle, data: *mut u8, len: usize) -> i32 {
        let send = sys::api().send;
        let (source, to) = (self.source, handle.get());
        // SAFETY: the context of the service whose turn it is, or null with a source; the core takes the block over.
        unsafe {
            send(
                self.context,
                source,
                to,
                self.tagged,
                self.session,
                data.cast(),
                len,
            )
        }
    }

    /// `None`: this cannot be a name.
    fn to_name(&self, name: &str, data: *mut u8, len: usize) -> Option<i32> {
        let send = sys::api().send_name;
        with_c_str(name, |name| {
            let (source, to) = (self.source, name.as_ptr());
            // SAFETY: as above; the name lives during the call.
            unsafe {
                send(
                    self.context,
                    source,
                    to,
                    self.tagged,
                    self.session,
                    data.cast(),
                    len,
                )
            }
        })
    }
}

/// Sends; the session, which the core made up if `session` is [`NEW_SESSION`].
#[inline]
fn send(
    address: Address<'_>,
    kind: Kind,
    source: u32,
    session: i32,
    payload: Payload,
) -> Result<i32, SendError> {
    let sender = Sender::new(kind, source, session)?;
    let (data, len) = payload.into_raw();
    let sent = match address {
        Address::Handle(handle) => sender.to_handle(handle, data, len),
        Address::Name(name) => match sender.to_name(name, data, len) {
            Some(sent) => sent,
            None => {
                // SAFETY: the block that was just taken out.
                drop(unsafe { Payload::from_raw(data, len) });
                let name = name.to_string();
                return Err(SendError::InvalidName { name });
            }
        },
    };
    if sent < 0 {
        return Err(send_error(sent, address, len));
    }
    Ok(sent)
}

/// The session that the core is to make up.
const NEW_SESSION: i32 = i32::MIN;

#[cold]
fn send_error(code: i32, address: Address<'_>, bytes: usize) -> SendError {
    match code {
        -2 => SendError::TooLarge { bytes },
        _ => SendError::Unreachable {
            address: address.to_string(),
        },
    }
}

/// Sends an answer; nobody hears of a failure. Outside of a turn it goes nowhere, as the service is gone then.
pub(crate) fn send_raw(destination: u32, kind: Kind, session: i32, payload: Payload) {
    let Some(destination) = Handle::new(destination) else {
        return;
    };
    if Ctx::current().is_some() {
        let _ = send(destination.into(), kind, 0, session, payload);
    }
}

/// Runs a command of the core. The answer is a copy; `None` is none.
fn command(name: &CStr, parameter: Option<&CStr>) -> Option<Vec<u8>> {
    let context = current(|core| (!core.ending.get()).then(|| core.context.get()))?;
    let parameter: *const c_char = parameter.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the context of the service whose turn it is, and C strings.
    let answer = unsafe { (sys::api().command)(context, name.as_ptr(), parameter) };
    if answer.is_null() {
        return None;
    }
    // SAFETY: a C string, which the next command overwrites.
    Some(unsafe { CStr::from_ptr(answer) }.to_bytes().to_vec())
}
