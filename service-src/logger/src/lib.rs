//! The service `logger`: writes the error log to a file or to stdout.
//!
//! Lines are collected and written in one go when no other message waits, or when enough has come together. So a burst
//! costs one system call, a single line appears at once, and what has been taken from the mailbox is never lost: the last
//! message of a burst writes everything, and so does the release of the service.

mod text;

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::slice;

use libc::{c_char, c_int, c_void};
use skynet_sys::{Context, PTYPE_SYSTEM, PTYPE_TEXT, skynet_callback, skynet_command, skynet_now};

/// Bytes that are written out even if more messages wait.
const BATCH_BYTES: usize = 64 * 1024;
/// Hundredths of a second after which lines are written out even if more messages wait.
const BATCH_TIME: u64 = 20;

/// Where the lines go.
enum Output {
    /// C's `stdout`: what `print` of a Lua service left in its buffer keeps its place among the lines.
    Stdout,
    File {
        file: File,
        path: PathBuf,
    },
}

impl Output {
    fn open(path: PathBuf) -> io::Result<Output> {
        let file = append(&path)?;
        Ok(Output::File { file, path })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Output::Stdout => write_stdout(bytes),
            Output::File { file, .. } => file.write_all(bytes),
        }
    }

    fn name(&self) -> String {
        match self {
            Output::Stdout => String::from("stdout"),
            Output::File { path, .. } => path.display().to_string(),
        }
    }
}

fn append(path: &PathBuf) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn write_stdout(bytes: &[u8]) -> io::Result<()> {
    unsafe extern "C" {
        #[cfg_attr(target_vendor = "apple", link_name = "__stdoutp")]
        static mut stdout: *mut libc::FILE;
    }
    // SAFETY: C's stdout is open for the whole life of the process and stdio locks it.
    unsafe {
        let stream = stdout;
        let written = libc::fwrite(bytes.as_ptr().cast(), 1, bytes.len(), stream);
        if written < bytes.len() || libc::fflush(stream) != 0 {
            let error = io::Error::last_os_error();
            libc::clearerr(stream);
            return Err(error);
        }
    }
    Ok(())
}

/// The text of the current second, `%d/%m/%y %H:%M:%S` in local time; made once a second.
#[derive(Default)]
struct Clock {
    second: libc::time_t,
    text: String,
}

impl Clock {
    fn at(&mut self, second: libc::time_t) -> &str {
        if self.second != second || self.text.is_empty() {
            self.second = second;
            self.text = local_time(second);
        }
        &self.text
    }
}

fn local_time(second: libc::time_t) -> String {
    let mut parts = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid; localtime_r fills what zeroes have made a valid `tm` already.
    let parts = unsafe {
        libc::localtime_r(&second, parts.as_mut_ptr());
        parts.assume_init()
    };
    format!(
        "{:02}/{:02}/{:02} {:02}:{:02}:{:02}",
        parts.tm_mday,
        parts.tm_mon + 1,
        parts.tm_year.rem_euclid(100),
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec
    )
}

/// One instance of the service.
struct Logger {
    output: Output,
    /// Unix time at which the node started, seconds.
    start: libc::time_t,
    clock: Clock,
    pending: Vec<u8>,
    /// `skynet_now` when the first of the pending lines came.
    since: u64,
    /// Lines in `pending`.
    lines: usize,
    /// Lines that could not be written since the output failed.
    lost: usize,
}

impl Logger {
    fn new() -> Logger {
        Logger {
            output: Output::Stdout,
            start: 0,
            clock: Clock::default(),
            pending: Vec::new(),
            since: 0,
            lines: 0,
            lost: 0,
        }
    }

