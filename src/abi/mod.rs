//! The only exported `extern "C"` functions: one file for each upstream header, each function a few lines.
//!
//! # Safety
//! Callers keep the contracts of the C headers: texts are NULL or NUL terminated, contexts are live services, blocks
//! handed over come from the C allocator. Every function accepts NULL where it can say something sensible about it.

pub mod malloc_hook;
pub mod mem_info;
pub mod skynet;
pub mod skynet_daemon;
pub mod skynet_env;
pub mod skynet_error;
pub mod skynet_handle;
pub mod skynet_harbor;
pub mod skynet_harbor_v1_1;
pub mod skynet_imp;
pub mod skynet_imp_any;
pub mod skynet_log;
pub mod skynet_malloc;
pub mod skynet_module;
pub mod skynet_monitor;
pub mod skynet_mq;
pub mod skynet_server;
pub mod skynet_socket;
pub mod skynet_socket_v1_0;
pub mod skynet_timer;
pub mod skynet_v1_8;
pub mod socket_buffer;
pub mod socket_info;
pub mod socket_info_v1_3;
pub(crate) mod socket_raw;
pub mod socket_server;

/// A C string, `None` for NULL.
///
/// # Safety
/// `text` is NULL or NUL terminated, and stays so for as long as the answer is used.
unsafe fn text<'a>(text: *const libc::c_char) -> Option<&'a std::ffi::CStr> {
    // SAFETY: contract of this function.
    (!text.is_null()).then(|| unsafe { std::ffi::CStr::from_ptr(text) })
}
