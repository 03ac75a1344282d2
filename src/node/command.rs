//! `skynet_command`: what a service may ask of the node, by words.

use super::limits;
#[cfg(feature = "lua")]
use super::profiles;
use super::{shutdown, startup};
use crate::actor::handle;
#[cfg(feature = "lua")]
use crate::actor::service::sampling;
use crate::actor::service::{self, Context, Own, Policy, ServiceRef, parse_hex, tail};
use crate::alloc::memory;
use crate::base::digits::Digits;
use crate::base::{clock, env, fallible, log, words};
use crate::diag::{figures, snapshot, stuck};
use crate::io::{socket, timer};
use crate::scheduler::cpu;
use libc::{c_char, c_long};
use std::ffi::CStr;

const NONE: *const c_char = std::ptr::null();

/// Runs one command for `this`. The answer points into the context (until its next command), the environment or the
/// name table; null is "nothing", also for unknown commands ("skynet.h", `skynet_command`).
pub fn command(this: &mut Own<'_>, name: &CStr, parm: Option<&CStr>) -> *const c_char {
    let text = parm.unwrap_or(c"");
    match name.to_bytes() {
        b"TIMEOUT" => timeout(this, text),
        b"TIMEOUTMS" => timeout_millis(this, text),
        b"TIMER" => timer_to_cancel(this, text),
        b"CANCEL" => cancel_timer(this, text),
        b"REG" => reg(this, text),
        b"QUERY" => query(this, text),
        b"NAME" => name_other(this, text),
        b"EXIT" => {
            service::exit(this);
            NONE
        }
        b"KILL" => {
            let handle = to_handle(this, text);
            if handle != 0 {
                log::error_parts(this.handle(), &[b"KILL ", Digits::handle(handle).bytes()]);
                service::end(handle);
            }
            NONE
        }
        b"LAUNCH" => launch(this, text),
        b"GETENV" => env::get(text).map_or(NONE, CStr::as_ptr),
        b"SETENV" => set_env(this, text),
        b"STARTTIME" => this.answer_number(&Digits::decimal(clock::start_time().into())),
        b"ABORT" => {
            if text == c"failed" {
                shutdown::ends_badly();
            }
            service::abort_all();
            NONE
        }
        b"STARTUP" => {
            startup::command(text);
            NONE
        }
        b"MONITOR" => monitor(this, text),
        b"STAT" => stat(this, text),
        b"MQLEN" => waiting(this, text),
        b"HANDLED" => handled(this, text),
        b"ENDLESS" => match this.take_endless() {
            true => this.answer(b"1"),
            false => NONE,
        },
        b"LOGON" => log_on(this, text),
        b"LOGOFF" => log_off(this, text),
        b"SIGNAL" => signal(this, text),
        b"METRICS" => this.answer_long(figures::node()),
        b"SNAPSHOT" => this.answer_long(snapshot::json(text == c"sockets")),
        b"LOGLINES" => this.answer_long(snapshot::log_lines(parse_long(text, 10).max(0) as u64)),
        b"SERVICES" => this.answer_long(service::list()),
        b"MAILBOXLIMIT" => mailbox_limit(this, text),
        b"WRITELIMIT" => write_limit(this, text),
        b"KEEPALIVE" => keepalive(this, text),
        b"OUTPUT" => output(this, text),
        b"RUNNING" => this.answer_long(stuck::workers()),
        #[cfg(feature = "lua")]
        b"PROFILE" => profile(this, text),
        b"SHUTDOWN" => shut_down(this, text),
        b"UNLOGGED" => note(service::count_unlogged_error),
        b"LOGLOST" => {
            note(|| service::waiting::count_unwritten(parse_long(text, 10).max(0) as u64))
        }
        b"MOVED" => note(|| memory::payload_moved(parse_long(text, 10))),
        #[cfg(feature = "lua")]
        b"AWAITGC" => note(|| service::quiet::await_collector(this)),
        _ => of_any_thread(name, text),
    }
}

/// A command that has no answer.
fn note(what: impl FnOnce()) -> *const c_char {
    what();
    NONE
}

/// The commands that need no service, so that any thread may give them. Their answers are there for ever.
pub fn of_any_thread(name: &CStr, text: &CStr) -> *const c_char {
    let done = match (name.to_bytes(), text.to_bytes()) {
        (b"ELSEWHERE", b"begin") => timer::elsewhere::begin(),
        (b"ELSEWHERE", b"end") => timer::elsewhere::end(),
        _ => false,
    };
    if done { c"1".as_ptr() } else { NONE }
}

