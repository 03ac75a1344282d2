//! The agent: a module in Lua (`skynet.internal.debugagent`) that is loaded into a VM when it stops for the first time. It runs on a
//! coroutine of its own, outside of the stack that it looks at, and none of its modules shows in `package.loaded`.

use std::ffi::CStr;
use std::ptr;
use std::sync::atomic::Ordering;

use libc::c_int;
use mlua_sys::{
    LUA_OK, LUA_REGISTRYINDEX, LUA_TFUNCTION, LUA_TSTRING, LUA_TTABLE, LUA_TTHREAD, lua_Debug,
    lua_State, lua_call, lua_checkstack, lua_getinfo, lua_getstack, lua_newthread, lua_pcall,
    lua_pop, lua_pushboolean, lua_pushcfunction, lua_pushinteger, lua_pushlightuserdata,
    lua_pushlstring, lua_pushnil, lua_pushthread, lua_pushvalue, lua_rawgetp, lua_rawsetp,
    lua_sethook, lua_settop, lua_tolstring, lua_tothread, lua_touserdata, lua_typename, lua_xmove,
    luaL_error, luaL_loadfilex,
};
use skynet_support::{Entry, State, lua_functions};

use super::breakpoints::{self, Breakpoint};
use super::hook::with_source;
use super::step::{Mode, Step};
use super::{JUST_MY_CODE, Local, RUN, Snlua, Vm, evaluation, notices, resumers};
use crate::services::builtin::embedded;
use crate::services::builtin::snlua::core::{monotonic_nanos, spare};

const MODULE: &CStr = c"skynet.internal.debugagent";
/// Nanoseconds between two notices that a service could not be stopped.
const PAUSE_BETWEEN: u64 = 1_000_000_000;
/// Values that the functions here push.
const ROOM: c_int = 16;

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
    local.step.set(Step::NONE);
    accept_requests(local, true);
    // SAFETY: contract of this function.
    let mode = spare::held(|| unsafe { ask(local, &event) });
    accept_requests(local, false);
    match mode {
        None => tell_unstopped(&local.vm, local.epoch.get()),
        Some((mode, coroutine)) => {
            let coroutine = if coroutine.is_null() {
                state
            } else {
                coroutine
            };
            // SAFETY: as above. The agent's answer is a coroutine of the VM, which has run nothing since.
            let step = unsafe { Step::from(mode, coroutine, is_in_layer(local, coroutine)) };
            local.step.set(step);
        }
    }
}

/// The service runs on where it was to stop; in a loop it does so very often.
fn tell_unstopped(vm: &Vm, epoch: u64) {
    let now = monotonic_nanos();
    let before = vm.told_at.load(Ordering::Relaxed);
    if before == 0 || now.saturating_sub(before) >= PAUSE_BETWEEN {
        vm.told_at.store(now, Ordering::Relaxed);
        notices::tell(vm.handle, Some(epoch), b"unstopped", b"");
    }
}

fn accept_requests(local: &Local, on: bool) {
    let mut mail = local.vm.mail.lock();
    mail.clear();
    local.vm.leaves.store(false, Ordering::SeqCst);
    local.vm.stopped.store(on, Ordering::SeqCst);
    if on {
        // Who wanted it to stop has what was wanted, whatever the reason is.
        local.vm.pause.store(RUN, Ordering::SeqCst);
    }
}

/// Whether the function that runs is one of the layer.
///
/// # Safety
/// `state` is a coroutine of the VM of `local`, and the calling thread runs its service.
unsafe fn is_in_layer(local: &Local, state: *mut lua_State) -> bool {
    // SAFETY: contract of this function.
    unsafe {
        let mut frame: lua_Debug = std::mem::zeroed();
        lua_getstack(state, 0, &mut frame) != 0
            && lua_getinfo(state, c"S".as_ptr(), &mut frame) != 0
            && with_source(local, &frame, |source| source.layer)
    }
}

/// Calls the agent. What it answers is how the service goes on, and which coroutine is meant; null for the one of the event.
///
/// # Safety
/// The coroutine of the event is the one that runs in the VM of `local`, in a hook or where an error is raised, and the calling thread runs its service.
unsafe fn ask(local: &Local, event: &Event) -> (Mode, *mut lua_State) {
    const GOES_ON: (Mode, *mut lua_State) = (Mode::None, ptr::null_mut());
    let state = event.state;
    // SAFETY: contract of this function. Nothing here raises: what may runs in protected calls.
    unsafe {
        if lua_checkstack(state, ROOM) == 0 {
            return GOES_ON;
        }
        let interrupt = &raw const (*Snlua::of(State::new(state))).interrupt;
        let running = (*interrupt).running();
        local.busy.set(true);
        local.stopped.set(state);
        let mode = match coroutine(state) {
            None => GOES_ON,
            Some(agent) => {
                lua_pushcfunction(agent, enter);
                lua_pushlightuserdata(agent, ptr::from_ref(event).cast_mut().cast());
                let mode = if lua_pcall(agent, 1, 2, 0) == LUA_OK {
                    (mode_at(agent, -2), lua_tothread(agent, -1))
                } else {
                    log_error(agent);
                    GOES_ON
                };
                lua_settop(agent, 0);
                mode
            }
        };
        // Not `state`, which may be one that is being closed: nobody would say when that is over.
        (*interrupt).switch(running);
        local.stopped.set(ptr::null_mut());
        local.busy.set(false);
        mode
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

/// The log has an error of the agent.
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
        (*Snlua::of(State::new(state)))
            .service()
            .log(&[b"debugger: the agent failed: ", text]);
    }
}

