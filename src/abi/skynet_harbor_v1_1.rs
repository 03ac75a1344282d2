//! "skynet_harbor.h" as it was up to v1.1.0: the type of a remote message travels outside of `struct remote_message`. The
//! headers of that generation rename the functions to these. Not scanned for the headers.

use crate::actor::service::Context;
use crate::actor::service::harbor::{self, Envelope, RemoteMessage, RemoteName};
use crate::base::message::SIZE_MASK;
use crate::diag::crash::contain;
use libc::{c_int, c_void};

/// `struct remote_message` without `type`.
#[repr(C)]
pub struct Earlier {
    destination: RemoteName,
    message: *const c_void,
    /// The type of the message is in the high 8 bits.
    sz: usize,
}

/// As `skynet_harbor_start`; the service gets each remote message under the message's own type.
///
/// # Safety
/// `ctx` is a live struct skynet_context.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_harbor_start_v1_1(ctx: *mut c_void) {
    contain("skynet_harbor_start_v1_1", (), || {
        // SAFETY: contract of this function.
        let service = unsafe { ctx.cast::<Context>().as_ref() }.and_then(Context::reference);
        if let Some(service) = service {
            harbor::start(service, Envelope::TypeOutside);
        }
    })
}

/// As `skynet_harbor_send`.
///
/// # Safety
/// `earlier` and its payload are blocks of skynet_malloc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_harbor_send_v1_1(
    earlier: *mut Earlier,
    source: u32,
    session: c_int,
) {
    contain("skynet_harbor_send_v1_1", (), || {
        // SAFETY: contract of this function; the new block is filled before it is used.
        unsafe {
            if earlier.is_null() {
                return;
            }
            let Earlier {
                destination,
                message,
                sz,
            } = earlier.read();
            let full = libc::calloc(1, size_of::<RemoteMessage>()).cast::<RemoteMessage>();
            if full.is_null() {
                std::alloc::handle_alloc_error(std::alloc::Layout::new::<RemoteMessage>());
            }
            (*full).destination = destination;
            (*full).message = message;
            (*full).sz = sz & SIZE_MASK;
            (*full).ty = (sz >> crate::base::message::TYPE_SHIFT) as c_int;
            libc::free(earlier.cast());
            harbor::send(full, source, session);
        }
    })
}
