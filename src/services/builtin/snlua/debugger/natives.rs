//! What the agent may ask of the executable: functions in Lua, for the coroutine that it runs on.

use std::ffi::CStr;
use std::sync::atomic::Ordering;

use libc::c_int;
use mlua_sys::{
    LUA_REGISTRYINDEX, LUA_TFUNCTION, LUA_TNIL, LUA_TTABLE, LUA_TTHREAD, lua_Debug, lua_checkstack,
    lua_createtable, lua_getfield, lua_getstack, lua_pushthread, lua_pushvalue, lua_rawgetp,
    lua_rawsetp, lua_setfield, lua_typename, lua_xmove,
};
use skynet_support::{Entry, State, lua_functions};

use super::breakpoints::{self, Breakpoint};
use super::{JUST_MY_CODE, Local, Snlua, agent, evaluation, files, notices, resumers};
use crate::services::builtin::snlua::core::thread_cpu_nanos;

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
    let Some(request) = local.vm.next_request(local.attachment.get()) else {
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
    if !notices::tell(local.vm.handle, Some(local.attachment.get()), kind, text) {
        state.error(c"no such notice");
    }
    0
}

/// The breakpoint whose address is the first argument.
fn breakpoint(state: State<'_>) -> Option<&Breakpoint> {
    let breakpoint: *const Breakpoint = state.to_userdata(1).cast();
    // SAFETY: the agent was given the address for this call.
    unsafe { breakpoint.as_ref() }
}

/// `count(breakpoint)`: one hit more; how many there are.
fn count(state: State<'_>) -> c_int {
    let hits = breakpoint(state).map_or(0, |one| one.hits.fetch_add(1, Ordering::Relaxed) + 1);
    state.push_integer(hits.cast_signed());
    1
}

/// `disarm(breakpoint)`: it is passed over from now on. True if it was not before.
fn disarm(state: State<'_>) -> c_int {
    let was_on = breakpoint(state).is_some_and(|one| !one.is_off.swap(true, Ordering::Relaxed));
    state.push_boolean(was_on);
    1
}

/// `clock()`: seconds of processor time of the thread.
fn clock(state: State<'_>) -> c_int {
    state.push_number(thread_cpu_nanos() as f64 / 1e9);
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

/// Its address is the key of the registry for the modules of the agent, by their names.
static MODULES: u8 = 0;

/// `load(name)`: a module of the layer, which `package.loaded` does not have. The agent's modules share it.
fn load(state: State<'_>) -> c_int {
    let name = state.check_text(1);
    // SAFETY: by the rules of a Lua function: a table without a metatable, and room for some values.
    unsafe {
        let key = (&raw const MODULES).cast();
        if lua_rawgetp(state.raw(), LUA_REGISTRYINDEX, key) != LUA_TTABLE {
            state.pop(1);
            state.create_table(0, 0);
            lua_pushvalue(state.raw(), -1);
            lua_rawsetp(state.raw(), LUA_REGISTRYINDEX, key);
        }
        if lua_getfield(state.raw(), 2, name.as_ptr()) == LUA_TNIL {
            agent::load_module(state, name);
            lua_pushvalue(state.raw(), -1);
            lua_setfield(state.raw(), 2, name.as_ptr());
        }
    }
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

/// `memory()`: bytes that the VM has. `collectgarbage` tells nothing while the agent runs.
fn memory(state: State<'_>) -> c_int {
    // SAFETY: as in `local`.
    let used = unsafe { (*Snlua::of(state)).memory.used() };
    state.push_integer(used as i64);
    1
}

/// `reclaim()`: frees garbage also where the collector is stopped, as in a finalizer. Calls no finalizers.
fn reclaim(state: State<'_>) -> c_int {
    // SAFETY: as in `local`.
    unsafe { (*Snlua::of(state)).memory.refuse_once() };
    // Any new block. SAFETY: a C function has room for some values.
    unsafe { lua_createtable(state.raw(), 0, 0) };
    0
}

/// `following(table, list, place, slots, skip)`: the field behind `place` (0 to begin), which is none of the list 1 to `list`, and behind
/// `skip` others: the slots of the table that may still be looked at, of `slots`; where to go on, nil at the end; key and value,
/// nothing if there was none in so many slots.
fn following(state: State<'_>) -> c_int {
    state.check_kind(1, LUA_TTABLE);
    let list = state.check_integer(2).max(0).cast_unsigned();
    let mut place = state.check_integer(3).max(0) as usize;
    let mut slots = state.check_integer(4).max(0) as usize;
    let skip = state.check_integer(5);
    let top = state.top();
    let mut found = 1;
    for _ in 0..=skip {
        state.set_top(top);
        // SAFETY: a table, and room for two values.
        found = unsafe {
            skynet_lua::lua_following(state.raw().cast(), 1, list, &mut place, &mut slots)
        };
        if found != 1 {
            break;
        }
    }
    state.push_integer(slots as i64);
    match found {
        0 => state.push_nil(),
        _ => state.push_integer(place as i64),
    }
    if found != 1 {
        return 2;
    }
    // Slots and place below key and value.
    state.insert(top + 1);
    state.insert(top + 1);
    4
}

/// `closes(function, n)`, `closes(coroutine, level, n)`: whether that upvalue, or local, is to be closed and must not be changed.
fn closes(state: State<'_>) -> c_int {
    let raw = state.raw();
    let closes = if state.kind(1) == LUA_TFUNCTION {
        let n = state.check_integer(2) as c_int;
        // SAFETY: a function is there; nothing raises.
        unsafe { skynet_lua::lua_upvaluecloses(raw.cast(), 1, n) }
    } else {
        state.check_kind(1, LUA_TTHREAD);
        let (level, n) = (state.check_integer(2), state.check_integer(3));
        let coroutine = state.to_thread(1);
        // SAFETY: a coroutine of the VM, whose stack stays as it is; `lua_Debug` is plain data.
        unsafe {
            let mut frame: lua_Debug = std::mem::zeroed();
            if lua_getstack(coroutine, level as c_int, &mut frame) == 0 {
                return 0;
            }
            let frame = (&raw const frame).cast();
            skynet_lua::lua_localcloses(coroutine.cast(), frame, n as c_int)
        }
    };
    state.push_boolean(closes != 0);
    1
}

/// They keep the rules of `State`.
pub(super) const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"wait" => wait,
    c"tell" => tell,
    c"count" => count,
    c"disarm" => disarm,
    c"clock" => clock,
    c"describe" => describe,
    c"resumer" => resumer,
    c"justmycode" => just_my_code,
    c"load" => load,
    c"run" => evaluation::run,
    c"address" => address,
    c"memory" => memory,
    c"reclaim" => reclaim,
    c"closes" => closes,
    c"following" => following,
    c"read" => files::read_file,
});
