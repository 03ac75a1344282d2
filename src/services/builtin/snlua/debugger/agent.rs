//! The agent: a module in Lua (`skynet.internal.debugagent`) that is loaded into a VM when it stops for the first time. It runs on a
//! coroutine of its own, outside of the stack that it looks at, and none of its modules shows in `package.loaded`.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::Ordering;

use libc::{c_int, c_void};
use mlua_sys::{
    LUA_OK, LUA_REGISTRYINDEX, LUA_TFUNCTION, LUA_TSTRING, LUA_TTABLE, LUA_TTHREAD, lua_State,
    lua_call, lua_checkstack, lua_gettop, lua_newthread, lua_pcall, lua_pop, lua_pushboolean,
    lua_pushcfunction, lua_pushinteger, lua_pushlightuserdata, lua_pushlstring, lua_pushnil,
    lua_pushthread, lua_pushvalue, lua_rawgetp, lua_rawsetp, lua_sethook, lua_settop,
    lua_tolstring, lua_tothread, lua_touserdata, lua_xmove, luaL_error, luaL_loadfilex,
};
use skynet_lua::LuaState;
use skynet_support::State;

use super::breakpoints::Breakpoint;
use super::hook::{is_idle, is_in_layer};
use super::step::{self, Mode, Step};
use super::{
    ATTACHMENT, Local, RUN, Snlua, Vm, evaluation, libraries, natives, node_ends, notices, resumers,
};
use crate::services::builtin::embedded;
use crate::services::builtin::snlua::core::{exists, monotonic_nanos, spare};

const MODULE: &CStr = c"skynet.internal.debugagent";
/// Nanoseconds between two notices that a service could not be stopped.
const PAUSE_BETWEEN: u64 = 1_000_000_000;
/// Values that the functions here push.
const ROOM: c_int = 16;
/// Coroutines that wait, the innermost first, which an error of the agent does not reach (`LUA_MOSTCONTAINED`).
const MOST_CONTAINED: usize = 200;

/// Their addresses are keys of the registry: of the agent's coroutine, and of its function.
static COROUTINE: u8 = 0;
static FUNCTION: u8 = 0;

/// Why a service stops.
#[derive(Clone, Copy)]
pub(super) enum Reason {
    Breakpoint(i64),
    /// A step has ended; the one to the first line of the application, perhaps.
    Step(bool),
    Pause,
    /// An error, the value of which is at the top; whether it is caught.
    Error(bool),
}

/// What the agent is called with.
struct Event<'a> {
    state: *mut lua_State,
    kind: &'static CStr,
    breakpoint: Option<&'a Breakpoint>,
    id: i64,
    flag: bool,
    /// The value at the top of `state` goes with it.
    value: bool,
}

/// Whether a breakpoint that was reached stops: its condition holds, and so does that of the number of hits; and it is not one
/// that only writes to the log.
///
/// # Safety
/// Called by the hook of `state`.
pub(super) unsafe fn is_hit(local: &Local, state: *mut lua_State, breakpoint: &Breakpoint) -> bool {
    let plain = breakpoint.condition.is_empty()
        && breakpoint.hit_condition.is_empty()
        && breakpoint.log.is_empty();
    if plain {
        breakpoint.hits.fetch_add(1, Ordering::Relaxed);
        return true;
    }
    if breakpoint.is_off.load(Ordering::Relaxed) || !exists(local.vm.handle) || node_ends() {
        return false; // for the last two see `stop`
    }
    let event = Event {
        state,
        kind: c"hit",
        breakpoint: Some(breakpoint),
        id: breakpoint.id,
        flag: false,
        value: false,
    };
    // SAFETY: contract of this function.
    unsafe { ask(local, &event).0 != Mode::None }
}

/// Stops the service until the editor lets it go on, and notes how.
///
/// # Safety
/// Called by the hook of `state`, or where an error is raised in it; there is room for a few values.
pub(super) unsafe fn stop(local: &Local, state: *mut lua_State, reason: Reason) {
    let (kind, id, flag, value) = match reason {
        Reason::Breakpoint(id) => (c"breakpoint", id, false, false),
        Reason::Step(true) => (c"entry", 0, false, false),
        Reason::Step(false) => (c"step", 0, false, false),
        Reason::Pause => (c"pause", 0, false, false),
        Reason::Error(caught) => (c"exception", 0, caught, true),
    };
    let event = Event {
        state,
        kind,
        breakpoint: None,
        id,
        flag,
        value,
    };
    step::set(local, Step::NONE);
    if !exists(local.vm.handle) || node_ends() {
        // It would go on at once: it has exited or was killed, and ends its message or closes what its tasks have; or all do.
        local.vm.pause.store(RUN, Ordering::SeqCst);
        return;
    }
    accept_requests(local, true);
    let Some(held) = spare::hold() else {
        accept_requests(local, false);
        return tell_unstopped(&local.vm, local.attachment.get());
    };
    local.held.set(Some(held));
    // SAFETY: contract of this function.
    let (mode, coroutine) = unsafe { ask(local, &event) };
    end_stop(local);
    let coroutine = if coroutine.is_null() {
        state
    } else {
        coroutine
    };
    // SAFETY: as above. The agent's answer is a coroutine of the VM, which has run nothing since.
    let step = unsafe {
        if mode != Mode::None
            && coroutine == state
            && matches!(reason, Reason::Pause)
            && is_idle(local, state)
        {
            Step::to_application()
        } else {
            Step::from(mode, coroutine, is_in_layer(local, coroutine))
        }
    };
    step::set(local, step);
}

