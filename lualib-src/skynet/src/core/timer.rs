//! Timers: `timer`.

use std::sync::OnceLock;

use libc::c_int;
use mlua_sys::{
    lua_State, lua_isfunction, lua_isinteger, lua_pushboolean, lua_pushinteger, lua_tointegerx,
};
use skynet_sys::{skynet_context_handle, skynet_context_newsession, skynet_timeout};

use super::context;

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
pub unsafe extern "C-unwind" fn timer(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the service is alive while it runs its VM.
    unsafe {
        if lua_isinteger(state, 1) == 0 {
            return 0;
        }
        // As `intcommand` does: cut to 32 bits.
        let time = lua_tointegerx(state, 1, std::ptr::null_mut()) as i32;
        let service = context(state);
        let session = skynet_context_newsession(service);
        skynet_timeout(skynet_context_handle(service), time, session);
        lua_pushinteger(state, session.into());
        let unwanted = lua_isfunction(state, 2) != 0
            && WANTED.get().is_some_and(|wanted| wanted(state, 1) == 0);
        lua_pushboolean(state, unwanted.into());
    }
    2
}