/// The agent's coroutine; `None`, which the log has the reason of, if it cannot be loaded.
///
/// # Safety
/// `state` is a coroutine of the VM , and the calling thread runs its service and may use `ROOM` values of its stack.
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
        load_module(State::new(state), MODULE);
        lua_rawsetp(state, LUA_REGISTRYINDEX, (&raw const FUNCTION).cast());
        lua_rawsetp(state, LUA_REGISTRYINDEX, (&raw const COROUTINE).cast());
    }
    0
}

/// Runs a module of the Lua layer and pushes what it returns. `package.loaded` does not have it then. A file wins, as ever.
fn load_module(state: State<'_>, name: &CStr) {
    let top = state.top();
    let found = state.get_field(LUA_REGISTRYINDEX, c"_LOADED") == LUA_TTABLE
        && state.get_field(-1, c"package") == LUA_TTABLE
        && state.get_field(-1, c"searchpath") == LUA_TFUNCTION
        && {
            state.push_text(name);
            state.get_field(-3, c"path");
            // SAFETY: a function and its arguments.
            unsafe { lua_call(state.raw(), 2, 1) };
            state.kind(-1) == LUA_TSTRING
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
        state.push_module(FUNCTIONS);
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
                lua_pushlightuserdata(agent, (&raw const breakpoint.hits).cast_mut().cast());
                lua_call(agent, 9, 2);
            }
        }
    }
    2
}

/// The VM's part of the debugger. Raises where there is none.
pub(super) fn local(state: State<'_>) -> &Local {
    // SAFETY: the agent runs in VMs of services alone, on the thread that runs the service.
    match unsafe { super::local(Snlua::of(state)) } {
        Some(local) => local,
        None => state.error(c"the service has no debugger"),
    }
}

/// `wait()`: the next request, a string; nothing when the service is not to be stopped any more.
fn wait(state: State<'_>) -> c_int {
    let local = local(state);
    let Some(request) = local.vm.next_request(local.epoch.get()) else {
        return 0;
    };
    // As in `skynet.debugchannel`: while it becomes a string, which may raise, it is but an address.
    let request = Box::into_raw(request);
    // SAFETY: the box is this function's.
    unsafe {
        state.push_bytes(&*request);
        drop(Box::from_raw(request));
    }
    1
}

/// `tell(kind, text)`: a notice for the adapter.
fn tell(state: State<'_>) -> c_int {
    let (kind, text) = (state.check_bytes(1), state.check_bytes(2));
    let local = local(state);
    if !notices::tell(local.vm.handle, Some(local.epoch.get()), kind, text) {
        state.error(c"no such notice");
    }
    0
}

/// `count(hits)`: one hit more of a breakpoint; how many there are.
fn count(state: State<'_>) -> c_int {
    let hits: *const std::sync::atomic::AtomicU64 = state.to_userdata(1).cast();
    // SAFETY: the agent was given the address for this call.
    let hits = unsafe { hits.as_ref() }.map_or(0, |hits| hits.fetch_add(1, Ordering::Relaxed) + 1);
    state.push_integer(hits.cast_signed());
    1
}

/// `describe(source)`: the path of a chunk by its name, or nil; and whether it belongs to the Lua layer.
fn describe(state: State<'_>) -> c_int {
    let path = breakpoints::path_of(state.check_bytes(1));
    let layer = path
        .as_ref()
        .is_some_and(|path| breakpoints::is_layer(path));
    match path.map(|path| Box::into_raw(path.into_boxed_slice())) {
        None => state.push_nil(),
        // SAFETY: as in `wait`.
        Some(path) => unsafe {
            state.push_bytes(&*path);
            drop(Box::from_raw(path));
        },
    }
    state.push_boolean(layer);
    2
}

/// `resumer(coroutine)`: who has resumed it, of those that run or wait for the one that has stopped; nothing for others.
fn resumer(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TTHREAD);
    let (local, coroutine) = (local(state), state.to_thread(1));
    let stopped = local.stopped.get();
    let is_one = coroutine == stopped || resumers(local).of(stopped).any(|one| one == coroutine);
    let Some(resumer) = resumers(local).of(coroutine).next().filter(|_| is_one) else {
        return 0;
    };
    // SAFETY: it is alive while the other one runs; there is room for its value.
    unsafe {
        if lua_checkstack(resumer, 1) == 0 {
            return 0;
        }
        lua_pushthread(resumer);
        lua_xmove(resumer, state.raw(), 1);
    }
    1
}

/// `justmycode()`: whether the Lua layer is passed over.
fn just_my_code(state: State<'_>) -> c_int {
    state.push_boolean(JUST_MY_CODE.load(Ordering::Relaxed));
    1
}

/// `load(name)`: a module of the layer, which `package.loaded` does not have.
fn load(state: State<'_>) -> c_int {
    let name = state.check_text(1);
    load_module(state, name);
    1
}

/// `address(value)`: its address as `%p` has it, for tables and other objects; whatever `__tostring` says.
fn address(state: State<'_>) -> c_int {
    let (kind, address) = (state.kind(1), state.to_pointer(1));
    // SAFETY: a type's name is a constant.
    let name = unsafe { CStr::from_ptr(lua_typename(state.raw(), kind)) };
    let mut text = [0_u8; 64];
    let mut rest = &mut text[..];
    // It has room for the longest name and address.
    let _ = std::io::Write::write_fmt(
        &mut rest,
        format_args!("{}: {address:p}", name.to_str().unwrap_or("?")),
    );
    let left = rest.len();
    state.push_bytes(&text[..text.len() - left]);
    1
}

// They keep the rules of `State`.
const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"wait" => wait,
    c"tell" => tell,
    c"count" => count,
    c"describe" => describe,
    c"resumer" => resumer,
    c"justmycode" => just_my_code,
    c"load" => load,
    c"run" => evaluation::run,
    c"address" => address,
});
