//! Timers: `timer`.

use skynet_support::State;
use std::sync::OnceLock;

use libc::c_int;
use mlua_sys::lua_State;
use skynet_sys::skynet_timeout;

use crate::service::service;

type Wanted = unsafe extern "C-unwind" fn(*mut lua_State, c_int) -> c_int;

static WANTED: OnceLock<Wanted> = OnceLock::new();

unsafe extern "C-unwind" {
    fn lua_wanted(state: *mut lua_State, level: c_int) -> c_int;
}

/// Lets `timer` tell whether results are wanted, by a function of the patched Lua (`lwanted.h`), which the calling program
/// must link: every VM in which the module is used must be one of that library. Without it they always are.
// Inline, so that only a program that calls it refers to that function.
#[inline]
pub fn results_can_be_unwanted() {
    WANTED.get_or_init(|| lua_wanted);
}

/// `timer(centiseconds [, function])`: the session of a new timer, and whether nobody would see a result of the function that
/// calls this one. That is false without a function. Nothing, and no timer, for what is no integer: `intcommand` tells what
/// becomes of it.
pub fn timer(state: State<'_>) -> c_int {
    if !state.is_integer(1) {
        return 0;
    }
    // As `intcommand` does: cut to 32 bits.
    let time = state.to_integer(1) as i32;
    let service = service(state);
    let session = service.new_session();
    // SAFETY: no precondition.
    unsafe { skynet_timeout(service.handle(), time, session) };
    state.push_integer(session.into());
    // SAFETY: a function of the Lua that this VM is of; level 1 has called.
    let is_wanted = |wanted: &Wanted| unsafe { wanted(state.raw(), 1) != 0 };
    let unwanted = state.is_function(2) && WANTED.get().is_some_and(|wanted| !is_wanted(wanted));
    state.push_boolean(unwanted);
    2
}