/// The service goes on, if it was stopped. The editor is told so also if the agent could not say that it has stopped.
fn end_stop(local: &Local) {
    if let Some(held) = local.held.take() {
        held.end();
        accept_requests(local, false);
        let attachment = Some(local.attachment.get());
        notices::tell(local.vm.handle, attachment, b"continued", b"");
    }
}

/// Whether the agent runs. An error can go over it, and over the stop: a C module calls Lua in a coroutine that waits, and something
/// there catches what this raises. Nobody has come back then to end what the agent has begun, so that is done here.
///
/// # Safety
/// `state` is the coroutine that runs in the VM of `local`, and the calling thread runs its service.
pub(super) unsafe fn is_at_work(local: &Local, state: *mut lua_State) -> bool {
    if !local.busy.get() {
        return false;
    }
    let stopped = local.stopped.get();
    let mut waiting = resumers(local).of(ptr::null_mut());
    if waiting.any(|one| one == stopped) {
        return true;
    }
    // SAFETY: contract of this function; nothing raises. The main coroutine waits as it did before.
    unsafe {
        skynet_lua::lua_sethandler((*local.instance).state.cast(), local.handler.as_ptr());
        end_ask(local, state);
        let service = (*local.instance).service();
        service.log(&[b"debugger: an error has ended the stop, which a C module has raised"]);
        if lua_checkstack(state, 1) != 0 {
            forget_agent(state);
        }
    }
    end_stop(local);
    false
}

/// The service runs on where it was to stop; in a loop it does so very often.
fn tell_unstopped(vm: &Vm, attachment: u64) {
    let now = monotonic_nanos();
    let before = vm.told_at.load(Ordering::Relaxed);
    if before == 0 || now.saturating_sub(before) >= PAUSE_BETWEEN {
        vm.told_at.store(now, Ordering::Relaxed);
        notices::tell(vm.handle, Some(attachment), b"unstopped", b"");
    }
}

/// Another editor may have come since the place was reached: then the service goes on at once, and what that one wants of it stays.
fn accept_requests(local: &Local, on: bool) {
    let vm = &local.vm;
    let mut mail = vm.mail.lock();
    mail.clear();
    // Who changes it takes the lock later, and finds the service stopped.
    let is_over = ATTACHMENT.load(Ordering::SeqCst) != local.attachment.get();
    vm.leaves.store(on && is_over, Ordering::SeqCst);
    vm.stopped.store(on, Ordering::SeqCst);
    if on && !is_over {
        // Who wanted it to stop has what was wanted, whatever the reason is.
        vm.pause.store(RUN, Ordering::SeqCst);
    }
}

/// How the service goes on, and which coroutine is meant; null for the one of the event.
type Answer = (Mode, *mut lua_State);

const GOES_ON: Answer = (Mode::None, ptr::null_mut());

/// A call of the agent.
struct Call<'a> {
    event: &'a Event<'a>,
    answer: Answer,
}

