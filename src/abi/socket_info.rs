//! "socket_info.h": lists of statistics.

use crate::diag::crash::contain;
pub use crate::io::socket::SocketInfo;
use crate::io::socket::info;

/// Makes an empty entry in front of `last` (which may be null); release the list with `socket_info_release`.
///
/// # Safety
/// `last` is null or the start of a list.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_info_create(last: *mut SocketInfo) -> *mut SocketInfo {
    contain("socket_info_create", std::ptr::null_mut(), || {
        info::create(last)
    })
}

/// Releases a list from its start on; null is fine.
///
/// # Safety
/// The list came from this library and is not used any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_info_release(info: *mut SocketInfo) {
    contain("socket_info_release", (), || {
        // SAFETY: contract of this function.
        unsafe { info::release(info) }
    })
}
