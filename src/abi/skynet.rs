//! "skynet.h": what every service uses.

use super::text;
use crate::actor::service::harbor;
use crate::actor::service::{self, Callback, Context};
use crate::base::clock;
use crate::diag::crash::contain;
use crate::diag::memory;
use crate::node::command;
use libc::{c_char, c_int, c_void};

/// `skynet_cb`; NULL lets the messages of a service be freed unseen.
pub type SkynetCb = Option<Callback>;

/// Asks the node for something by words; see docs/commands.md. The answer points into a buffer of the context, which its
/// next command overwrites, or into the environment or the table of names; NULL is "nothing", also for unknown commands.
///
/// # Safety
/// `context` is a live service of the calling thread, or NULL for a command that needs none, `cmd` a C string, `parm` NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_command(
    context: *mut Context,
    cmd: *const c_char,
    parm: *const c_char,
) -> *const c_char {
    contain("skynet_command", std::ptr::null(), || {
        // SAFETY: contract of this function.
        unsafe {
            match (context.as_ref(), text(cmd)) {
                (Some(context), Some(cmd)) => command::command(&mut context.own(), cmd, text(parm)),
                (None, Some(cmd)) => command::of_any_thread(cmd, text(parm).unwrap_or(c"")),
                (_, None) => std::ptr::null(),
            }
        }
    })
}

/// The handle of `:hex` or of a local `.name`; 0 if there is none.
///
/// # Safety
/// `context` is NULL or a live service, `name` a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_queryname(context: *mut Context, name: *const c_char) -> u32 {
    contain("skynet_queryname", 0, || {
        // SAFETY: contract of this function.
        unsafe { text(name).map_or(0, |name| service::query_name(context.as_ref(), name)) }
    })
}

/// Sends a message. The session (>= 0), -1 when the destination is unknown or its mailbox is full (it may have a limit), -2
/// when `sz` does not fit 56 bits, or there is no memory for the copy.
/// With PTYPE_TAG_DONTCOPY `msg` is a block of skynet_malloc that is taken over, also on failure.
///
/// # Safety
/// `context` is NULL or a live service of the calling thread; `msg` is NULL or has `sz` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_send(
    context: *mut Context,
    source: u32,
    destination: u32,
    r#type: c_int,
    session: c_int,
    msg: *mut c_void,
    sz: usize,
) -> c_int {
    contain("skynet_send", -1, || {
        // SAFETY: contract of this function.
        unsafe {
            service::send(
                context.as_ref(),
                source,
                destination,
                r#type,
                session,
                msg,
                sz,
            )
        }
    })
}

/// Sends to `:hex`, to a local `.name`, or to a global name (up to 16 bytes) by way of the harbor service.
///
/// # Safety
/// As skynet_send; `destination` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_sendname(
    context: *mut Context,
    source: u32,
    destination: *const c_char,
    r#type: c_int,
    session: c_int,
    msg: *mut c_void,
    sz: usize,
) -> c_int {
    contain("skynet_sendname", -1, || {
        // SAFETY: contract of this function.
        unsafe {
            match text(destination) {
                Some(name) => {
                    service::send_name(context.as_ref(), source, name, r#type, session, msg, sz)
                }
                None => service::send(context.as_ref(), source, 0, r#type, session, msg, sz),
            }
        }
    })
}

/// 1 for a handle of another node; its harbor id goes to `harbor` if that is not NULL.
///
/// # Safety
/// `harbor` is NULL or writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_isremote(
    _ctx: *mut Context,
    handle: u32,
    harbor: *mut c_int,
) -> c_int {
    contain("skynet_isremote", 0, || {
        if !harbor.is_null() {
            // SAFETY: contract of this function.
            unsafe { *harbor = (handle >> crate::actor::handle::REMOTE_SHIFT) as c_int };
        }
        c_int::from(harbor::is_remote(handle))
    })
}

/// Sets the function that gets the messages of the service.
///
/// # Safety
/// `context` is a live service of the calling thread; `cb` may be called with `ud` as long as it is set.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_callback(context: *mut Context, ud: *mut c_void, cb: SkynetCb) {
    contain("skynet_callback", (), || {
        // SAFETY: contract of this function.
        if let Some(context) = unsafe { context.as_ref() } {
            // SAFETY: contract of this function: the service is the calling thread's own, as "skynet.h" wants it.
            unsafe { context.own().set_callback(cb, ud) };
        }
    })
}

/// The handle of the service whose message this thread dispatches; minus the class of the thread outside of that.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_current_handle() -> u32 {
    contain("skynet_current_handle", 0, service::current_handle)
}

/// Centiseconds; at start it is the centisecond part (0..99) of the wall clock.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_now() -> u64 {
    contain("skynet_now", 0, clock::now)
}

/// Writes the memory of the current service to stderr: `[:handle] info 0xSIZE`.
///
/// # Safety
/// `info` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_debug_memory(info: *const c_char) {
    contain("skynet_debug_memory", (), || {
        // SAFETY: contract of this function.
        memory::debug_memory(unsafe { text(info) }.unwrap_or(c""));
    })
}