    /// Adds a line; `now` is `skynet_now()`.
    fn line(&mut self, now: u64, source: u32, text: &[u8]) {
        if self.pending.is_empty() {
            self.since = now;
        }
        // Writing to a Vec does not fail.
        if let Output::File { .. } = self.output {
            let second = self.start + (now / 100) as libc::time_t;
            let stamp = self.clock.at(second);
            let _ = write!(self.pending, "{stamp}.{:02} ", now % 100);
        }
        let _ = write!(self.pending, "[:{source:08x}] ");
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if number > 0 {
                self.pending.push(b'\n');
                if text::looks_like_a_head(line) {
                    self.pending.push(b'\t');
                }
            }
            text::show(&mut self.pending, line);
        }
        self.pending.push(b'\n');
        self.lines += 1;
    }

    /// Whether the pending lines must not wait for the end of a burst.
    fn due(&self, now: u64) -> bool {
        self.pending.len() >= BATCH_BYTES || now.saturating_sub(self.since) >= BATCH_TIME
    }

    /// Writes out what is pending. An output that fails is reported on stderr when it begins to fail and when it works
    /// again; the lines in between are lost, the node goes on.
    fn flush(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        match self.output.write(&self.pending) {
            Ok(()) if self.lost > 0 => {
                report(&format!(
                    "logger: {} works again, {} lines were lost",
                    self.output.name(),
                    self.lost
                ));
                self.lost = 0;
            }
            Ok(()) => {}
            Err(error) => {
                if self.lost == 0 {
                    report(&format!(
                        "logger: can't write {} : {error}",
                        self.output.name()
                    ));
                }
                self.lost += self.lines;
            }
        }
        self.pending.clear();
        self.pending.shrink_to(2 * BATCH_BYTES);
        self.lines = 0;
    }

    /// Opens the file by its name again, after it was renamed. Keeps the old one when that fails.
    fn reopen(&mut self) {
        self.flush();
        if let Output::File { file, path } = &mut self.output {
            match append(path) {
                Ok(new) => *file = new,
                Err(error) => report(&format!(
                    "logger: can't reopen {} : {error}",
                    path.display()
                )),
            }
        }
    }
}

/// The last place to complain; `eprintln!` would panic when stderr is closed.
fn report(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Number of messages that wait in the mailbox of the service.
///
/// # Safety
/// `context` is the service whose callback runs on this thread.
unsafe fn waiting(context: *mut Context) -> bool {
    // SAFETY: as the caller promises; the answer is a C string that lives until the next command.
    unsafe {
        let answer = skynet_command(context, c"STAT".as_ptr(), c"mqlen".as_ptr());
        !answer.is_null() && libc::atoi(answer) > 0
    }
}

unsafe extern "C" fn receive(
    context: *mut Context,
    ud: *mut c_void,
    ty: c_int,
    _session: c_int,
    source: u32,
    msg: *const c_void,
    sz: usize,
) -> c_int {
    // SAFETY: `ud` is the instance that `init` registered, alive until `release`; callbacks of a service never overlap.
    let logger = unsafe { &mut *ud.cast::<Logger>() };
    // SAFETY: no precondition.
    let now = unsafe { skynet_now() };
    match ty {
        PTYPE_SYSTEM => logger.reopen(),
        PTYPE_TEXT => {
            let text = if msg.is_null() {
                &[]
            } else {
                // SAFETY: the core hands over `sz` readable bytes at `msg` for the time of the call.
                unsafe { slice::from_raw_parts(msg.cast::<u8>(), sz) }
            };
            logger.line(now, source, text);
        }
        _ => {}
    }
    // SAFETY: `context` is the service itself.
    if logger.due(now) || !unsafe { waiting(context) } {
        logger.flush();
    }
    0
}

/// `logger_create`.
///
/// # Safety
/// None needed; the signature is that of `NAME_create`.
pub unsafe extern "C" fn create() -> *mut c_void {
    Box::into_raw(Box::new(Logger::new())).cast()
}

/// `logger_init`: `parm` is the name of the log file, null for stdout. A file that cannot be opened gives 1.
///
/// # Safety
/// `instance` comes from [`create`], `context` is its service, `parm` is null or a C string.
pub unsafe extern "C" fn init(
    instance: *mut c_void,
    context: *mut Context,
    parm: *const c_char,
) -> c_int {
    // SAFETY: as the caller promises.
    let logger = unsafe { &mut *instance.cast::<Logger>() };
    // SAFETY: `context` is valid; the answer is null or a C string.
    unsafe {
        let start = skynet_command(context, c"STARTTIME".as_ptr(), std::ptr::null());
        if !start.is_null() {
            logger.start = libc::strtoul(start, std::ptr::null_mut(), 10) as libc::time_t;
        }
    }
    if !parm.is_null() {
        // SAFETY: a C string, as the caller promises.
        let name = unsafe { CStr::from_ptr(parm) };
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()));
        match Output::open(path.clone()) {
            Ok(output) => logger.output = output,
            Err(error) => {
                report(&format!("logger: can't open {} : {error}", path.display()));
                return 1;
            }
        }
    }
    // SAFETY: the instance outlives the registration: the core releases it after the last callback.
    unsafe { skynet_callback(context, instance, Some(receive)) };
    0
}

