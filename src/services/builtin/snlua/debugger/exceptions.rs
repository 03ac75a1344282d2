//! Errors that stop a service: where they are raised, with the stack as it is then.
//!
//! Whether somebody catches an error is seen from the stack: the nearest `pcall` or `xpcall`, in the coroutine or in those that
//! have resumed it by `coroutine.wrap`. What the Lua layer catches is not caught as far as the application is concerned: the
//! layer does so to write it to the log. Errors that the layer raises for itself, with nothing of the application in between, are
//! no errors of either kind.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use libc::c_int;
use mlua_sys::{
    lua_CFunction, lua_Debug, lua_State, lua_checkstack, lua_getallocf, lua_getfield,
    lua_getglobal, lua_getinfo, lua_getstack, lua_pop, lua_tocfunction,
};
use skynet_lua::LuaState;

use super::super::{memory, profile};
use super::hook::{self, with_source};
use super::{ADAPTER, ERRORS, Local, Snlua, agent};

/// Errors that the application catches.
pub(super) const CAUGHT: u8 = 1;
/// ... and all others.
pub(super) const UNCAUGHT: u8 = 2;

/// From now on errors are watched for, or not.
pub(super) fn watch(on: bool) {
    skynet_lua::lua_watcherrors(on.then_some(raised));
}

struct Functions {
    pcall: lua_CFunction,
    xpcall: lua_CFunction,
    wrapped: lua_CFunction,
}

static FUNCTIONS: OnceLock<Functions> = OnceLock::new();

/// Notes which functions are the libraries'.
///
/// # Safety
/// The libraries of the VM are open, and there is room for two values.
pub(in super::super) unsafe fn learn_functions(state: *mut lua_State) {
    // SAFETY: contract of this function.
    unsafe {
        lua_getglobal(state, c"pcall".as_ptr());
        lua_getglobal(state, c"xpcall".as_ptr());
        if let (Some(pcall), Some(xpcall)) =
            (lua_tocfunction(state, -2), lua_tocfunction(state, -1))
        {
            let wrapped = profile::wrapped_function();
            let _ = FUNCTIONS.set(Functions {
                pcall,
                xpcall,
                wrapped,
            });
        }
        lua_pop(state, 2);
    }
}

/// What a function on the stack is for an error.
enum Frame {
    /// A function in Lua, of the layer or not.
    Lua {
        layer: bool,
    },
    /// It catches errors.
    Catches,
    /// It raises once more what the coroutine has raised that it resumed.
    Passes,
    Other,
}

/// What the function at `level` is; `None`: there is none.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service;
/// there is room for a value.
unsafe fn frame(local: &Local, state: *mut lua_State, level: c_int) -> Option<Frame> {
    // SAFETY: contract of this function.
    unsafe {
        let mut activation: lua_Debug = std::mem::zeroed();
        if lua_getstack(state, level, &mut activation) == 0 {
            return None;
        }
        if lua_getinfo(state, c"Sf".as_ptr(), &mut activation) == 0 {
            return Some(Frame::Other);
        }
        let function = lua_tocfunction(state, -1);
        lua_pop(state, 1);
        let Some(function) = function else {
            let layer = with_source(local, &activation, |source| source.layer);
            return Some(Frame::Lua { layer });
        };
        let is = |known: lua_CFunction| known as usize == function as usize;
        Some(match FUNCTIONS.get() {
            Some(known) if is(known.pcall) || is(known.xpcall) => Frame::Catches,
            Some(known) if is(known.wrapped) => Frame::Passes,
            _ => Frame::Other,
        })
    }
}

/// Of which kind the error is that is being raised in `state`: 0 for none that concerns the application.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service;
/// there is room for a value in it, and in those that have resumed it.
unsafe fn kind(local: &Local, state: *mut lua_State) -> u8 {
    let mut waiting = super::resumers(local).of(state);
    let (mut state, mut level) = (state, 0);
    let mut of_application = false;
    loop {
        // SAFETY: contract of this function; resumers are on the stack of those that they have resumed.
        match unsafe { frame(local, state, level) } {
            Some(Frame::Lua { layer }) => of_application |= !layer,
            Some(Frame::Catches) => {
                // SAFETY: contract of this function; `frame` leaves the stack as it was.
                let catcher = unsafe { frame(local, state, level + 1) };
                return match catcher {
                    Some(Frame::Lua { layer: false }) => CAUGHT,
                    _ if of_application => UNCAUGHT,
                    _ => 0,
                };
            }
            // It was seen where it was raised first.
            Some(Frame::Passes) if level == 0 => return 0,
            Some(_) => {}
            None => {
                let Some(resumer) = waiting.next() else { break };
                // SAFETY: a resumer is a coroutine of the VM that waits, so its stack stays as it is.
                match unsafe { frame(local, resumer, 0) } {
                    Some(Frame::Passes) => (state, level) = (resumer, 0),
                    // `coroutine.resume`: who calls it gets the error.
                    // SAFETY: a resumer is a coroutine of the VM that waits, so its stack stays as it is.
                    _ => match unsafe { frame(local, resumer, 1) } {
                        Some(Frame::Lua { layer: false }) => return CAUGHT,
                        _ => break,
                    },
                }
            }
        }
        level += 1;
    }
    if of_application { UNCAUGHT } else { 0 }
}

/// Called by Lua when an error is raised, in any VM.
///
/// # Safety
/// Lua calls it (ldebugger.h) with the running state of a VM of the calling thread.
unsafe extern "C-unwind" fn raised(state: *mut LuaState) {
    let state: *mut lua_State = state.cast();
    // SAFETY: contract of this function. Of other VMs than those of services nothing is asked but their allocator; those of
    // services lead to an instance that outlives them. Nothing here raises.
    unsafe {
        let mut ud = std::ptr::null_mut();
        let ours: memory::Allocator = memory::allocator();
        if lua_getallocf(state, &mut ud) as usize != ours as usize || ud.is_null() {
            return;
        }
        let this: *mut Snlua = ud.cast();
        let Some(local) = super::local(this) else {
            return;
        };
        let wanted = ERRORS.load(Ordering::Relaxed);
        if local.busy.get() || wanted == 0 || ADAPTER.load(Ordering::Relaxed) == 0 {
            return;
        }
        if lua_checkstack(state, 4) == 0 {
            return;
        }
        let kind = kind(local, state);
        if kind & wanted != 0 {
            agent::stop(local, state, agent::Reason::Error(kind == CAUGHT));
            hook::settle(this, local, state);
        }
    }
}

/// The field of a table that a debugger shows for the two kinds.
///
/// # Safety
/// A table is at `table`, and there is room for a value.
pub(super) unsafe fn read_filters(state: *mut lua_State, table: c_int) -> u8 {
    let mut filters = 0;
    for (name, bit) in [(c"caught", CAUGHT), (c"uncaught", UNCAUGHT)] {
        // SAFETY: contract of this function.
        unsafe {
            lua_getfield(state, table, name.as_ptr());
            if mlua_sys::lua_toboolean(state, -1) != 0 {
                filters |= bit;
            }
            lua_pop(state, 1);
        }
    }
    filters
}
