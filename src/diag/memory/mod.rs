//! What the console and the C interface show of the memory.

use crate::actor::service;
use crate::alloc::memory::{jemalloc, turn_so_far};
use crate::base::log;
pub mod lua;

use std::ffi::CStr;
use std::io::Write as _;

/// The handle of the row for everything that is no service's.
pub const OTHERS: u32 = u32::MAX;

/// One row for each service and one for the rest: handle and bytes. Empty without jemalloc.
pub fn rows() -> Vec<(u32, usize)> {
    if !jemalloc::present() {
        return Vec::new();
    }
    let mut rows = Vec::new();
    let mut sum = 0;
    service::each_memory(&mut |handle, mem| {
        sum += mem.bytes();
        rows.push((handle, mem.bytes()));
    });
    rows.sort_unstable();
    rows.push((OTHERS, jemalloc::allocated().saturating_sub(sum)));
    rows
}

/// Bytes in use by the service on turn, or by everything that is no service's on other threads.
pub fn current() -> usize {
    let this = service::current_handle();
    let mut found = None;
    service::each_memory(&mut |handle, mem| {
        if handle == this {
            found = Some(mem.bytes() as i64);
        }
    });
    match found {
        Some(bytes) => (bytes + turn_so_far()).max(0) as usize,
        None => rows().last().map_or(0, |&(_, bytes)| bytes),
    }
}

/// Writes the memory of the service on turn to stderr, behind `info`.
pub fn debug_memory(info: &CStr) {
    let mut line = format!("[:{:08x}] ", service::current_handle()).into_bytes();
    line.extend_from_slice(info.to_bytes());
    // As C prints a pointer.
    line.extend_from_slice(
        match current() {
            0 => " (nil)\n".into(),
            bytes => format!(" {bytes:#x}\n"),
        }
        .as_bytes(),
    );
    let _ = std::io::stderr().write_all(&line);
}

/// Writes all rows to the error log.
pub fn dump() {
    let rows = rows();
    log::error(0, b"dump all service mem:");
    let mut total = 0;
    for (handle, bytes) in rows {
        total += bytes;
        log::error_fmt(
            0,
            format_args!(":{handle:08x} -> {}kb {bytes}b", bytes >> 10),
        );
    }
    log::error_fmt(0, format_args!("+total: {}kb", total >> 10));
}
