//! The message log of one service (LOGON, LOGOFF): every message as a line of text, hexadecimal payloads, in
//! `<logpath>/<handle>.log`. The C interface hands `FILE *` around, so that is what is written to.

use super::Context;
use crate::alloc::reclaim;
use crate::base::log::error_fmt;
use crate::base::message::{SocketMessage, ptype};
use crate::base::{clock, env};
use std::ffi::{CStr, CString};
use std::fmt::Write as _;
use std::ptr;
use std::sync::atomic::Ordering;

/// Opens the log of the service `handle` for the caller `source`, which is told in the error log whether it worked. Null
/// when it did not, or when no `logpath` is configured.
pub fn open(source: u32, handle: u32) -> *mut libc::FILE {
    let Some(folder) = env::get(c"logpath") else {
        return ptr::null_mut();
    };
    let mut path = folder.to_bytes().to_vec();
    path.extend_from_slice(format!("/{handle:08x}.log").as_bytes());
    let Ok(path) = CString::new(path) else {
        return ptr::null_mut();
    };
    // SAFETY: both are C strings.
    let file = unsafe { libc::fopen(path.as_ptr(), c"ab".as_ptr()) };
    let shown = path.to_string_lossy();
    if file.is_null() {
        error_fmt(source, format_args!("Open log file {shown} fail"));
        return file;
    }
    error_fmt(source, format_args!("Open log file {shown}"));
    let now = clock::now();
    let wall = i64::from(clock::start_time()) + (now / 100) as i64;
    let mut text = [0; 64];
    // SAFETY: localtime_r fills what zeroes have made a valid `tm` already; asctime_r wants at least 26 bytes and ends them with a
    // newline and NUL. Together they are ctime_r, which the bindings of musl lack.
    let date = unsafe {
        let mut parts: libc::tm = std::mem::zeroed();
        if libc::localtime_r(&wall, &mut parts).is_null()
            || libc::asctime_r(&parts, text.as_mut_ptr()).is_null()
        {
            "\n".into()
        } else {
            CStr::from_ptr(text.as_ptr()).to_string_lossy()
        }
    };
    let line = format!("open time: {} {date}", now as u32);
    // SAFETY: just opened.
    unsafe { write(file, &line) };
    file
}

/// Ends the log of the service `handle`: everything is in the file when this returns.
///
/// # Safety
/// `file` came from [`open`], and is open until this returns.
unsafe fn end(source: u32, file: *mut libc::FILE, handle: u32) {
    error_fmt(source, format_args!("Close log file :{handle:08x}"));
    // SAFETY: contract of this function: open.
    unsafe { write(file, &format!("close time: {}\n", clock::now() as u32)) };
}

/// Ends the log of the service `handle` and closes the file.
///
/// # Safety
/// `file` came from [`open`] and is not written to any more.
pub unsafe fn close(source: u32, file: *mut libc::FILE, handle: u32) {
    // SAFETY: contract of this function.
    unsafe {
        end(source, file, handle);
        libc::fclose(file);
    }
}

/// As [`close`] while a worker may still be writing a record that it began before: the file is closed when no worker
/// can be.
///
/// # Safety
/// `file` came from [`open`]; no new record finds it, and those under way hold a [`reclaim::Guard`].
pub(super) unsafe fn close_later(source: u32, file: *mut libc::FILE, handle: u32) {
    /// # Safety
    /// `file` is an open `FILE`, and nobody has it any more (contract of `reclaim::defer`).
    unsafe fn close(file: *mut ()) {
        // SAFETY: contract of this function.
        unsafe { libc::fclose(file.cast()) };
    }
    // SAFETY: contract of this function.
    unsafe {
        end(source, file, handle);
        reclaim::defer(file.cast(), close);
    }
}

/// Writes one message.
///
/// # Safety
/// `file` is open. `data` has `size` bytes, and what a message of type SOCKET refers to is there.
pub unsafe fn output(
    file: *mut libc::FILE,
    source: u32,
    ty: i32,
    session: i32,
    data: *const u8,
    size: usize,
) {
    let mut line = String::with_capacity(64);
    if ty == ptype::SOCKET && !data.is_null() && size >= size_of::<SocketMessage>() {
        // SAFETY: large enough for the structure that this type stands for.
        unsafe { socket_line(&mut line, data, size) };
    } else {
        let _ = write!(
            line,
            ":{source:08x} {ty} {session} {} ",
            clock::now() as u32
        );
        // SAFETY: contract of this function.
        unsafe { push_hex(&mut line, data, size) };
    }
    line.push('\n');
    // SAFETY: contract of this function: open.
    unsafe { write(file, &line) };
}