/// Calls the agent. The collector rests meanwhile, so no finalizer of the application runs in the stopped service.
///
/// # Safety
/// The coroutine of the event is the one that runs in the VM of `local`, in a hook or where an error is raised, and the calling thread runs its service.
unsafe fn ask(local: &Local, event: &Event) -> Answer {
    let state = event.state;
    // SAFETY: contract of this function. Nothing here raises: what may runs in protected calls.
    unsafe {
        let main = (*local.instance).state;
        if lua_checkstack(state, ROOM) == 0 || lua_checkstack(main, ROOM) == 0 {
            return GOES_ON;
        }
        let interrupt = &raw const (*local.instance).interrupt;
        let running = (*interrupt).running();
        local.busy.set(true);
        local.stopped.set(state);
        local
            .holds_collector
            .set(skynet_lua::lua_holdgc(state.cast(), 1) != 0);
        skynet_lua::lua_gethandler(main.cast(), local.handler.as_ptr());
        let mut call = Call {
            event,
            answer: GOES_ON,
        };
        // A C module that calls Lua in a coroutine which is in no protected call raises in the main one; in one that waits, there.
        let ud = (&raw mut call).cast();
        let contain = || {
            let mut waiting = [ptr::null_mut(); MOST_CONTAINED];
            let mut count = 0;
            for (place, one) in waiting.iter_mut().zip(resumers(local).of(ptr::null_mut())) {
                *place = one.cast();
                count += 1;
            }
            let (main, waiting) = (main.cast(), waiting.as_ptr());
            let status = skynet_lua::lua_contain(main, waiting, count, in_main, ud);
            evaluation::set(local, None);
            // Not `state`, which may be one that is being closed: nobody would say when that is over.
            (*interrupt).switch(running);
            status
        };
        if resumers(local).wait(state, contain) != LUA_OK {
            call.answer = GOES_ON;
            log_error(main);
            lua_pop(main, 1);
            forget_agent(state);
        }
        end_ask(local, state);
        call.answer
    }
}

/// What [`ask`] has begun is over.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service.
unsafe fn end_ask(local: &Local, state: *mut lua_State) {
    evaluation::set(local, None);
    // SAFETY: contract of this function.
    unsafe { skynet_lua::lua_holdgc(state.cast(), local.holds_collector.get().into()) };
    local.stopped.set(ptr::null_mut());
    local.busy.set(false);
}

/// For [`ask`]: what is raised out of this comes back there.
///
/// # Safety
/// `ud` is a [`Call`], whose event [`ask`] was called with.
unsafe extern "C-unwind" fn in_main(_: *mut LuaState, ud: *mut c_void) {
    // SAFETY: contract of this function.
    unsafe {
        let call: *mut Call = ud.cast();
        let event = (*call).event;
        let Some(agent) = coroutine(event.state) else {
            return;
        };
        lua_pushcfunction(agent, enter);
        lua_pushlightuserdata(agent, ptr::from_ref(event).cast_mut().cast());
        if lua_pcall(agent, 1, 2, 0) != LUA_OK {
            log_error(agent);
        } else if lua_gettop(agent) == 2 {
            // Else something has closed the coroutine, and it has no results.
            (*call).answer = (mode_at(agent, -2), lua_tothread(agent, -1));
        }
        lua_settop(agent, 0);
    }
}

/// The agent's coroutine was left in the middle of a call: the next time another one is made.
///
/// # Safety
/// As for [`coroutine`].
unsafe fn forget_agent(state: *mut lua_State) {
    // SAFETY: contract of this function. To set a field to nil allocates nothing.
    unsafe {
        lua_pushnil(state);
        lua_rawsetp(state, LUA_REGISTRYINDEX, (&raw const COROUTINE).cast());
    }
}

/// # Safety
/// What is at `index` of `agent` is a string, or false or nil: the function of the agent promises so (`debugagent.lua`).
unsafe fn mode_at(agent: *mut lua_State, index: c_int) -> Mode {
    // SAFETY: contract of this function: nothing is converted, so nothing raises.
    unsafe {
        let text = lua_tolstring(agent, index, ptr::null_mut());
        if text.is_null() {
            return Mode::None;
        }
        match CStr::from_ptr(text).to_bytes() {
            b"over" | b"hit" => Mode::Over,
            b"in" => Mode::In,
            b"out" => Mode::Out,
            _ => Mode::None,
        }
    }
}

/// The log has an error of the agent, and so has the editor.
///
/// # Safety
/// An error is at the top of `state`, a coroutine of a VM whose service the calling thread runs.
unsafe fn log_error(state: *mut lua_State) {
    // SAFETY: contract of this function; an error that is no string is not converted.
    unsafe {
        let text = if mlua_sys::lua_type(state, -1) == LUA_TSTRING {
            CStr::from_ptr(lua_tolstring(state, -1, ptr::null_mut())).to_bytes()
        } else {
            b"(no error message)"
        };
        let this = Snlua::of(State::new(state));
        (*this)
            .service()
            .log(&[b"debugger: the agent failed: ", text]);
        if let Some(local) = super::local(this) {
            notices::tell(
                local.vm.handle,
                Some(local.attachment.get()),
                b"broken",
                text,
            );
        }
    }
}

