//! The hook for other nodes: messages to handles of other harbors and to global names go to the harbor service.

use super::{Context, ServiceRef};
use crate::actor::handle;
use crate::alloc::freelist::Class;
use crate::alloc::reclaim;
use crate::base::log;
use crate::base::message::{Message, ptype};
use libc::{c_char, c_int};
use std::ffi::CStr;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};

pub use skynet_sys::{RemoteMessage, RemoteName};

/// Nothing is remote before `init`; a harbor id cannot have these low bits.
const UNSET: u32 = u32::MAX;
static HARBOR: AtomicU32 = AtomicU32::new(UNSET);
static SERVICE: AtomicPtr<Context> = AtomicPtr::new(std::ptr::null_mut());
/// Whether the service knows remote messages as v1.1.0 and before had them.
static TYPE_OUTSIDE: AtomicBool = AtomicBool::new(false);

/// Sets the id of this node ("skynet_harbor.h", `skynet_harbor_init`).
pub fn init(harbor: c_int) {
    HARBOR.store((harbor as u32) << handle::REMOTE_SHIFT, Ordering::Relaxed);
}

/// True for handles of other nodes.
#[inline]
pub fn is_remote(handle: u32) -> bool {
    let id = handle & !handle::MASK;
    id != 0 && id != HARBOR.load(Ordering::Relaxed) && HARBOR.load(Ordering::Relaxed) != UNSET
}

/// Whether the node is one of several (config key `harbor`).
pub fn has_others() -> bool {
    !matches!(HARBOR.load(Ordering::Relaxed), 0 | UNSET)
}

/// Size of the structure before v1.2.0, which brought the member `type` at its end.
const SIZE_WITHOUT_TYPE: usize = std::mem::offset_of!(RemoteMessage, ty);
const _: () = assert!(SIZE_WITHOUT_TYPE == 40 || cfg!(not(target_pointer_width = "64")));

/// How a harbor service gets remote messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Envelope {
    /// PTYPE_SYSTEM, with the type inside.
    TypeInside,
    /// Under the type of the message itself (v1.1.0 and before).
    TypeOutside,
}

/// `service` is the harbor service from now on; it stays until the next one or [`exit`], and does not keep the node up.
pub fn start(service: ServiceRef, envelope: Envelope) {
    service.reserve();
    TYPE_OUTSIDE.store(envelope == Envelope::TypeOutside, Ordering::Relaxed);
    replace(service.into_raw());
}

/// There is no harbor service any more.
pub fn exit() {
    replace(std::ptr::null_mut());
}

fn replace(service: *mut Context) {
    let before = NonNull::new(SERVICE.swap(service, Ordering::AcqRel));
    // SAFETY: the reference that an earlier `start` put there.
    drop(before.map(|before| unsafe { ServiceRef::from_raw(before) }));
}

/// Hands a message over to the harbor service. Takes `rmsg`, also when it fails.
///
/// # Safety
/// `rmsg` and its payload are blocks of the C allocator.
pub unsafe fn send(rmsg: *mut RemoteMessage, source: u32, session: c_int) -> bool {
    // SAFETY: contract of this function.
    let (ty, payload) = unsafe { ((*rmsg).ty, (*rmsg).message) };
    // A sender that finds it before another one takes its place may use it.
    let _guard = reclaim::enter();
    let context = SERVICE.load(Ordering::Acquire);
    let refused = if ty == ptype::SYSTEM || ty == ptype::HARBOR {
        Some("a message of this type cannot leave the node")
    } else if context.is_null() {
        Some("there is no harbor service")
    } else {
        None
    };
    let accepted = match refused {
        Some(reason) => {
            log::error(
                source,
                format!("error: remote send of type {ty} from :{source:08x} refused: {reason}")
                    .as_bytes(),
            );
            false
        }
        None => {
            let (outer, size) = if TYPE_OUTSIDE.load(Ordering::Relaxed) {
                (ty, SIZE_WITHOUT_TYPE)
            } else {
                (ptype::SYSTEM, size_of::<RemoteMessage>())
            };
            let message = Message::with_data(source, outer, session, rmsg.cast(), size);
            // SAFETY: the guard keeps the memory of one that was let go of meanwhile.
            unsafe { &*context }.deliver(message, Class::UNPOOLED)
        }
    };
    if !accepted {
        // SAFETY: both blocks belong to this function.
        unsafe {
            libc::free(payload.cast_mut());
            libc::free(rmsg.cast());
        }
    }
    accepted
}

fn wrap(name: &[u8], handle: u32, message: Message) -> bool {
    // SAFETY: a fresh block of the right size, filled before use; null is not passed on.
    unsafe {
        let rmsg = libc::calloc(1, size_of::<RemoteMessage>()).cast::<RemoteMessage>();
        if rmsg.is_null() {
            libc::free(message.data);
            return false;
        }
        for (to, from) in (*rmsg).destination.name.iter_mut().zip(name) {
            *to = *from as c_char;
        }
        (*rmsg).destination.handle = handle;
        (*rmsg).message = message.data;
        (*rmsg).sz = message.size();
        (*rmsg).ty = message.ty();
        send(rmsg, message.source, message.session)
    }
}

/// Sends to a handle of another node; frees the payload on failure.
#[cold]
pub(super) fn send_to_handle(handle: u32, message: Message) -> bool {
    wrap(b"", handle, message)
}

/// Sends to a global name, cut to 16 bytes; frees the payload on failure.
pub(super) fn send_to_name(name: &CStr, message: Message) -> bool {
    wrap(name.to_bytes(), 0, message)
}
