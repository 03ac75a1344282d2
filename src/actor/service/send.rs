//! Where a message goes: to a service of this node, to the harbor service, or nowhere.

use super::{Context, find, harbor, limit, notices};
use crate::actor::handle;
use crate::alloc::freelist::{self, Class};
use crate::alloc::memory;
use crate::alloc::reclaim;
use crate::base::log;
use crate::base::message::{Message, SIZE_MASK, ptype};
use libc::{c_int, c_void};
use std::ffi::CStr;

/// Puts `message` into the mailbox of the local service `handle` and sees to it that a worker wakes up for it.
/// False when the handle is unknown; the payload still belongs to the caller then.
#[inline(always)]
#[must_use]
pub fn push(handle: u32, message: Message) -> bool {
    push_with(handle, message, Class::UNPOOLED)
}

/// Whether there is a service of that handle.
pub fn exists(handle: u32) -> bool {
    find(&reclaim::enter(), handle).is_some()
}

/// [`push`] of a message whose payload's class is known.
#[inline(always)]
#[must_use]
pub(crate) fn push_with(handle: u32, message: Message, payload: Class) -> bool {
    let guard = reclaim::enter();
    match find(&guard, handle) {
        Some(context) => context.deliver(message, payload),
        None => false,
    }
}

/// Sends a finished message to any handle. False if the destination is unknown; the data is freed then.
pub fn send_to(destination: u32, message: Message) -> bool {
    if harbor::is_remote(destination) {
        return harbor::send_to_handle(destination, message);
    }
    let sent = push(destination, message);
    if !sent {
        // SAFETY: the message was not taken, its payload stays with the sender.
        unsafe { libc::free(message.data) };
    }
    sent
}

/// The payload as it travels, and its class: taken over with DONTCOPY, else a copy with a NUL behind it. `None`: there is no
/// memory for the copy, and nothing is the callee's.
/// What is allocated for it is not the sender's, and what it gives away is not any more.
///
/// # Safety
/// `data` is null or readable for `size` bytes, and a block of the C allocator with DONTCOPY.
#[inline(always)]
unsafe fn payload(ty: c_int, data: *mut c_void, size: usize) -> Option<(*mut c_void, Class)> {
    if data.is_null() {
        return Some((data, Class::UNPOOLED));
    }
    if ty & ptype::TAG_DONTCOPY != 0 {
        // SAFETY: contract of this function.
        unsafe { memory::block_sent(data) };
        return Some((data, Class::UNPOOLED));
    }
    let (copy, class) = freelist::alloc_for_copy(size)?;
    // SAFETY: `size` fits 56 bits, so the addition does not wrap; the block is large enough for the copy and the NUL.
    unsafe {
        copy_bytes(copy, data.cast::<u8>(), size);
        *copy.add(size) = 0;
    }
    Some((copy.cast(), class))
}

/// The status of a message for whose copy there is no memory, after a line in the log: many senders do not look at it.
#[cold]
fn no_memory(source: u32, size: usize) -> c_int {
    log::error_fmt(
        source,
        format_args!("error: not enough memory for a message of {size} bytes, which is not sent"),
    );
    TOO_LARGE
}

/// As memcpy, without the call for few bytes: both halves at once, which may overlap.
///
/// # Safety
/// `to` is writable and `from` readable for `size` bytes; they do not overlap.
#[inline(always)]
unsafe fn copy_bytes(to: *mut u8, from: *const u8, size: usize) {
    // SAFETY: each part lies within the first or the last `size` bytes.
    unsafe {
        match size {
            16..=32 => {
                let first = from.cast::<u128>().read_unaligned();
                let last = from.add(size - 16).cast::<u128>().read_unaligned();
                to.cast::<u128>().write_unaligned(first);
                to.add(size - 16).cast::<u128>().write_unaligned(last);
            }
            8..16 => {
                let first = from.cast::<u64>().read_unaligned();
                let last = from.add(size - 8).cast::<u64>().read_unaligned();
                to.cast::<u64>().write_unaligned(first);
                to.add(size - 8).cast::<u64>().write_unaligned(last);
            }
            _ => std::ptr::copy_nonoverlapping(from, to, size),
        }
    }
}

/// A message of the calling service was not taken: its payload is freed, and is not the service's.
///
/// # Safety
/// `data` is null or a block of the C allocator that belongs to the message.
#[cold]
unsafe fn refused(data: *mut c_void) {
    // SAFETY: contract of this function: nobody else has the block.
    memory::uncharged(|| unsafe { libc::free(data) });
}

/// A message to another node, by way of the harbor service.
///
/// # Safety
/// As [`send`]: `data` has `size` readable bytes, and with `TAG_DONTCOPY` is a block of the C allocator that is handed over.
#[cold]
unsafe fn send_abroad(
    source: u32,
    destination: u32,
    ty: c_int,
    session: c_int,
    data: *mut c_void,
    size: usize,
) -> c_int {
    // SAFETY: contract of this function.
    let Some((data, _)) = (unsafe { payload(ty, data, size) }) else {
        return no_memory(source, size);
    };
    let message = Message::with_data(source, ty, session, data, size);
    let sent = memory::uncharged(|| harbor::send_to_handle(destination, message));
    if sent { session } else { -1 }
}