/// Messages that wait for this service, or for another one: as many as there were when it last looked.
fn waiting(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    if text.is_empty() {
        let waiting = this.waiting();
        return this.answer(count(waiting).bytes());
    }
    match named(this, text) {
        Some(other) => this.answer(count(other.last_len()).bytes()),
        None => NONE,
    }
}

/// Messages that another service has taken out of its mailbox, or that were dropped before.
fn handled(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    match service::handled(to_handle(this, text)) {
        Some(number) => this.answer(count(number as usize).bytes()),
        None => NONE,
    }
}

fn hex_answer(this: &mut Own<'_>, handle: u32) -> *const c_char {
    this.answer_number(&Digits::handle(handle))
}

fn count(number: usize) -> Digits {
    Digits::decimal(number as i64)
}

/// As C's `strtol`.
fn parse_long(text: &CStr, base: i32) -> c_long {
    if base == 10
        && let Some(number) = few_digits(text.to_bytes())
    {
        return number;
    }
    // SAFETY: NUL terminated.
    unsafe { libc::strtol(text.as_ptr(), std::ptr::null_mut(), base) }
}

/// What most numbers are: one to nine decimal digits and nothing else. `strtol` takes ten times as long.
fn few_digits(text: &[u8]) -> Option<c_long> {
    if !(1..=9).contains(&text.len()) {
        return None;
    }
    let mut number = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + c_long::from(digit);
    }
    Some(number)
}

/// `:hex` or `.name`; anything else is reported and 0.
fn to_handle(this: &Context, text: &CStr) -> u32 {
    match text.to_bytes().first() {
        Some(b':') => parse_hex(&text.to_bytes()[1..]),
        Some(b'.') => handle::find_name(tail(text)),
        _ => {
            log::error_parts(
                this.handle(),
                &[b"error: Can't convert ", text.to_bytes(), b" to handle"],
            );
            0
        }
    }
}

fn timeout(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let centis = parse_long(text, 10) as i32;
    let session = this.new_session();
    timer::timeout(this.handle(), centis, session);
    this.answer_number(&Digits::decimal(session.into()))
}

/// As `TIMEOUT`, but the timer can be taken back: its session, and its place.
fn timer_to_cancel(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let centis = parse_long(text, 10) as i32;
    let session = this.new_session();
    match timer::timeout_to_cancel(this.handle(), centis, session) {
        Some(place) => this.answer_long(format!("{session} {place}")),
        None => this.answer_number(&Digits::decimal(session.into())),
    }
}

/// Takes back a timer of `TIMER`.
fn cancel_timer(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let mut words = words(text).map(|word| std::str::from_utf8(word).unwrap_or_default());
    let session = words.next().and_then(|word| word.parse().ok());
    let place = words.next().and_then(|word| word.parse().ok());
    let (Some(session), Some(place), None) = (session, place, words.next()) else {
        return refuse(
            this,
            "CANCEL",
            text,
            "expected SESSION PLACE, as TIMER has answered",
        );
    };
    if timer::cancel(this.handle(), place, session) {
        this.answer(b"1")
    } else {
        NONE
    }
}

fn timeout_millis(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let millis = parse_long(text, 10) as i32;
    let session = this.new_session();
    timer::timeout_millis(this.handle(), millis, session);
    this.answer_number(&Digits::decimal(session.into()))
}

fn reg(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    match text.to_bytes().first() {
        None => hex_answer(this, this.handle()),
        Some(b'.') => handle::name_handle(this.handle(), tail(text)).unwrap_or(NONE),
        Some(_) => {
            let report: [&[u8]; 3] = [
                b"error: Can't register global name ",
                text.to_bytes(),
                b" in C",
            ];
            log::error_parts(this.handle(), &report);
            NONE
        }
    }
}

fn query(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    if text.to_bytes().first() != Some(&b'.') {
        return NONE;
    }
    match handle::find_name(tail(text)) {
        0 => NONE,
        found => hex_answer(this, found),
    }
}

