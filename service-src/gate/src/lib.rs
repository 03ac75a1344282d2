//! The service `gate`: takes connections, cuts what clients send into frames, and sends each frame on as a message.
//!
//! It is launched with `S|L WATCHDOG ADDRESS TAG MAX`, see [`text::Parameter`]. A frame goes to the broker if there is one,
//! else to the agent of its client, else as a text to the watchdog:
//!
//! | text to the watchdog | meaning |
//! |---|---|
//! | `ID open ID IP:PORT:0` | a client has connected; its bytes wait for `start` |
//! | `ID close` | its connection is gone |
//! | `ID data BYTES` | a frame; the id is the session, too |
//!
//! The config keys `gate_handshake`, `gate_idle`, `gate_peraddress` and `gate_frame` limit clients, see [`limits::Limits`];
//! `gate_unread` what all of them leave unread, see [`unread::Unread`].
//!
//! The watchdog answers with the texts of [`text::Command`]. A message of type `PTYPE_CLIENT` is written to a client: the
//! bytes as they are, then 4 bytes of id, the low one first.

mod clients;
mod flow;
pub mod frame;
mod limits;
pub mod text;
mod turn;
mod unread;

use std::ffi::{CStr, CString};
use std::slice;

use libc::{c_char, c_int, c_void};
use skynet_sys::{
    Context, PTYPE_CLIENT, PTYPE_RESPONSE, PTYPE_SOCKET, PTYPE_TEXT, SocketMessage,
    skynet_callback, skynet_socket_listen, skynet_socket_start,
};

use clients::{Gate, log, query};
use text::{Parameter, Refused};

/// Connections that the system keeps until they are accepted.
const BACKLOG: c_int = 128;

/// An instance of the service; without a gate before `init`.
struct Instance(Option<Gate>);

/// The callback of the service.
///
/// # Safety
/// The core calls it as "skynet.h" says of a callback: `ud` is what `init` has registered, an instance that lives until `release`; no other callback of
/// the service runs; `msg` is null or `sz` readable bytes for the time of the call.
unsafe extern "C" fn receive(
    _context: *mut Context,
    ud: *mut c_void,
    ty: c_int,
    session: c_int,
    source: u32,
    msg: *const c_void,
    sz: usize,
) -> c_int {
    // SAFETY: contract of this function: the instance, which nothing else uses meanwhile.
    let Some(gate) = (unsafe { &mut (*ud.cast::<Instance>()).0 }) else {
        return 0;
    };
    let sz = if msg.is_null() { 0 } else { sz };
    // SAFETY: the core hands over `sz` readable bytes at `msg` for the time of the call.
    let bytes = |from: usize| unsafe {
        match sz {
            0 => &[],
            _ => slice::from_raw_parts(msg.cast::<u8>().add(from), sz - from),
        }
    };
    match ty {
        PTYPE_TEXT => gate.command(bytes(0)),
        PTYPE_RESPONSE => gate.timer(session),
        // SAFETY: messages are blocks of the C allocator; a result of 1 tells the core that this one is gone.
        PTYPE_CLIENT => return unsafe { gate.write(source, msg, sz) }.into(),
        PTYPE_SOCKET if sz >= size_of::<SocketMessage>() => {
            // SAFETY: the core's socket messages begin with this structure, aligned as malloc does it.
            let message = unsafe { &*msg.cast::<SocketMessage>() };
            gate.event(message, bytes(size_of::<SocketMessage>()));
        }
        _ => {}
    }
    0
}

/// `gate_create`.
///
/// # Safety
/// None needed; the signature is that of `NAME_create`.
pub unsafe extern "C" fn create() -> *mut c_void {
    Box::into_raw(Box::new(Instance(None))).cast()
}

/// Begins to listen; the error is a line for the log, if there is something to say.
///
/// # Safety
/// `context` is a live service; `instance` outlives the registration of the callback.
unsafe fn open(context: *mut Context, instance: *mut c_void, text: &str) -> Result<Gate, String> {
    let parameter = Parameter::parse(text).map_err(|refused| match refused {
        Refused::Incomplete => format!("Invalid gate parm {text}"),
        Refused::Max => String::from("Need max connection"),
        Refused::Header => String::from("Invalid data header style"),
    })?;
    let watchdog = match parameter.watchdog {
        None => 0,
        // SAFETY: contract of this function.
        Some(name) => match unsafe { query(context, name) } {
            0 => return Err(format!("Invalid watchdog {name}")),
            handle => handle,
        },
    };
    let address = parameter.host_and_port();
    let (host, port) =
        address.ok_or_else(|| format!("Invalid gate address {}", parameter.address))?;
    let host = CString::new(host).unwrap_or_default();
    // SAFETY: contract of this function. The callback is there before the first message of the socket.
    let listener = unsafe {
        skynet_callback(context, instance, Some(receive));
        skynet_socket_listen(context, host.as_ptr(), port, BACKLOG)
    };
    if listener < 0 {
        return Err(String::new()); // the core has told why
    }
    // SAFETY: contract of this function: `context` is a live service; the id is the listener's.
    unsafe { skynet_socket_start(context, listener) };
    Ok(Gate::new(context, listener, watchdog, &parameter))
}

/// `gate_init`: `parm` is the parameter above. 1 when it cannot be read, and when the address cannot be listened on.
///
/// # Safety
/// `instance` comes from [`create`], `context` is its service, `parm` is null or a C string.
pub unsafe extern "C" fn init(
    instance: *mut c_void,
    context: *mut Context,
    parm: *const c_char,
) -> c_int {
    if parm.is_null() {
        return 1;
    }
    // SAFETY: a C string, as the caller promises.
    let text = unsafe { CStr::from_ptr(parm) }.to_string_lossy();
    // SAFETY: contract of this function; messages wait until this function has returned.
    unsafe {
        match open(context, instance, &text) {
            Ok(gate) => {
                (*instance.cast::<Instance>()).0 = Some(gate);
                0
            }
            Err(reason) => {
                if !reason.is_empty() {
                    log(context, &reason);
                }
                1
            }
        }
    }
}

/// `gate_release`: closes all sockets.
///
/// # Safety
/// `instance` comes from [`create`] and is not used afterwards.
pub unsafe extern "C" fn release(instance: *mut c_void) {
    // SAFETY: contract of this function.
    let instance = unsafe { Box::from_raw(instance.cast::<Instance>()) };
    if let Some(gate) = instance.0 {
        gate.close_all();
    }
}
