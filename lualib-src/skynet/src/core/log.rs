//! Lines for the error log: `error`, `trace`.

use std::ffi::CStr;
use std::mem::MaybeUninit;

use libc::c_int;
use mlua_sys::{lua_Debug, lua_State, lua_getinfo, lua_getstack};
use skynet_support::State;
use skynet_sys::skynet_error;

use super::monotonic;
use crate::service::service;

/// `error(...)`: logs the arguments as `tostring` gives them, with a space between two.
pub fn error(state: State<'_>) -> c_int {
    let count = state.top().max(1);
    state.set_top(count);
    if count > 1 {
        state.reserve(2 * count + 1);
    }
    for index in 1..=count {
        if index > 1 {
            state.push_bytes(b" ");
        }
        state.push_shown(index);
    }
    state.concat(2 * count - 1);
    service(state).log(state.to_bytes(-1).unwrap_or_default());
    0
}

/// Places in the program that a trace names, at most.
const PLACES: usize = 3;

/// `trace(tag, text [, [coroutine,] level])`: logs the time, and with a level the lines that are running there.
pub fn trace(state: State<'_>) -> c_int {
    let tag = state.check_text(1);
    let text = state.check_text(2);
    let top = state.top();
    state.set_top(top.max(4));
    let begin = state.top();
    if !state.is_none_or_nil(3) {
        let thread = state.to_thread(3);
        if thread.is_null() {
            places(state, state.raw(), state.opt_integer(3, 1) as c_int);
        } else {
            places(state, thread, state.opt_integer(4, 1) as c_int);
        }
    }
    let count = state.top() - begin;
    let mut list = c"";
    if count > 0 {
        state.concat(count);
        list = state.to_text(-1).unwrap_or_default();
    }
    // SAFETY: the invariant of `Service`; the arguments are of the types that the format has.
    unsafe {
        skynet_error(
            service(state).context(),
            c"<TRACE %s> %lld %s%s".as_ptr(),
            tag.as_ptr(),
            monotonic(),
            text.as_ptr(),
            list.as_ptr(),
        );
    }
    0
}

/// Pushes the parts of ` : source:line source:line source:line`, of a coroutine that is on the stack; C functions are passed over.
fn places(state: State<'_>, thread: *mut lua_State, level: c_int) {
    let mut found = 0;
    let mut level = level;
    // 4 * PLACES values fit into what a function finds free.
    while found < PLACES {
        let mut info = MaybeUninit::<lua_Debug>::zeroed();
        // SAFETY: the coroutine is alive; the record is written where there is such a level.
        let info = unsafe {
            if lua_getstack(thread, level, info.as_mut_ptr()) == 0 {
                break;
            }
            lua_getinfo(thread, c"Sl".as_ptr(), info.as_mut_ptr());
            info.assume_init()
        };
        level = level.saturating_add(1);
        if info.currentline < 0 {
            continue;
        }
        state.push_text(if found == 0 { c" : " } else { c" " });
        // SAFETY: the source is a C string of the running function.
        state.push_text(unsafe { CStr::from_ptr(info.source) });
        state.push_text(c":");
        state.push_integer(info.currentline.into());
        found += 1;
    }
}