fn name_other(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let mut words = words(text);
    let (Some(name), Some(address)) = (words.next(), words.next()) else {
        return NONE;
    };
    let Some(hex) = address.strip_prefix(b":") else {
        return NONE;
    };
    let target = parse_hex(hex);
    if target == 0 {
        return NONE;
    }
    match name.strip_prefix(b".") {
        // A word of a C string holds no NUL.
        Some(local) => fallible::copy(local)
            .and_then(|local| handle::name_handle(target, &local))
            .unwrap_or(NONE),
        None => {
            log::error_parts(
                this.handle(),
                &[b"error: Can't set global name ", name, b" in C"],
            );
            NONE
        }
    }
}

/// Of the parameter of LAUNCH so much is copied to the stack; a longer one to the heap.
const SHORT_LAUNCH: usize = 256;

fn launch(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    // A copy: the parameter may be the answer to another command of this service, and words end where it has separators.
    let text = text.to_bytes_with_nul();
    let (mut short, mut long) = ([0; SHORT_LAUNCH], Vec::new());
    let copy = if let Some(room) = short.get_mut(..text.len()) {
        room.copy_from_slice(text);
        room
    } else {
        if long.try_reserve_exact(text.len()).is_err() {
            return no_memory(this, "LAUNCH");
        }
        long.extend_from_slice(text);
        &mut long[..]
    };
    let separator = copy.iter().position(|c| b" \t\r\n\0".contains(c));
    let separator = separator.unwrap_or(copy.len() - 1); // never: it ends with a NUL
    let (module, args) = copy.split_at_mut(separator + 1);
    let end = args.iter().position(|c| b"\r\n\0".contains(c));
    let args = end.map(|at| {
        args[at] = 0;
        // SAFETY: the search has found the first NUL, or what a NUL has just replaced in front of it.
        unsafe { CStr::from_bytes_with_nul_unchecked(&args[..=at]) }
    });
    module[separator] = 0;
    // SAFETY: as above, of what the separator was.
    let module = unsafe { CStr::from_bytes_with_nul_unchecked(module) };
    match service::launch(module, args) {
        None => NONE,
        Some(service) => this.answer_number(&Digits::launched(service.handle())),
    }
}

fn set_env(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let Some(at) = text.to_bytes().iter().position(|&c| c == b' ') else {
        return NONE;
    };
    // The value is a C string as it stands.
    let value = tail_at(text, at + 1);
    let Some(key) = fallible::copy(&text.to_bytes()[..at]) else {
        return no_memory(this, "SETENV");
    };
    // A key that is set already keeps its value; the refusal is logged under this service's name.
    let _ = env::set(this.handle(), &key, value);
    NONE
}

fn monitor(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    if text.is_empty() {
        return match service::exit_monitor() {
            0 => NONE,
            handle => hex_answer(this, handle),
        };
    }
    service::set_exit_monitor(to_handle(this, text));
    NONE
}

fn stat(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let seconds = |micros: u64| format!("{:.6}", micros as f64 / 1e6);
    match text.to_bytes() {
        b"mqlen" => waiting(this, c""),
        b"endless" => this.answer(if this.take_endless() { b"1" } else { b"0" }),
        b"cpu" => this.answer(seconds(this.own_cost_micros()).as_bytes()),
        b"time" if this.is_profiled() => this.answer(seconds(cpu::running_micros()).as_bytes()),
        b"time" => this.answer(b"0"),
        b"message" => this.answer(count(this.messages()).bytes()),
        _ => this.answer(b""),
    }
}

/// The words of a parameter.
fn words(text: &CStr) -> impl Iterator<Item = &[u8]> {
    words::words(text.to_bytes())
}

fn refuse(this: &Context, command: &str, text: &CStr, expected: &str) -> *const c_char {
    let (text, expected) = (text.to_bytes(), expected.as_bytes());
    let report: [&[u8]; 6] = [b"error: ", command.as_bytes(), b" ", text, b": ", expected];
    log::error_parts(this.handle(), &report);
    NONE
}

/// A parameter is too long to be copied.
#[cold]
fn no_memory(this: &Context, command: &str) -> *const c_char {
    log::error_fmt(
        this.handle(),
        format_args!("error: {command}: not enough memory for its parameter"),
    );
    NONE
}

/// The text from a place on.
fn tail_at(text: &CStr, at: usize) -> &CStr {
    let rest = text.to_bytes_with_nul().get(at..).unwrap_or_default();
    CStr::from_bytes_with_nul(rest).unwrap_or_default()
}