/// # Safety
/// `data` is a socket message of `size` bytes.
unsafe fn socket_line(line: &mut String, data: *const u8, size: usize) {
    // SAFETY: contract of this function; C callers need not align it.
    let head = unsafe { data.cast::<SocketMessage>().read_unaligned() };
    let _ = write!(line, "[socket] {} {} {} ", head.r#type, head.id, head.ud);
    if head.buffer.is_null() {
        let at = size_of::<SocketMessage>();
        // SAFETY: the text is the rest of the message; it need not end with NUL.
        let text = unsafe { std::slice::from_raw_parts(data.add(at), size - at) };
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        let _ = write!(line, "[{}]", String::from_utf8_lossy(text));
    } else {
        // SAFETY: with a buffer, `ud` is its number of bytes.
        unsafe { push_hex(line, head.buffer.cast(), head.ud.max(0) as usize) };
    }
}

/// # Safety
/// `data` has `size` bytes or is null.
unsafe fn push_hex(line: &mut String, data: *const u8, size: usize) {
    if data.is_null() {
        return;
    }
    // Messages are as large as programs and strangers make them.
    if line.try_reserve(2 * size + 1).is_err() {
        let _ = write!(line, "({size} bytes: not enough memory)");
        return;
    }
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    // SAFETY: contract of this function.
    for byte in unsafe { std::slice::from_raw_parts(data, size) } {
        line.push(DIGITS[usize::from(byte >> 4)] as char);
        line.push(DIGITS[usize::from(byte & 15)] as char);
    }
}

/// # Safety
/// `file` is open.
unsafe fn write(file: *mut libc::FILE, line: &str) {
    // SAFETY: contract of this function. One call per record: records of several threads do not mix.
    unsafe {
        libc::fwrite(line.as_ptr().cast(), 1, line.len(), file);
        libc::fflush(file);
    }
}

impl Context {
    /// Writes its messages into a log from now on, for the caller `source` (command LOGON).
    pub fn log_messages(&self, source: u32) {
        if !self.logfile.load(Ordering::Acquire).is_null() {
            return;
        }
        let file = open(source, self.handle());
        if file.is_null() {
            return;
        }
        let none = ptr::null_mut();
        if self
            .logfile
            .compare_exchange(none, file, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            // Another thread was first.
            // SAFETY: no other thread has the file.
            unsafe { libc::fclose(file) };
        }
    }

    /// The end of that (command LOGOFF).
    pub fn end_message_log(&self, source: u32) {
        let file = self.logfile.swap(ptr::null_mut(), Ordering::AcqRel);
        if !file.is_null() {
            // SAFETY: the file was the target's, and no new record finds it. A worker that took it out for a record
            // just before is inside a guard.
            unsafe { close_later(source, file, self.handle()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `fill` on a temporary file and answers what it wrote.
    fn written(fill: impl FnOnce(*mut libc::FILE)) -> String {
        // SAFETY: an open file, closed at the end; the buffer is as large as what is read.
        unsafe {
            let file = libc::tmpfile();
            fill(file);
            let size = libc::ftell(file) as usize;
            libc::rewind(file);
            let mut text = vec![0u8; size];
            assert_eq!(libc::fread(text.as_mut_ptr().cast(), 1, size, file), size);
            libc::fclose(file);
            String::from_utf8(text).unwrap()
        }
    }

    fn line(ty: i32, data: &[u8]) -> String {
        // SAFETY: the data outlives the call.
        written(|file| unsafe { output(file, 0xabcd, ty, 42, data.as_ptr(), data.len()) })
    }

    fn socket(kind: i32, ud: i32, buffer: &[u8], text: &[u8]) -> String {
        let head = SocketMessage {
            r#type: kind,
            id: 3,
            ud,
            buffer: if buffer.is_empty() {
                ptr::null_mut()
            } else {
                buffer.as_ptr() as *mut _
            },
        };
        let mut data = vec![0u8; size_of::<SocketMessage>()];
        // SAFETY: as many bytes as the structure has.
        unsafe {
            ptr::copy_nonoverlapping(ptr::from_ref(&head).cast(), data.as_mut_ptr(), data.len());
        }
        data.extend_from_slice(text);
        line(ptype::SOCKET, &data)
    }

    #[test]
    fn a_record_has_source_type_session_time_and_payload_in_hex() {
        let text = line(200, &[0, 1, 2, 255]);
        let words: Vec<_> = text.trim_end_matches('\n').split(' ').collect();
        assert_eq!(words[..3], [":0000abcd", "200", "42"]);
        assert!(words[3].parse::<u32>().is_ok());
        assert_eq!(words[4..], ["000102ff"]);
        assert!(line(0, b"").ends_with(" \n"));
    }

    #[test]
    fn socket_records_show_the_text_up_to_its_nul_or_the_data() {
        assert_eq!(
            socket(2, 28180, b"", b"127.0.0.1"),
            "[socket] 2 3 28180 [127.0.0.1]\n"
        );
        assert_eq!(socket(5, 0, b"", b"no\0more"), "[socket] 5 3 0 [no]\n");
        assert_eq!(socket(3, 0, b"", b""), "[socket] 3 3 0 []\n");
        assert_eq!(socket(1, 5, b"hello", b""), "[socket] 1 3 5 68656c6c6f\n");
    }

    #[test]
    fn without_a_configured_path_there_is_no_log_and_an_unwritable_one_is_null() {
        assert!(open(0, 1).is_null());
        let _ = env::set(0, c"logpath", c"/nonexistent");
        assert!(open(0, 1).is_null());
    }
}
