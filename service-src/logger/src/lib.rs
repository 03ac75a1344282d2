//! The service `logger`: writes the error log to a file or to stdout.
//!
//! Lines are collected and written in one go when no other message waits, or when enough has come together. So a burst
//! costs one system call, a single line appears at once, and what has been taken from the mailbox is never lost: the last
//! message of a burst writes everything, and so does the release of the service.
//!
//! Config keys: `log_format`, `log_time`, `log_color` (see [`form`]); `log_rotate_size`, `log_rotate_daily`, `log_keep` (see [`rotate`]).
//! Without them lines are the C core's.

mod form;
mod node;
mod rotate;
mod text;

use std::ffi::CStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::slice;

use form::{Clock, Form};
use libc::{c_char, c_int, c_void};
use node::{config, tell_lost, waiting};
use rotate::{Current, Rotation};
use skynet_printable::{is_plain, show};
use skynet_sys::{Context, PTYPE_SYSTEM, PTYPE_TEXT, skynet_callback, skynet_command, skynet_now};

/// A line of more bytes is long: as long as what a program has put into it.
const LONG: usize = 64 * 1024;

/// Whether there is memory for the forms that a long line takes here: shown character by character it is six times as long.
fn has_room(len: usize) -> bool {
    let mut room = Vec::<u8>::new();
    room.try_reserve_exact(len.saturating_mul(8)).is_ok()
}

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