/// A message that is sent to nobody.
///
/// # Safety
/// With `TAG_DONTCOPY` `data` is null or a block of the C allocator that was handed over ("skynet.h": on every path).
#[cold]
unsafe fn drop_payload(ty: c_int, data: *mut c_void) {
    if ty & ptype::TAG_DONTCOPY != 0 {
        // SAFETY: contract of this function.
        unsafe { libc::free(data) };
    }
}

/// The session to use: a new one with ALLOCSESSION. `None` (after a report) where the C core stops the process.
#[inline(always)]
fn session_for(context: Option<&Context>, ty: c_int, session: c_int) -> Option<c_int> {
    if ty & ptype::TAG_ALLOCSESSION == 0 {
        return Some(session);
    }
    match context {
        Some(context) if session == 0 => Some(context.new_session()),
        _ => {
            report_session(context, session);
            None
        }
    }
}

#[cold]
fn report_session(context: Option<&Context>, session: c_int) {
    let by = context.map_or(0, Context::handle);
    log::error(
        by,
        format!("error: :{by:08x} asks for a new session but gives session {session}").as_bytes(),
    );
}

/// A message that is larger than 56 bits can say, or than memory has room for.
const TOO_LARGE: c_int = -2;

/// `skynet_send` ("skynet.h"): the session, -1 (unknown destination, full mailbox, misuse) or -2 (larger than 56 bits can say, or
/// no memory for the copy).
///
/// # Safety
/// `data` is null or readable for `size` bytes; with DONTCOPY a block of the C allocator that is handed over.
pub unsafe fn send(
    context: Option<&Context>,
    source: u32,
    destination: u32,
    ty: c_int,
    session: c_int,
    data: *mut c_void,
    size: usize,
) -> c_int {
    if size & SIZE_MASK != size {
        let by = context.map_or(0, Context::handle);
        log::error(
            by,
            format!("error: The message to {destination:x} is too large").as_bytes(),
        );
        // SAFETY: contract of this function.
        unsafe { drop_payload(ty, data) };
        return TOO_LARGE;
    }
    let Some(session) = session_for(context, ty, session) else {
        // SAFETY: contract of this function.
        unsafe { drop_payload(ty, data) };
        return -1;
    };
    let source = if source == 0 {
        context.map_or(0, Context::handle)
    } else {
        source
    };
    if destination == 0 {
        if data.is_null() {
            return session;
        }
        log::error(
            context.map_or(0, Context::handle),
            b"error: Destination address can't be 0",
        );
        // SAFETY: contract of this function.
        unsafe { drop_payload(ty, data) };
        return -1;
    }
    if harbor::is_remote(destination) {
        // SAFETY: contract of this function.
        return unsafe { send_abroad(source, destination, ty, session, data, size) };
    }
    // SAFETY: contract of this function.
    let Some((data, class)) = (unsafe { payload(ty, data, size) }) else {
        return no_memory(source, size);
    };
    let message = Message::with_data(source, ty, session, data, size);
    let guard = reclaim::enter();
    if let Some(context) = find(&guard, destination) {
        if context.limit.is_set() {
            drop(guard);
            // In parts and as the last thing, so that other messages pay nothing for it but the look.
            // SAFETY: the data is this function's.
            return unsafe {
                send_limited(destination, source, ty, session, data, message.sz, class)
            };
        }
        if context.enter(message, class) {
            return session;
        }
    }
    // SAFETY: it was not taken.
    unsafe { refused(data) };
    -1
}

/// The rest of a send to a service that has a limit.
///
/// # Safety
/// As [`refused`].
#[cold]
#[inline(never)]
unsafe fn send_limited(
    destination: u32,
    source: u32,
    ty: c_int,
    session: c_int,
    data: *mut c_void,
    sz: usize,
    class: Class,
) -> c_int {
    let message = Message {
        source,
        session,
        data,
        sz,
    };
    let guard = reclaim::enter();
    let taken = find(&guard, destination).is_some_and(|context| {
        if ty & ptype::TAG_ENDING != 0 {
            context.deliver(message, class)
        } else {
            limit::offer(context, message, class)
        }
    });
    if taken {
        return session;
    }
    // SAFETY: it was not taken.
    unsafe { refused(data) };
    -1
}

