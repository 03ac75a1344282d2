//! Errors that stop a service: where they are raised, with the stack as it is then.
//!
//! Whether somebody catches an error is seen from the stack: the nearest `pcall` or `xpcall`, or `load`, whose reader fails, in the
//! coroutine or in those that have resumed it by `coroutine.wrap`, of Lua's library or of `skynet.coroutine`. What the Lua layer catches is
//! not caught as far as the application is concerned: the layer does so to write it to the log, or to raise it once more (`skynet.queue`),
//! at which nothing stops that has stopped where it was raised first. Errors that the layer raises for itself, with nothing of the
//! application in between, are no errors of either kind. Those of a finalizer nobody catches, and those of what `coroutine.close` closes
//! are taken for such.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use libc::c_int;
use mlua_sys::{
    LUA_TSTRING, lua_CFunction, lua_Debug, lua_State, lua_checkstack, lua_getfield, lua_getglobal,
    lua_getinfo, lua_getstack, lua_pop, lua_rawlen, lua_tocfunction, lua_tolstring, lua_type,
};
use skynet_lua::LuaState;

use super::super::profile;
use super::hook::{self, with_source};
use super::{ADAPTER, ERRORS, Local, agent};

/// Bytes of an error's text that are compared.
const LONGEST: usize = 1024;

/// The end of the name of the file with `skynet.coroutine`.
const COROUTINES: &[u8] = b"skynet/coroutine.lua";

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
    /// It gives the errors of its reader back.
    load: lua_CFunction,
    wrapped: lua_CFunction,
}

static FUNCTIONS: OnceLock<Functions> = OnceLock::new();

/// Notes which functions are the libraries'.
///
/// # Safety
/// The libraries of the VM are open, and there is room for three values.
pub(in super::super) unsafe fn learn_functions(state: *mut lua_State) {
    // SAFETY: contract of this function.
    unsafe {
        lua_getglobal(state, c"pcall".as_ptr());
        lua_getglobal(state, c"xpcall".as_ptr());
        lua_getglobal(state, c"load".as_ptr());
        let function = |index| lua_tocfunction(state, index);
        if let (Some(pcall), Some(xpcall), Some(load)) = (function(-3), function(-2), function(-1))
        {
            let wrapped = profile::wrapped_function();
            let _ = FUNCTIONS.set(Functions {
                pcall,
                xpcall,
                load,
                wrapped,
            });
        }
        lua_pop(state, 3);
    }
}

/// What a function on the stack is for an error.
#[derive(Clone, Copy)]
enum Frame {
    Lua,
    /// It catches errors.
    Catches,
    /// It raises once more what the coroutine has raised that it resumed.
    Passes,
    Other,
}

/// A walk over a stack, from the function that runs outwards.
struct Walk<'a> {
    local: &'a Local,
    state: *mut lua_State,
    activation: lua_Debug,
}

