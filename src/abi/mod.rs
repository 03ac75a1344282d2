//! The only exported `extern "C"` functions: one file for each upstream header, each function a few lines.

pub mod malloc_hook;
pub mod mem_info;
pub mod skynet_daemon;
pub mod skynet_env;
pub mod skynet_error;
pub mod skynet_log;
pub mod skynet_main;
pub mod skynet_malloc;
pub mod skynet_socket;
pub mod skynet_socket_v1_0;
pub mod skynet_timer;
pub mod socket_buffer;
pub mod socket_info;
pub mod socket_server;
