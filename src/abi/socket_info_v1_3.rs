//! `struct socket_info` as it was up to v1.3.0. The headers of that generation rename the functions to these. Not scanned
//! for the headers.

use super::socket_raw::SocketServer;
use crate::alloc::memory::uncharged;
use crate::base::release::V1_4;
use crate::diag::crash::contain;
use crate::io::socket::{SocketInfo, info, server};
use std::ptr::null_mut;

/// A fresh list as services of a release know it.
pub(super) fn in_layout(version: u32, list: *mut SocketInfo) -> *mut SocketInfo {
    if version < V1_4 {
        // SAFETY: a list that was not given away yet.
        unsafe { info::make_earlier(list) }
    } else {
        list
    }
}

/// As `skynet_socket_info`.
#[unsafe(no_mangle)]
pub extern "C" fn skynet_socket_info_v1_3() -> *mut SocketInfo {
    contain("skynet_socket_info_v1_3", std::ptr::null_mut(), || {
        uncharged(|| in_layout(V1_4 - 1, server().map_or(null_mut(), |s| s.info())))
    })
}

/// As `socket_server_info`.
///
/// # Safety
/// `ss` is null or a server.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn socket_server_info_v1_3(ss: *mut SocketServer) -> *mut SocketInfo {
    contain("socket_server_info_v1_3", std::ptr::null_mut(), || {
        uncharged(|| {
            // SAFETY: contract of this function.
            let info = unsafe { ss.as_ref() }.map_or(null_mut(), |s| s.core().info());
            in_layout(V1_4 - 1, info)
        })
    })
}