impl<'a> Walk<'a> {
    /// Begins at the function that runs; `None`: there is none.
    ///
    /// # Safety
    /// As long as the walk is used: `state` is a coroutine of the VM of `local` whose stack stays as it is, the calling thread runs
    /// its service, and there is room for a value.
    unsafe fn new(local: &'a Local, state: *mut lua_State) -> Option<Walk<'a>> {
        // SAFETY: contract of this function; `lua_Debug` is plain data.
        unsafe {
            let mut activation: lua_Debug = std::mem::zeroed();
            let found = lua_getstack(state, 0, &mut activation) != 0;
            found.then_some(Walk {
                local,
                state,
                activation,
            })
        }
    }

    /// On to who has called the function. False if nobody has.
    fn go_out(&mut self) -> bool {
        // SAFETY: contract of `new`.
        unsafe { hook::to_caller(self.state, &mut self.activation) }
    }

    fn frame(&mut self) -> Frame {
        // SAFETY: contract of `new`.
        let function = unsafe {
            if lua_getinfo(self.state, c"f".as_ptr(), &mut self.activation) == 0 {
                return Frame::Other;
            }
            let function = lua_tocfunction(self.state, -1);
            lua_pop(self.state, 1);
            function
        };
        let Some(function) = function else {
            return Frame::Lua;
        };
        let is = |known: lua_CFunction| known as usize == function as usize;
        match FUNCTIONS.get() {
            Some(known) if is(known.pcall) || is(known.xpcall) || is(known.load) => Frame::Catches,
            Some(known) if is(known.wrapped) => Frame::Passes,
            _ => Frame::Other,
        }
    }

    /// Whether the collector has called the function: nobody further out gets its errors.
    fn is_finalizer(&self) -> bool {
        // SAFETY: contract of `new`.
        unsafe {
            let activation = (&raw const self.activation).cast();
            skynet_lua::lua_isfinalizer(self.state.cast(), activation) != 0
        }
    }

    /// Whether the function is one of `skynet.coroutine`, in this Lua layer or in the one of the C core.
    fn is_of_coroutines(&mut self) -> bool {
        // SAFETY: contract of `new`; Lua gives the name of the source and its length.
        unsafe {
            lua_getinfo(self.state, c"S".as_ptr(), &mut self.activation) != 0
                && with_source(self.local, &self.activation, |source| source.layer)
                && std::slice::from_raw_parts(
                    self.activation.source.cast::<u8>(),
                    self.activation.srclen,
                )
                .ends_with(COROUTINES)
        }
    }

    /// Whether the function is one in Lua and the application's.
    fn is_of_application(&mut self) -> bool {
        // SAFETY: contract of `new`.
        matches!(self.frame(), Frame::Lua)
            && unsafe {
                lua_getinfo(self.state, c"S".as_ptr(), &mut self.activation) != 0
                    && !with_source(self.local, &self.activation, |source| source.layer)
            }
    }
}

/// Of which kind the error is that is being raised in `state`: 0 for none that concerns the application. It costs as much as the
/// stack is deep up to who catches the error, which is what the error unwinds then.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service;
/// there is room for a value in it, and in those that have resumed it.
unsafe fn kind(local: &Local, state: *mut lua_State) -> u8 {
    let mut waiting = super::resumers(local).of(state);
    let mut of_application = false;
    // SAFETY: contract of this function.
    let mut place = unsafe { Walk::new(local, state) };
    let mut is_innermost = true;
    while let Some(mut walk) = place.take() {
        match walk.frame() {
            Frame::Lua => of_application = of_application || walk.is_of_application(),
            Frame::Catches => {
                if walk.is_finalizer() || !walk.go_out() {
                    break;
                } else if walk.is_of_application() {
                    return CAUGHT;
                }
                // The layer: where the application has called it, it raises the error once more.
                place = Some(walk);
                is_innermost = false;
                continue;
            }
            // It was seen where it was raised first.
            Frame::Passes if is_innermost => return 0,
            Frame::Passes | Frame::Other => {}
        }
        is_innermost = false;
        if walk.is_finalizer() {
            break;
        }
        if walk.go_out() {
            place = Some(walk);
            continue;
        }
        let Some(resumer) = waiting.next() else { break };
        // SAFETY: a resumer is a coroutine of the VM that waits, so its stack stays as it is.
        let Some(mut outer) = (unsafe { Walk::new(local, resumer) }) else {
            break;
        };
        let passes = matches!(outer.frame(), Frame::Passes);
        if !outer.go_out() {
            break;
        }
        if passes {
            place = Some(outer);
        } else if outer.is_of_application() {
            return CAUGHT; // `coroutine.resume`: who calls it gets the error
        } else if !outer.is_of_coroutines() {
            break;
        } else if outer.go_out() && outer.is_of_coroutines() {
            place = Some(outer); // `wrap` of it
        } else {
            return CAUGHT;
        }
    }
    if of_application { UNCAUGHT } else { 0 }
}

/// Whether the Lua layer raises what has stopped the service where the application has raised it: that text, with more behind it, perhaps.
/// The text of an error that the application raises is noted for this.
///
/// # Safety
/// As for [`kind`]; an error is at the top of `state`.
unsafe fn is_raised_again(local: &Local, state: *mut lua_State) -> bool {
    // SAFETY: contract of this function; a string is not converted.
    unsafe {
        let text = if lua_type(state, -1) == LUA_TSTRING {
            let size = lua_rawlen(state, -1) as usize;
            let start = lua_tolstring(state, -1, std::ptr::null_mut());
            &std::slice::from_raw_parts(start.cast::<u8>(), size)[..size.min(LONGEST)]
        } else {
            &[]
        };
        let Some(mut walk) = Walk::new(local, state) else {
            return false;
        };
        while !matches!(walk.frame(), Frame::Lua) {
            if !walk.go_out() {
                return false;
            }
        }
        let mut raised = local.raised.borrow_mut();
        if walk.is_of_application() {
            *raised = text.to_vec();
            return false;
        }
        // As often as it is caught on its way.
        let is_again = !raised.is_empty() && text.starts_with(&raised);
        if !is_again {
            raised.clear();
        }
        is_again
    }
}

/// Called by Lua when an error is raised, in any VM.
///
/// # Safety
/// Lua calls it (ldebugger.h) with the running state of a VM of the calling thread.
unsafe extern "C-unwind" fn raised(state: *mut LuaState) {
    let state: *mut lua_State = state.cast();
    // SAFETY: contract of this function. Nothing here raises.
    unsafe {
        let Some((this, local)) = super::of_service(state) else {
            return;
        };
        let wanted = ERRORS.load(Ordering::Relaxed);
        let is_watched = wanted != 0 && ADAPTER.load(Ordering::Relaxed) != 0;
        if agent::is_at_work(local, state) || !is_watched {
            return;
        }
        if lua_checkstack(state, 4) == 0 {
            return;
        }
        hook::enter_attachment(local);
        // There is room in those that wait, too: Lua keeps EXTRA_STACK (5) values free behind the end of each stack.
        let kind = kind(local, state);
        if kind & wanted != 0 && !is_raised_again(local, state) {
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