fn mailbox_limit(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let mut words = words(text);
    let most = words.next().and_then(limits::parse);
    let policy = words.next().map_or(Some(Policy::Reject), Policy::parse);
    match (most, policy, words.next()) {
        (Some(most), Some(policy), None) => {
            this.set_mailbox_limit(most, policy);
            this.answer(b"1")
        }
        _ => refuse(this, "MAILBOXLIMIT", text, "expected NUMBER [reject|drop]"),
    }
}

/// `start HZ TARGET`, `allocations BYTES TARGET`: "1", or why not; the target is `node`, `script NAME` or an address. `stop`: the
/// stacks, nothing without a profile.
#[cfg(feature = "lua")]
fn profile(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    if text == c"stop" {
        return match sampling::stop(this.handle()) {
            Some(stacks) => this.answer_long(stacks),
            None => NONE,
        };
    }
    match profiles::start(this, text.to_bytes(), |name| to_handle(this, name)) {
        Ok(()) => this.answer(b"1"),
        Err(problem) => this.answer_long(problem),
    }
}

fn write_limit(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let mut words = words(text);
    let id = words.next().and_then(limits::parse);
    let id = id.and_then(|id| i32::try_from(id).ok());
    let bytes = match words.next() {
        None => Some(None),
        Some(word) => limits::parse(word).map(|n| Some(limits::or_none(n))),
    };
    let (Some(id), Some(bytes), None) = (id, bytes, words.next()) else {
        return refuse(this, "WRITELIMIT", text, "expected SOCKET [BYTES]");
    };
    match socket::server() {
        Some(server) if server.set_limit(id, bytes) => this.answer(b"1"),
        _ => NONE,
    }
}

/// Times of TCP keep-alive, for one socket.
fn keepalive(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let mut words = words(text);
    let id = words.next().and_then(limits::parse);
    let id = id.and_then(|id| i32::try_from(id).ok());
    let (Some(id), Some(times)) = (id, socket::KeepAlive::parse(words)) else {
        let form = "expected SOCKET IDLE [INTERVAL [COUNT [UNACKNOWLEDGED]]], or SOCKET off";
        return refuse(this, "KEEPALIVE", text, form);
    };
    match socket::server() {
        Some(server) if server.set_keepalive(Some(id), times) => this.answer(b"1"),
        _ => NONE,
    }
}

/// What waits to be sent in a socket, and what was sent so far: two numbers of bytes.
fn output(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let id = limits::parse(text.to_bytes()).and_then(|id| i32::try_from(id).ok());
    let output = id.and_then(|id| socket::server()?.output(id));
    output.map_or(NONE, |(waiting, sent)| {
        this.answer_long(format!("{waiting} {sent}"))
    })
}

/// The live service that `text` names.
fn named(this: &Context, text: &CStr) -> Option<ServiceRef> {
    match to_handle(this, text) {
        0 => None,
        handle => service::grab(handle),
    }
}

fn log_on(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    if let Some(target) = named(this, text) {
        target.log_messages(this.handle());
    }
    NONE
}

fn log_off(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    if let Some(target) = named(this, text) {
        target.end_message_log(this.handle());
    }
    NONE
}

fn shut_down(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    match text.to_bytes() {
        b"" => return shutdown::awaited().map_or(NONE, |n| this.answer(count(n).bytes())),
        b"begin" => shutdown::begin(),
        b"on" => {
            let accepted = shutdown::ask(this.handle());
            if this.is_retired() {
                shutdown::forget(this.handle());
            } else if accepted {
                return this.answer(b"1");
            }
        }
        b"off" => shutdown::decline(this.handle()),
        b"done" => shutdown::finished(this.handle()),
        other => log::error_parts(this.handle(), &[b"error: SHUTDOWN ", other, b": unknown"]),
    }
    NONE
}

fn signal(this: &mut Own<'_>, text: &CStr) -> *const c_char {
    let space = text.to_bytes().iter().position(|&c| c == b' ');
    let number = space.map_or(0, |at| {
        // SAFETY: the position is inside the text.
        parse_long(unsafe { CStr::from_ptr(text.as_ptr().add(at)) }, 0) as i32
    });
    if let Some(target) = named(this, text) {
        target.signal(number);
    }
    NONE
}