/// The agent's coroutine; `None`, which the log has the reason of, if it cannot be loaded.
///
/// # Safety
/// `state` is a coroutine of the VM, and the calling thread runs its service and may use `ROOM` values of its stack.
unsafe fn coroutine(state: *mut lua_State) -> Option<*mut lua_State> {
    // SAFETY: contract of this function: there is room. The coroutine is anchored in the registry.
    unsafe {
        let mut known = lua_rawgetp(state, LUA_REGISTRYINDEX, (&raw const COROUTINE).cast());
        if known != LUA_TTHREAD {
            lua_pop(state, 1);
            lua_pushcfunction(state, load_agent);
            if lua_pcall(state, 0, 0, 0) != LUA_OK {
                log_error(state);
                lua_pop(state, 1);
                return None;
            }
            known = lua_rawgetp(state, LUA_REGISTRYINDEX, (&raw const COROUTINE).cast());
        }
        let agent = (known == LUA_TTHREAD).then(|| lua_tothread(state, -1));
        lua_pop(state, 1);
        agent.filter(|&agent| lua_checkstack(agent, ROOM) != 0)
    }
}

/// # Safety
/// A Lua function: Lua calls it with its running state.
unsafe extern "C-unwind" fn load_agent(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        let agent = lua_newthread(state);
        lua_sethook(agent, None, 0, 0);
        libraries::open(state);
        load_module(State::new(state), MODULE);
        lua_rawsetp(state, LUA_REGISTRYINDEX, (&raw const FUNCTION).cast());
        lua_rawsetp(state, LUA_REGISTRYINDEX, (&raw const COROUTINE).cast());
    }
    0
}

/// Runs a module of the Lua layer, with libraries of the agent's own, and pushes what it returns. `package.loaded` does not have it then. A file wins, as ever.
pub(super) fn load_module(state: State<'_>, name: &CStr) {
    let top = state.top();
    let found = state.get_field(LUA_REGISTRYINDEX, c"_LOADED") == LUA_TTABLE
        && state.get_field(-1, c"package") == LUA_TTABLE
        && state.get_field(-1, c"searchpath") == LUA_TFUNCTION
        && {
            state.push_text(name);
            state.get_field(-3, c"path");
            // SAFETY: a function and its arguments. It may be the service's own, and fail.
            let status = unsafe { lua_pcall(state.raw(), 2, 1, 0) };
            status == LUA_OK && state.kind(-1) == LUA_TSTRING
        };
    // SAFETY: the name of the file is on the stack. Nothing here has a destructor.
    unsafe {
        let path = lua_tolstring(state.raw(), -1, ptr::null_mut());
        if !found || luaL_loadfilex(state.raw(), path, ptr::null()) != LUA_OK {
            match embedded::find_module(name.to_bytes()) {
                Some(file) => embedded::push_function(state, file),
                None => {
                    luaL_error(state.raw(), c"no module %s".as_ptr(), name.as_ptr());
                }
            }
        }
        libraries::give(state.raw());
        state.push_module(natives::FUNCTIONS);
        lua_call(state.raw(), 1, 1);
    }
    state.insert(top + 1);
    state.set_top(top + 1);
}

/// On the agent's coroutine, with an [`Event`].
///
/// # Safety
/// A Lua function; its argument is the address of an [`Event`] that outlives the call, whose coroutine has `ROOM` values of its stack free.
unsafe extern "C-unwind" fn enter(agent: *mut lua_State) -> c_int {
    // SAFETY: contract of this function; `ask` has made room in both coroutines.
    unsafe {
        let event: *const Event = lua_touserdata(agent, 1).cast();
        let state = (*event).state;
        lua_rawgetp(agent, LUA_REGISTRYINDEX, (&raw const FUNCTION).cast());
        // The error is below what is pushed next.
        if (*event).value {
            lua_pushvalue(state, -1);
        } else {
            lua_pushnil(state);
        }
        lua_xmove(state, agent, 1);
        lua_pushthread(state);
        lua_xmove(state, agent, 1);
        State::new(agent).push_text((*event).kind);
        mlua_sys::lua_rotate(agent, -3, 1); // kind, value, coroutine
        mlua_sys::lua_rotate(agent, -2, 1); // kind, coroutine, value
        lua_pushinteger(agent, (*event).id);
        lua_pushboolean(agent, (*event).flag.into());
        match (*event).breakpoint {
            None => {
                lua_call(agent, 5, 2);
            }
            Some(breakpoint) => {
                for text in [
                    &breakpoint.condition,
                    &breakpoint.hit_condition,
                    &breakpoint.log,
                ] {
                    if text.is_empty() {
                        lua_pushnil(agent);
                    } else {
                        lua_pushlstring(agent, text.as_ptr().cast(), text.len());
                    }
                }
                lua_pushlightuserdata(agent, ptr::from_ref(breakpoint).cast_mut().cast());
                lua_call(agent, 9, 2);
            }
        }
    }
    2
}
