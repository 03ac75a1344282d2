//! `sethook`: debug hooks that can suspend the task that they watch.

use std::ffi::CStr;

use libc::c_int;
use mlua_sys::{
    LUA_MASKCALL, LUA_MASKCOUNT, LUA_MASKLINE, LUA_MASKRET, LUA_REGISTRYINDEX, LUA_TFUNCTION,
    LUA_TNIL, LUA_TTHREAD, lua_Debug, lua_State, lua_checkstack, lua_pushthread, lua_sethook,
    lua_xmove, lua_yield,
};
use skynet_support::State;

/// Its address is the key, in the registry, of the table of hook functions by thread.
static FUNCTIONS: u8 = 0;

/// Pushes the table of hook functions. It does not keep threads alive.
fn push_functions(state: State<'_>) {
    if state.raw_get_p(LUA_REGISTRYINDEX, &FUNCTIONS) != LUA_TNIL {
        return;
    }
    state.pop(1);
    state.create_table(0, 1);
    state.push_text(c"k");
    state.set_field(-2, c"__mode");
    state.push_copy(-1);
    state.set_metatable(-2); // its own metatable
    state.push_copy(-1);
    state.raw_set_p(LUA_REGISTRYINDEX, &FUNCTIONS);
}

/// Names of events, as `debug.sethook` has them, by LUA_HOOKCALL and so on.
const EVENTS: [&CStr; 5] = [c"call", c"return", c"line", c"count", c"tail call"];

/// The hook of all threads: calls the function of this one, and yields if that returns true.
///
/// # Safety
/// Lua calls it as a hook: with its running state and an event of it.
unsafe extern "C-unwind" fn on_event(state: *mut lua_State, event: *mut lua_Debug) {
    // SAFETY: contract of this function; it keeps the rules of `skynet_support::state`.
    let (state, event) = unsafe { (State::new(state), &*event) };
    state.raw_get_p(LUA_REGISTRYINDEX, &FUNCTIONS);
    // SAFETY: there is room for a value.
    unsafe { lua_pushthread(state.raw()) };
    if state.raw_get(-2) != LUA_TFUNCTION {
        state.pop(2);
        return;
    }
    let name = EVENTS.get(event.event as usize).copied();
    state.push_text(name.unwrap_or(c"?"));
    if event.currentline >= 0 {
        state.push_integer(event.currentline.into());
    } else {
        state.push_nil();
    }
    state.call(2, 1);
    let suspend = state.to_boolean(-1);
    state.pop(2);
    if suspend {
        // SAFETY: the last thing that a hook does.
        unsafe { lua_yield(state.raw(), 0) };
    }
}

fn events(letters: &[u8], count: c_int) -> c_int {
    let on = |letter, mask| if letters.contains(&letter) { mask } else { 0 };
    let counted = if count > 0 { LUA_MASKCOUNT } else { 0 };
    on(b'c', LUA_MASKCALL) | on(b'r', LUA_MASKRET) | on(b'l', LUA_MASKLINE) | counted
}

/// `sethook([thread,] function, mask [, count])`: as `debug.sethook`, and a hook that returns true suspends the thread.
/// Without a function the thread has no hook any more.
pub(super) fn sethook(state: State<'_>) -> c_int {
    let (thread, arg) = if state.kind(1) == LUA_TTHREAD {
        (state.to_thread(1), 2)
    } else {
        (state.raw(), 1)
    };
    let (mut mask, mut count) = (0, 0);
    if !state.is_none_or_nil(arg) {
        let text = state.check_text(arg + 1);
        state.check_kind(arg, LUA_TFUNCTION);
        count = state.opt_integer(arg + 2, 0) as c_int;
        mask = events(text.to_bytes(), count);
    }
    push_functions(state);
    // An error must be one of the caller, who has protected itself.
    // SAFETY: the thread is on the stack, or the running one; it has room for a value after the check.
    unsafe {
        if lua_checkstack(thread, 1) == 0 {
            state.error(c"stack overflow");
        }
        lua_pushthread(thread);
        lua_xmove(thread, state.raw(), 1);
    }
    if mask == 0 {
        state.push_nil();
    } else {
        state.push_copy(arg);
    }
    state.raw_set(-3);
    // SAFETY: the thread is on the stack, or the running one, and the calling thread runs its VM.
    unsafe { lua_sethook(thread, (mask != 0).then_some(on_event as _), mask, count) };
    0
}