/// `skynet_sendname` ("skynet.h"): `:hex`, `.local`, or a global name for the harbor service.
///
/// # Safety
/// As [`send`].
pub unsafe fn send_name(
    context: Option<&Context>,
    source: u32,
    name: &CStr,
    ty: c_int,
    session: c_int,
    data: *mut c_void,
    size: usize,
) -> c_int {
    let source = if source == 0 {
        context.map_or(0, Context::handle)
    } else {
        source
    };
    let destination = match name.to_bytes().first() {
        Some(b':') => parse_hex(&name.to_bytes()[1..]),
        Some(b'.') => {
            let found = handle::find_name(tail(name));
            if found == 0 {
                // SAFETY: contract of this function.
                unsafe {
                    if name == LAUNCHER && reports_failure(ty, data, size) {
                        notices::start_failed(source);
                    }
                    drop_payload(ty, data);
                }
                return -1;
            }
            found
        }
        _ => {
            if size & SIZE_MASK != size {
                let text = [b"error: The message to ", name.to_bytes(), b" is too large"].concat();
                log::error(context.map_or(0, Context::handle), &text);
                // SAFETY: contract of this function.
                unsafe { drop_payload(ty, data) };
                return TOO_LARGE;
            }
            let Some(session) = session_for(context, ty, session) else {
                // SAFETY: contract of this function.
                unsafe { drop_payload(ty, data) };
                return -1;
            };
            // SAFETY: contract of this function.
            let Some((data, _)) = (unsafe { payload(ty, data, size) }) else {
                return no_memory(source, size);
            };
            let message = Message::with_data(source, ty, session, data, size);
            let sent = memory::uncharged(|| harbor::send_to_name(name, message));
            return if sent { session } else { -1 };
        }
    };
    // SAFETY: contract of this function.
    unsafe { send(context, source, destination, ty, session, data, size) }
}

/// The service that hears how a start went.
const LAUNCHER: &CStr = c".launcher";

/// Whether a payload is the word with which a service says that it cannot start: as text from C, serialised from Lua.
///
/// # Safety
/// As [`send`].
unsafe fn reports_failure(ty: c_int, data: *const c_void, size: usize) -> bool {
    let word: &[u8] = match i32::from(ty as u8) {
        ptype::TEXT => b"ERROR",
        ptype::RESERVED_LUA => b"\x2cERROR",
        _ => return false,
    };
    size == word.len()
        && !data.is_null()
        // SAFETY: contract of this function.
        && unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) } == word
}

/// `skynet_queryname` ("skynet.h"): `:hex` or `.local`; 0 if there is none.
pub fn query_name(context: Option<&Context>, name: &CStr) -> u32 {
    match name.to_bytes().first() {
        Some(b':') => parse_hex(&name.to_bytes()[1..]),
        Some(b'.') => handle::find_name(tail(name)),
        _ => {
            let text: [&[u8]; 2] = [b"error: Don't support query global name ", name.to_bytes()];
            log::error_parts(context.map_or(0, Context::handle), &text);
            0
        }
    }
}

/// The text behind the first character; of an empty text the text itself.
pub fn tail(text: &CStr) -> &CStr {
    if text.is_empty() {
        return text;
    }
    // SAFETY: there is a first character, so the NUL is behind it.
    unsafe { CStr::from_ptr(text.as_ptr().add(1)) }
}

/// Values of hexadecimal digits; more than 15 for other bytes.
const HEX: [u8; 256] = {
    let mut values = [u8::MAX; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// As C's `strtoul(text, NULL, 16)`, of which the low 32 bits count.
pub fn parse_hex(text: &[u8]) -> u32 {
    match few_hex_digits(text) {
        Some(number) => number,
        None => parse_any_hex(text),
    }
}

/// What nearly all handles are: one to eight digits and nothing else.
fn few_hex_digits(text: &[u8]) -> Option<u32> {
    if !(1..=8).contains(&text.len()) {
        return None;
    }
    let mut number = 0;
    for &byte in text {
        let digit = HEX[usize::from(byte)];
        if digit > 15 {
            return None;
        }
        number = number << 4 | u32::from(digit);
    }
    Some(number)
}

fn parse_any_hex(text: &[u8]) -> u32 {
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = text.iter().position(|byte| !is_space(byte));
    let text = &text[start.unwrap_or(text.len())..];
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let text = match text {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => &text[2..],
        _ => text,
    };
    let mut number: u64 = 0;
    for &byte in text {
        let digit = HEX[usize::from(byte)];
        if digit > 15 {
            break;
        }
        if number >> 60 != 0 {
            return u64::MAX as u32;
        }
        number = number << 4 | u64::from(digit);
    }
    let number = if negative {
        number.wrapping_neg()
    } else {
        number
    };
    number as u32
}

#[cfg(all(test, not(feature = "loom")))]
mod tests {
    use super::parse_hex;

    #[test]
    fn hexadecimal_text_is_read_as_c_reads_it() {
        for text in [
            "",
            "0",
            "1f",
            "0x1f",
            "0X1F",
            "0x",
            "0xg",
            " \t1000002",
            "+12",
            "-1",
            "12 34",
            "zz",
            "ffffffff",
            "fffffffff",
            "ffffffffffffffff",
            "10000000000000000",
            "-10000000000000000",
        ] {
            let c = std::ffi::CString::new(text).unwrap();
            // SAFETY: a C string.
            let expected = unsafe { libc::strtoul(c.as_ptr(), std::ptr::null_mut(), 16) } as u32;
            assert_eq!(parse_hex(text.as_bytes()), expected, "{text:?}");
        }
    }
}
