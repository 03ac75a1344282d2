//! Captures that make text: it is put together in one buffer, however deep they are nested.

use std::mem::MaybeUninit;

use mlua_sys::{
    luaL_Buffer, luaL_addchar, luaL_addlstring, luaL_addvalue, luaL_buffinit, luaL_pushresult,
};

use super::values::Values;
use crate::tree::CaptureKind;

/// How many nested captures a format can refer to, and the whole match.
const MAX_PARTS: usize = 10;

/// What a mark in a format stands for.
#[derive(Clone, Copy)]
enum Part {
    /// Text of the subject.
    Text { start: u32, end: u32 },
    /// What the capture at this entry produces.
    Capture(u32),
}

/// Pushes the text of the present capture; a method of `Values`, which says when it may be called.
pub(super) fn push(values: &mut Values<'_>) {
    let mut buffer = MaybeUninit::<luaL_Buffer>::uninit();
    let buffer = buffer.as_mut_ptr();
    // SAFETY: the buffer lives here until its result is pushed; it has no destructor. Values are pushed above it and popped.
    unsafe {
        luaL_buffinit(values.state.raw(), buffer);
        add(values, buffer, "");
        luaL_pushresult(buffer);
    }
}

/// Adds the first value of the present capture, which is `what`; returns whether it has any.
///
/// # Safety
/// The buffer is being filled, and its own value, if any, is on top of the stack.
unsafe fn add(values: &mut Values<'_>, buffer: *mut luaL_Buffer, what: &str) -> bool {
    let state = values.state;
    // SAFETY: contract of this function.
    unsafe {
        let kind = values.entry(values.at).kind;
        match kind {
            CaptureKind::Format | CaptureKind::Substitution => {
                values.enter_text();
                if kind == CaptureKind::Format {
                    add_format(values, buffer);
                } else {
                    add_substitution(values, buffer);
                }
                values.leave_text();
                true
            }
            CaptureKind::Accumulator => state.error(c"invalid context for an accumulator capture"),
            _ => {
                // The buffer's own value is no capture.
                let first = values.shield();
                let count = values.push();
                values.unshield(first);
                if count == 0 {
                    return false;
                }
                state.pop(count - 1);
                if !state.is_string(-1) {
                    let kind = state.type_name(state.kind(-1));
                    state.error_with(format_args!("invalid {what} value (a {kind})"));
                }
                luaL_addvalue(buffer);
                true
            }
        }
    }
}

/// Adds the subject from `start` to `end`.
///
/// # Safety
/// As [`add`]; `start` and `end` are places of captures of the match, in this order.
unsafe fn add_subject(values: &Values<'_>, buffer: *mut luaL_Buffer, start: u32, end: u32) {
    // SAFETY: as for `add`.
    unsafe {
        let text = values.text(start, end);
        luaL_addlstring(buffer, text.as_ptr().cast(), text.len());
    }
}

/// Adds the text of a substitution: where a capture within it has a value, that value.
///
/// # Safety
/// As [`add`]; the entry at `values.at` is a substitution.
unsafe fn add_substitution(values: &mut Values<'_>, buffer: *mut luaL_Buffer) {
    let head = values.at;
    // SAFETY: as for `add`.
    unsafe {
        let whole = values.entry(head);
        let mut done = whole.start;
        values.at += 1;
        while values.inside(head) {
            let capture = values.entry(values.at);
            add_subject(values, buffer, done, capture.start);
            done = match add(values, buffer, "replacement") {
                true => capture.end,
                false => capture.start,
            };
        }
        add_subject(values, buffer, done, whole.end);
    }
}

/// Adds the text of a format, with what its marks stand for.
///
/// # Safety
/// As [`add`]; the entry at `values.at` is a format.
unsafe fn add_format(values: &mut Values<'_>, buffer: *mut luaL_Buffer) {
    let mut parts = [Part::Capture(0); MAX_PARTS];
    // SAFETY: as for `add`. The format stays in the pattern's table of values when its slot is used again.
    unsafe {
        let key = values.entry(values.at).key;
        let slot = values.cache(key);
        let format = values.state.to_bytes(slot).unwrap_or_default();
        let count = collect(values, &mut parts, 0);
        let mut bytes = format.iter().copied();
        while let Some(byte) = bytes.next() {
            // A mark at the end stands for the byte after the string: Lua's strings end with 0.
            let byte = match byte {
                b'%' => bytes.next().unwrap_or(0),
                _ => {
                    luaL_addchar(buffer, byte as _);
                    continue;
                }
            };
            if !byte.is_ascii_digit() {
                luaL_addchar(buffer, byte as _);
                continue;
            }
            let number = usize::from(byte - b'0');
            if number >= count {
                let text = format_args!("invalid capture index ({number})");
                values.state.error_with(text);
            }
            match parts[number] {
                Part::Text { start, end } => add_subject(values, buffer, start, end),
                Part::Capture(entry) => {
                    let after = std::mem::replace(&mut values.at, entry);
                    if !add(values, buffer, "capture") {
                        let text = format_args!("no values in capture index {number}");
                        values.state.error_with(text);
                    }
                    values.at = after;
                }
            }
        }
    }
}

/// Writes down what the marks mean in the present capture: the whole, then each capture within, where one of `lpeg.C` counts
/// with those within it. Returns how many there are.
fn collect(values: &mut Values<'_>, parts: &mut [Part; MAX_PARTS], mut count: usize) -> usize {
    let head = values.at;
    let whole = values.entry(head);
    parts[count] = Part::Text {
        start: whole.start,
        end: whole.end,
    };
    count += 1;
    values.at += 1;
    while values.inside(head) {
        if count >= MAX_PARTS {
            values.skip();
        } else if values.entry(values.at).kind == CaptureKind::Simple {
            count = collect(values, parts, count);
        } else {
            parts[count] = Part::Capture(values.at);
            count += 1;
            values.skip();
        }
    }
    count
}
