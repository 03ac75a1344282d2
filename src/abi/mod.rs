//! The only exported `extern "C"` functions: one file for each upstream header, each function a few lines.

pub mod skynet_socket;
pub mod skynet_socket_v1_0;
pub mod socket_buffer;
pub mod socket_info;
pub mod socket_server;