fn append(path: &Path) -> io::Result<File> {
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

/// One instance of the service.
struct Logger {
    output: Output,
    /// Unix time at which the node started, seconds.
    start: libc::time_t,
    clock: Clock,
    form: Form,
    /// Sequences that set colours are left out.
    colourless: bool,
    rotation: Rotation,
    current: Current,
    /// The file could not be renamed: it is written on, and that was told.
    stuck: bool,
    /// Old files could not be removed, and that was told.
    crowded: bool,
    pending: Vec<u8>,
    /// `skynet_now` when the first of the pending lines came.
    since: u64,
    /// Lines in `pending`.
    lines: usize,
    /// Lines that could not be written since the output failed.
    lost: usize,
    /// Those that the node does not know of yet.
    untold: usize,
}

impl Logger {
    fn new() -> Logger {
        Logger {
            output: Output::Stdout,
            start: 0,
            clock: Clock::default(),
            form: Form::default(),
            colourless: false,
            rotation: Rotation::default(),
            current: Current::default(),
            stuck: false,
            crowded: false,
            pending: Vec::new(),
            since: 0,
            lines: 0,
            lost: 0,
            untold: 0,
        }
    }

    /// Adds a line; `now` is `skynet_now()`.
    fn line(&mut self, now: u64, source: u32, text: &[u8]) {
        let note;
        let mut text = text;
        if text.len() > LONG && !has_room(text.len()) {
            note = format!(
                "error: not enough memory for a line of {} bytes",
                text.len()
            );
            text = note.as_bytes();
        }
        let plain = self
            .colourless
            .then(|| skynet_printable::without_colours(text));
        let text = plain.as_deref().unwrap_or(text);
        if self.pending.is_empty() {
            self.since = now;
        }
        // Writing to a Vec does not fail.
        let second = self.second(now);
        if self.form == Form::Json {
            let (before, behind) = self.clock.at(self.form, second);
            form::json(&mut self.pending, (before, now % 100, behind), source, text);
            self.lines += 1;
            return;
        }
        if matches!(self.output, Output::File { .. }) || self.form == Form::Iso {
            let (before, behind) = self.clock.at(self.form, second);
            let _ = write!(self.pending, "{before}.{:02}{behind} ", now % 100);
        }
        self.pending.extend_from_slice(&text::head(source));
        if is_plain(text) {
            self.pending.extend_from_slice(text);
            self.pending.push(b'\n');
            self.lines += 1;
            return;
        }
        let mut is_coloured = false;
        for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
            if number > 0 {
                self.pending.push(b'\n');
                if text::looks_like_a_head(line) {
                    self.pending.push(b'\t');
                }
            }
            is_coloured = show(&mut self.pending, line).unwrap_or(is_coloured);
        }
        if is_coloured {
            // The lines of others are not to be in it, nor hidden.
            self.pending.extend_from_slice(b"\x1b[0m");
        }
        self.pending.push(b'\n');
        self.lines += 1;
    }

    /// Unix time of a `skynet_now()`, seconds.
    fn second(&self, now: u64) -> libc::time_t {
        self.start + (now / 100) as libc::time_t
    }

    /// Begins a new file if what is pending belongs into one. If that cannot be, the old one is written on. Old files that
    /// cannot be removed change nothing for the new one.
    fn rotate(&mut self) {
        let Output::File { file, path } = &mut self.output else {
            return;
        };
        let second = self.start + (self.since / 100) as libc::time_t;
        let day = form::day(second);
        if !self
            .current
            .is_full(&self.rotation, self.pending.len(), day)
        {
            return;
        }
        let stamp = form::file_stamp(second);
        let begun = rotate::place(path).and_then(|place| {
            // A link may be that of a descriptor: what its place was called is free now, whatever the link leads to.
            let place = place.unwrap_or_else(|| path.clone());
            rotate::rename(&place, &stamp)?;
            Ok((append(&place)?, place))
        });
        let place = match begun {
            Ok((new, place)) => {
                *file = new;
                self.current = Current::default();
                self.stuck = false;
                place
            }
            Err(error) => {
                if !self.stuck {
                    report(&format!(
                        "logger: can't rotate {} : {error}",
                        path.display()
                    ));
                }
                self.stuck = true;
                return;
            }
        };
        let removed = rotate::remove_all_but(&place, self.rotation.keep);
        if let Err((old, error)) = &removed
            && !self.crowded
        {
            report(&format!("logger: can't remove {} : {error}", old.display()));
        }
        self.crowded = removed.is_err();
    }

    /// What is pending was written to the file, or not or not all of it: lines that are lost fill no file, as the old ones would have
    /// to go for empty ones otherwise.
    fn count(&mut self, is_whole: bool) {
        if is_whole {
            let day = form::day(self.second(self.since));
            self.current.wrote(self.pending.len(), day);
        } else if let Output::File { file, .. } = &self.output {
            self.current = Current::of(file.metadata(), form::day);
        }
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
        let rotates = self.rotation != Rotation::default();
        if rotates {
            self.rotate();
        }
        let written = self.output.write(&self.pending);
        if rotates {
            self.count(written.is_ok());
        }
        match written {
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
                self.untold += self.lines;
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
                Ok(new) => {
                    *file = new;
                    self.current = Current::of(file.metadata(), form::day);
                }
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

/// The callback of the service.
///
/// # Safety
/// The core calls it as "skynet.h" says of a callback: `ud` is what `init` has registered, an instance that lives until `release`; no other callback of
/// the service runs; `msg` is null or `sz` readable bytes for the time of the call.
unsafe extern "C" fn receive(
    context: *mut Context,
    ud: *mut c_void,
    ty: c_int,
    _session: c_int,
    source: u32,
    msg: *const c_void,
    sz: usize,
) -> c_int {
    // SAFETY: contract of this function: the instance, which nothing else uses meanwhile.
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
    if logger.untold > 0 {
        // SAFETY: `context` is the service itself.
        unsafe { tell_lost(context, std::mem::take(&mut logger.untold)) };
    }
    0
}

/// Reads the config, each key on its own: one with a value that is not understood is as if it were not there. Returns a line for
/// the user for each of those.
fn configure(
    logger: &mut Logger,
    to_file: bool,
    get: impl Fn(&CStr) -> Option<String>,
) -> Vec<String> {
    let mut problems = Vec::new();
    let mut number = |key: &CStr, parse: fn(&str) -> Option<u64>, form| {
        let text = get(key)?;
        let value = parse(&text);
        if value.is_none() {
            problems.push(format!(
                "{} = {text:?} should be {form}",
                key.to_string_lossy()
            ));
        }
        value
    };
    let size = number(c"log_rotate_size", rotate::size, "a size such as 100m");
    let keep = number(c"log_keep", |text| text.parse().ok(), "a number of files");
    let daily = number(c"log_rotate_daily", read_switch, "true or false");
    logger.rotation = Rotation {
        size: size.unwrap_or(0),
        daily: daily == Some(1),
        keep: keep.and_then(|keep| keep.try_into().ok()).unwrap_or(0),
    };
    let mut check = |problem: Result<(), String>| problems.extend(problem.err());
    check(
        form::without_colours(get(c"log_color").as_deref(), to_file)
            .map(|colourless| logger.colourless = colourless),
    );
    check(logger.form.read_time(get(c"log_time").as_deref()));
    check(logger.form.read_format(get(c"log_format").as_deref()));
    problems
}

fn read_switch(text: &str) -> Option<u64> {
    match text {
        "true" => Some(1),
        "false" => Some(0),
        _ => None,
    }
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
    // SAFETY: contract of this function.
    let logger = unsafe { &mut *instance.cast::<Logger>() };
    // SAFETY: `context` is valid; the answer is null or a C string.
    unsafe {
        let start = skynet_command(context, c"STARTTIME".as_ptr(), std::ptr::null());
        if !start.is_null() {
            logger.start = libc::strtoul(start, std::ptr::null_mut(), 10) as libc::time_t;
        }
    }
    // A project may have keys of these names of its own: what they say here is told, and the log is as without them.
    // SAFETY: `context` is valid.
    let get = |key: &CStr| unsafe { config(context, key) };
    for line in configure(logger, !parm.is_null(), get) {
        report(&format!("logger: {line}; the log is as without this key"));
    }
    if !parm.is_null() {
        // SAFETY: a C string, as the caller promises.
        let name = unsafe { CStr::from_ptr(parm) };
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(name.to_bytes()));
        match Output::open(path.clone()) {
            Ok(output) => {
                logger.output = output;
                logger.current = Current::of(path.metadata(), form::day);
            }
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
    // SAFETY: contract of this function.
    let mut logger = unsafe { Box::from_raw(instance.cast::<Logger>()) };
    logger.flush();
}

#[cfg(test)]
mod tests;
