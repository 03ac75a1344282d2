//! Captures that make text: it is put together in one buffer, however deep they are nested.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use libc::c_int;
use mlua_sys::{
    lua_isstring, lua_pop, lua_tolstring, luaL_Buffer, luaL_addchar, luaL_addlstring,
    luaL_addvalue, luaL_buffinit, luaL_error, luaL_pushresult, luaL_typename,
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

/// Pushes the text of the present capture.
///
/// # Safety
/// As for the methods of `Values`.
pub(super) unsafe fn push(values: &mut Values) {
    let mut buffer = MaybeUninit::<luaL_Buffer>::uninit();
    let buffer = buffer.as_mut_ptr();
    // SAFETY: the buffer lives here until its result is pushed; it has no destructor.
    unsafe {
        luaL_buffinit(values.state, buffer);
        add(values, buffer, c"");
        luaL_pushresult(buffer);
    }
}

/// Adds the first value of the present capture, which is `what`; returns whether it has any.
///
/// # Safety
/// As for the methods of `Values`; the buffer's own value, if any, is on top of the stack.
unsafe fn add(values: &mut Values, buffer: *mut luaL_Buffer, what: &CStr) -> bool {
    let state = values.state;
    // SAFETY: as the caller promises.
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
            CaptureKind::Accumulator => {
                let text = c"invalid context for an accumulator capture".as_ptr();
                luaL_error(state, text);
                false
            }
            _ => {
                // The buffer's own value is no capture.
                let first = values.shield();
                let count = values.push();
                values.unshield(first);
                if count == 0 {
                    return false;
                }
                lua_pop(state, count - 1);
                if lua_isstring(state, -1) == 0 {
                    let text = c"invalid %s value (a %s)".as_ptr();
                    luaL_error(state, text, what.as_ptr(), luaL_typename(state, -1));
                }
                luaL_addvalue(buffer);
                true
            }
        }
    }
}

/// Adds the subject from `start` to `end`.
unsafe fn add_subject(values: &Values, buffer: *mut luaL_Buffer, start: u32, end: u32) {
    // SAFETY: captures are within the subject.
    unsafe {
        let text = values.subject.add(start as usize);
        luaL_addlstring(buffer, text.cast(), end.saturating_sub(start) as usize);
    }
}

/// Adds the text of a substitution: where a capture within it has a value, that value.
unsafe fn add_substitution(values: &mut Values, buffer: *mut luaL_Buffer) {
    let head = values.at;
    // SAFETY: as for `add`.
    unsafe {
        let whole = values.entry(head);
        let mut done = whole.start;
        values.at += 1;
        while values.inside(head) {
            let capture = values.entry(values.at);
            add_subject(values, buffer, done, capture.start);
            done = match add(values, buffer, c"replacement") {
                true => capture.end,
                false => capture.start,
            };
        }
        add_subject(values, buffer, done, whole.end);
    }
}

/// Adds the text of a format, with what its marks stand for.
unsafe fn add_format(values: &mut Values, buffer: *mut luaL_Buffer) {
    let mut parts = [Part::Capture(0); MAX_PARTS];
    // SAFETY: as for `add`. The format stays in the pattern's table of values when its slot is used again.
    unsafe {
        let key = values.entry(values.at).key;
        let mut length = 0;
        let slot = values.cache(key);
        let format = lua_tolstring(values.state, slot, &mut length);
        let format = std::slice::from_raw_parts(format.cast::<u8>(), length);
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
                let text = c"invalid capture index (%d)".as_ptr();
                luaL_error(values.state, text, number as c_int);
            }
            match parts[number] {
                Part::Text { start, end } => add_subject(values, buffer, start, end),
                Part::Capture(entry) => {
                    let after = std::mem::replace(&mut values.at, entry);
                    if !add(values, buffer, c"capture") {
                        let text = c"no values in capture index %d".as_ptr();
                        luaL_error(values.state, text, number as c_int);
                    }
                    values.at = after;
                }
            }
        }
    }
}

/// Writes down what the marks mean in the present capture: the whole, then each capture within, where one of `lpeg.C` counts
/// with those within it. Returns how many there are.
unsafe fn collect(values: &mut Values, parts: &mut [Part; MAX_PARTS], mut count: usize) -> usize {
    let head = values.at;
    // SAFETY: as for `add`.
    unsafe {
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
    }
    count
}
