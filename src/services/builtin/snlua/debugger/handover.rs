//! A coroutine ends, or yields, with a step in it: whether the step goes on in the one that has resumed it.
//!
//! For who makes steps a generator is a function that returns a value at each yield: the next line is that of who has asked for the
//! value. A task that waits has nobody who has asked, but the dispatcher of the Lua layer: there the step goes on in the task.

use std::ptr;

use libc::c_int;
use mlua_sys::{
    LUA_TSTRING, lua_Debug, lua_State, lua_getinfo, lua_getstack, lua_rawlen, lua_tolstring,
    lua_type,
};

use super::hook::{is_lua, to_caller, with_source};
use super::{JUST_MY_CODE, Local, Snlua, local, step};
use std::sync::atomic::Ordering;

/// What `yield` of `skynet.coroutine` puts in front of its values, in this Lua layer and in the one of the C core.
const FOR_RESUMER: &[u8] = b"USER";

/// A coroutine has ended while the VM is watched: a step in it goes on in the one that has resumed it.
///
/// # Safety
/// Both are coroutines of the VM, and the calling thread runs the service.
pub(in super::super) unsafe fn has_ended(
    this: *mut Snlua,
    coroutine: *mut lua_State,
    resumer: *mut lua_State,
) {
    // SAFETY: contract of this function.
    unsafe {
        if let Some(local) = steps_in(this, coroutine) {
            hand_over(local, resumer);
        }
    }
}

/// As [`has_ended`], for a coroutine that has yielded so many values, which are at its top.
///
/// # Safety
/// As for [`has_ended`].
pub(in super::super) unsafe fn has_yielded(
    this: *mut Snlua,
    coroutine: *mut lua_State,
    resumer: *mut lua_State,
    values: c_int,
) {
    // SAFETY: contract of this function.
    unsafe {
        let Some(local) = steps_in(this, coroutine) else {
            return;
        };
        let Some(from) = innermost(local, coroutine, true) else {
            return;
        };
        let is_left = local.step.get().leaves_at(step::base(coroutine, &from));
        if is_left
            && (is_for_resumer(coroutine, values) || is_resumed_by_application(local, resumer))
        {
            hand_over(local, resumer);
        }
    }
}

/// What the thread has for the VM, if a step is under way in that coroutine.
///
/// # Safety
/// As for [`has_ended`].
unsafe fn steps_in<'a>(this: *mut Snlua, coroutine: *mut lua_State) -> Option<&'a Local> {
    // SAFETY: contract of this function. The step is taken as it is: one that has ended has no place any more.
    let local = unsafe { local(this) }?;
    let step = local.step.get();
    (step.is_on() && step.coroutine == coroutine).then_some(local)
}

/// # Safety
/// `resumer` is a coroutine of the VM of `local`, and the calling thread runs its service.
unsafe fn hand_over(local: &Local, resumer: *mut lua_State) {
    let before = local.step.get();
    let is_own_code = JUST_MY_CODE.load(Ordering::Relaxed) && !before.in_layer;
    // SAFETY: contract of this function.
    let base = unsafe {
        match innermost(local, resumer, is_own_code) {
            Some(frame) => step::base(resumer, &frame),
            None => isize::MAX,
        }
    };
    step::set(local, before.goes_on_in(resumer, base));
}

/// # Safety
/// So many values are at the top of `coroutine`.
unsafe fn is_for_resumer(coroutine: *mut lua_State, values: c_int) -> bool {
    // SAFETY: contract of this function; a string is not converted.
    unsafe {
        values > 0 && lua_type(coroutine, -values) == LUA_TSTRING && {
            let text = lua_tolstring(coroutine, -values, ptr::null_mut());
            let size = lua_rawlen(coroutine, -values);
            std::slice::from_raw_parts(text.cast::<u8>(), size as usize) == FOR_RESUMER
        }
    }
}

/// Whether the function in Lua that has resumed a coroutine is the application's.
///
/// # Safety
/// As for [`hand_over`].
unsafe fn is_resumed_by_application(local: &Local, resumer: *mut lua_State) -> bool {
    // SAFETY: contract of this function.
    unsafe {
        innermost(local, resumer, false)
            .is_some_and(|frame| !with_source(local, &frame, |source| source.layer))
    }
}

/// The innermost function in Lua on a stack; or of the application's.
///
/// # Safety
/// As for [`hand_over`], for any coroutine of the VM.
unsafe fn innermost(local: &Local, state: *mut lua_State, is_own_code: bool) -> Option<lua_Debug> {
    // SAFETY: contract of this function; `lua_Debug` is plain data. With "S" nothing is allocated.
    unsafe {
        let mut frame: lua_Debug = std::mem::zeroed();
        let mut found = lua_getstack(state, 0, &mut frame) != 0;
        while found {
            if lua_getinfo(state, c"S".as_ptr(), &mut frame) != 0
                && is_lua(&frame)
                && !(is_own_code && with_source(local, &frame, |source| source.layer))
            {
                return Some(frame);
            }
            found = to_caller(state, &mut frame);
        }
        None
    }
}