/// `logger_release`: writes what is left.
///
/// # Safety
/// `instance` comes from [`create`] and is not used afterwards.
pub unsafe extern "C" fn release(instance: *mut c_void) {
    // SAFETY: as the caller promises.
    let mut logger = unsafe { Box::from_raw(instance.cast::<Logger>()) };
    logger.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to_file(name: &str) -> (Logger, PathBuf) {
        let path =
            std::env::temp_dir().join(format!("skynet-logger-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut logger = Logger::new();
        logger.output = Output::open(path.clone()).unwrap();
        (logger, path)
    }

    #[test]
    fn a_file_line_has_local_time_and_source() {
        let (mut logger, path) = to_file("line");
        logger.start = 1_700_000_000;
        logger.line(107, 2, b"text");
        logger.line(108, 0xff, b"");
        logger.flush();
        let stamp = local_time(1_700_000_001);
        let expected = format!("{stamp}.07 [:00000002] text\n{stamp}.08 [:000000ff] \n");
        assert_eq!(std::fs::read(&path).unwrap(), expected.as_bytes());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn further_lines_of_a_message_are_no_lines_of_others() {
        let mut logger = Logger::new();
        logger.line(0, 8, b"error: x\nstack traceback:\n\t[C]: in ?\n[:00000001] forged\n29/11/26 10:00:00.00 [:00000001] too");
        let expected = "[:00000008] error: x\nstack traceback:\n\t[C]: in ?\n\t[:00000001] forged\n\t29/11/26 10:00:00.00 [:00000001] too\n";
        assert_eq!(logger.pending, expected.as_bytes());
        logger.pending.clear();
    }

    #[test]
    fn a_renamed_file_gets_what_came_before_the_reopening() {
        let (mut logger, path) = to_file("reopen");
        logger.line(0, 1, b"old");
        let moved = path.with_extension("1");
        std::fs::rename(&path, &moved).unwrap();
        logger.reopen();
        logger.line(0, 1, b"new");
        logger.flush();
        assert!(
            std::fs::read_to_string(&moved)
                .unwrap()
                .ends_with("] old\n")
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.ends_with("] new\n") && !text.contains("old"));
        std::fs::remove_file(path).unwrap();
        std::fs::remove_file(moved).unwrap();
    }

    #[test]
    fn an_existing_file_is_continued() {
        let (mut logger, path) = to_file("append");
        logger.line(0, 1, b"one");
        logger.flush();
        logger.output = Output::open(path.clone()).unwrap();
        logger.line(0, 1, b"two");
        logger.flush();
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
        std::fs::remove_file(path).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_costs_lines_and_nothing_else() {
        let mut logger = Logger::new();
        logger.output = Output::open(PathBuf::from("/dev/full")).unwrap();
        logger.line(0, 1, b"lost");
        logger.line(0, 1, b"lost too");
        logger.flush();
        assert_eq!((logger.lost, logger.pending.len()), (2, 0));
        let (mut working, path) = to_file("full");
        std::mem::swap(&mut working.output, &mut logger.output);
        logger.line(0, 1, b"kept");
        logger.flush();
        assert_eq!(logger.lost, 0);
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .ends_with("] kept\n")
        );
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_batch_is_bounded_in_bytes_and_in_time() {
        let mut logger = Logger::new();
        logger.line(100, 1, b"x");
        assert!(!logger.due(100));
        assert!(logger.due(100 + BATCH_TIME));
        logger.line(100, 1, &vec![b'x'; BATCH_BYTES]);
        assert!(logger.due(100));
    }
}
