//! "skynet_harbor.h".

use crate::actor::service::Context;
pub use crate::actor::service::harbor::RemoteMessage;
use crate::actor::service::harbor::{self, Envelope};
use crate::base::log;
use crate::base::release;
use crate::diag::crash::contain;
use crate::services::{builtin, loader};
use libc::{c_int, c_void};

/// How the service that asks expects its messages, which it does not say. The built-in one is always of today.
fn envelope(context: &Context) -> Envelope {
    if builtin::is_harbor(context.module()) {
        return Envelope::TypeInside;
    }
    if release::version() < release::V1_2 {
        return Envelope::TypeOutside;
    }
    if release::version() >= release::V1_3
        && harbor::has_others()
        && let Some(file) = loader::compiled_before_v1_3(context.module())
    {
        log::error_fmt(
            context.handle(),
            format_args!(
                "error: {file} was compiled for v1.2.0 or older. If for v1.1.0 or older, it cannot send to other nodes nor to \
                 global names: set api_version = \"1.1.0\" in the config, else \"1.2.0\""
            ),
        );
    }
    Envelope::TypeInside
}

/// Hands a message over to the harbor service; takes `rmsg` and its payload, also on failure.
///
/// # Safety
/// `rmsg` and its payload are blocks of skynet_malloc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_harbor_send(rmsg: *mut RemoteMessage, source: u32, session: c_int) {
    contain("skynet_harbor_send", (), || {
        if !rmsg.is_null() {
            // SAFETY: contract of this function.
            unsafe { harbor::send(rmsg, source, session) };
        }
    })
}

/// 1 for a handle of another node.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_harbor_message_isremote(handle: u32) -> c_int {
    contain("skynet_harbor_message_isremote", 0, || {
        c_int::from(harbor::is_remote(handle))
    })
}

/// Sets the id of this node.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_harbor_init(harbor: c_int) {
    contain("skynet_harbor_init", (), || {
        harbor::init(harbor);
    })
}

/// Makes a service the harbor service; it no longer keeps the node up.
///
/// # Safety
/// `ctx` is a live struct skynet_context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_harbor_start(ctx: *mut c_void) {
    contain("skynet_harbor_start", (), || {
        // SAFETY: contract of this function.
        if let Some(context) = unsafe { ctx.cast::<Context>().as_ref() }
            && let Some(service) = context.reference()
        {
            harbor::start(service, envelope(context));
        }
    })
}

/// Lets go of the harbor service.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_harbor_exit() {
    contain("skynet_harbor_exit", (), || {
        harbor::exit();
    })
}
