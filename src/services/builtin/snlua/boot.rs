//! From an empty VM to a running script.

use std::ffi::{CStr, CString};
use std::sync::Once;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use libc::c_int;
use mlua_sys::{
    LUA_GCGEN, LUA_GCSTOP, LUA_OK, LUA_REGISTRYINDEX, LUA_TNUMBER, lua_CFunction, lua_Integer,
    lua_gc, luaL_makeseed_,
};
use skynet_support::{State, lua_function};

use super::core::{Service, seed, setting, words};
use super::memory::megabytes;
use super::{Snlua, allocations, debugger, profile};
use crate::services::builtin::{embedded, host};

/// What the steps need; they get its address as light userdata.
struct Boot<'a> {
    this: *mut Snlua,
    service: Service,
    args: &'a [u8],
}

/// Sets the VM up and runs the loader with `args`. The reason of a failure has been logged.
///
/// # Safety
/// `this` is an instance that no other thread uses, `service` its service.
pub(super) unsafe fn run(this: *mut Snlua, service: Service, args: &[u8]) -> Result<(), ()> {
    // SAFETY: contract of this function. What can raise runs in protected calls; this function itself only calls what
    // cannot.
    let state = unsafe {
        (*this).context.store(service.as_ptr(), Relaxed);
        (*this).interrupt.switch((*this).state);
        debugger::begin(this, service, args);
        if service.allocations_profile().is_some() {
            allocations::ask(this);
        }
        State::new((*this).state)
    };
    let boot = Boot {
        this,
        service,
        args,
    };
    // SAFETY: as above; there is next to nothing to mark yet.
    unsafe {
        lua_gc(state.raw(), LUA_GCGEN, 0, 0);
        lua_gc(state.raw(), LUA_GCSTOP);
    }
    let failed = |parts: &[&[u8]]| {
        service.log(parts);
        Err(())
    };
    // They keep the rules of `State`.
    state.push_function(lua_function!(unsafe traceback));
    if !step(state, &boot, lua_function!(unsafe prepare), 0)
        || !step(state, &boot, lua_function!(unsafe load), 2)
    {
        return failed(&[b"Can't load ", loader().to_bytes(), b" : ", message(state)]);
    }
    if state.protected_call(1, 0, 1) != LUA_OK {
        return failed(&[b"lua loader error : ", message(state)]);
    }
    state.set_top(0);
    if !step(state, &boot, lua_function!(unsafe limit), 0) {
        return failed(&[b"lua loader error : ", message(state)]);
    }
    // SAFETY: the caller runs the service.
    if !unsafe { service.receives() } {
        // It may have done all that it was for. The service that started it is not told: it is no failure on the C core.
        let end =
            b" ended without skynet.start: its launch is not answered, and no message reaches it";
        service.log(&[script_name(args), end]);
        service.ended_without_callback();
    }
    // SAFETY: the state of this thread, where nothing runs.
    unsafe { skynet_lua::lua_gcsettle(state.raw().cast()) };
    Ok(())
}

/// The first word of the launch arguments.
fn script_name(args: &[u8]) -> &[u8] {
    words(args).next().unwrap_or(b"?")
}

/// Calls a function with the [`Boot`], in a protected call; false, and the error at the top, if it fails. Raises nothing: neither push
/// allocates, and the stack of a new VM has room.
fn step(state: State<'_>, boot: &Boot, function: lua_CFunction, results: c_int) -> bool {
    state.push_function(function);
    state.push_light(boot);
    state.protected_call(1, results, 0) == LUA_OK
}

/// The error at the top, up to its first zero. Errors of the steps are strings, so that nothing is converted and nothing raised.
fn message(state: State<'_>) -> &[u8] {
    match state.to_text(-1) {
        Some(text) => text.to_bytes(),
        None => b"(no error message)",
    }
}

fn boot(state: State<'_>) -> &Boot<'_> {
    // SAFETY: `step` passes the address of a Boot that outlives the call.
    unsafe { &*state.to_userdata(1).cast() }
}

fn or_default(key: &CStr, default: &'static CStr) -> &'static CStr {
    setting(key).unwrap_or(default)
}

fn loader() -> &'static CStr {
    or_default(c"lualoader", c"./lualib/loader.lua")
}

fn service_paths() -> &'static CStr {
    or_default(c"luaservice", c"./service/?.lua")
}

/// Whether the service that the arguments name is one of those in the executable, and no configured path has a file of
/// that name. Loaders that projects bring along know files only.
fn is_inside_only(boot: &Boot) -> bool {
    let Some(name) = words(boot.args).next() else {
        return false;
    };
    if embedded::find(&[b"service/", name, b".lua"].concat()).is_none() {
        return false;
    }
    let mut patterns = service_paths().to_bytes().split(|&byte| byte == b';');
    !patterns.any(|pattern| {
        let parts: Vec<&[u8]> = pattern.split(|&byte| byte == b'?').collect();
        CString::new(parts.join(name)).is_ok_and(|path| host::is_there(&path))
    })
}

/// Libraries, globals and registry entries.
fn prepare(state: State<'_>) -> c_int {
    let service = boot(state).service;
    // SAFETY: a new VM of this thread.
    if unsafe { skynet_lua::lua_copysnapshot(state.raw().cast()) } == 0 {
        libraries(state);
    } else {
        seed_random(state);
    }
    state.push_light(service.as_ptr());
    state.set_field(LUA_REGISTRYINDEX, c"skynet_context");

    let path = or_default(c"lua_path", c"./lualib/?.lua;./lualib/?/init.lua");
    let cpath = or_default(c"lua_cpath", c"./luaclib/?.so");
    for (name, value) in [
        (c"LUA_PATH", Some(path)),
        (c"LUA_CPATH", Some(cpath)),
        (c"LUA_SERVICE", Some(service_paths())),
        (c"LUA_PRELOAD", setting(c"preload")),
    ] {
        match value {
            Some(value) => state.push_text(value),
            None => state.push_nil(),
        }
        state.set_global(name);
    }
    0
}

/// What every VM begins with, whatever its service is. May raise.
fn libraries(state: State<'_>) {
    state.push_boolean(true);
    state.set_field(LUA_REGISTRYINDEX, c"LUA_NOENV");
    // It keeps the rules of `State`.
    state.push_function(lua_function!(unsafe limit_now));
    state.set_field(LUA_REGISTRYINDEX, c"skynet_memlimit");
    state.open_libraries();
    // SAFETY: the libraries are open, and there is room.
    unsafe { debugger::learn_functions(state.raw()) };
    state.require(c"skynet.profile", lua_function!(unsafe profile::open));
    state.get_global(c"coroutine");
    for name in [c"resume", c"wrap"] {
        state.get_field(-2, name);
        state.set_field(-2, name);
    }
    // Layers up to v1.4.0 yield by the profiler too.
    state.get_field(-1, c"yield");
    state.set_field(-3, c"yield");
    state.pop(2);
}

/// The generator of `math.random` is a copy too; each VM has to have numbers of its own. May raise.
fn seed_random(state: State<'_>) {
    static COPIES: AtomicI64 = AtomicI64::new(0);
    state.get_global(c"math");
    state.get_field(-1, c"randomseed");
    let seed = match seed() {
        Some(seed) => seed as i64,
        // SAFETY: a state of this thread.
        None => unsafe { luaL_makeseed_(state.raw()) }.into(),
    };
    state.push_integer(seed);
    // The other seed hardly differs between VMs that start in the same second.
    state.push_integer(COPIES.fetch_add(1, Relaxed));
    state.call(2, 0);
    state.pop(1);
}

/// Files of the Lua layer whose strings all VMs share: those that every service loads.
const COMMON: [&str; 12] = [
    "lualib/loader.lua",
    "lualib/skynet.lua",
    "lualib/skynet/debug.lua",
    "lualib/skynet/internal/calls.lua",
    "lualib/skynet/internal/environment.lua",
    "lualib/skynet/internal/kernel.lua",
    "lualib/skynet/internal/lifecycle.lua",
    "lualib/skynet/internal/runtime.lua",
    "lualib/skynet/internal/taskend.lua",
    "lualib/skynet/manager.lua",
    "lualib/skynet/require.lua",
    "service/launcher.lua",
];

/// Makes the VM that others are copied from, once in the process. Without it (no memory) each opens its libraries itself.
pub(super) fn make_snapshot() {
    static MADE: Once = Once::new();
    host::prepare();
    MADE.call_once(|| {
        // SAFETY: `open_snapshot` is a function for Lua.
        unsafe { skynet_lua::lua_makesnapshot(open_snapshot) };
    });
}

/// Prepares the VM in which the modules of the module snapshot run once: with what they need.
///
/// # Safety
/// Lua calls it with the state of a new VM, in a protected call.
pub(in crate::services::builtin) unsafe extern "C-unwind" fn open_modules(
    lua: *mut skynet_lua::LuaState,
) -> c_int {
    static NO_SERVICE: u8 = 0;
    // SAFETY: contract of this function; what follows keeps the rules of `State`.
    let (state, is_copied) = unsafe {
        let state = State::new(lua.cast());
        (state, skynet_lua::lua_copysnapshot(lua) != 0)
    };
    if !is_copied {
        libraries(state);
    }
    // The functions of the core are only looked at, so they can be bound to an address where no service is.
    state.push_light(&raw const NO_SERVICE);
    state.set_field(LUA_REGISTRYINDEX, c"skynet_context");
    state.require(c"skynet.core", skynet_luaclib::core::luaopen_skynet_core);
    state.pop(1);
    if let Some(file) = embedded::find_module(b"skynet.require") {
        state.get_field(LUA_REGISTRYINDEX, c"_LOADED");
        embedded::push_function(state, file);
        state.call(0, 1);
        state.set_field(-2, c"skynet.require");
    }
    0
}

/// Fills the VM that others are copied from.
///
/// # Safety
/// Lua calls it with the state of a new VM, in a protected call.
unsafe extern "C-unwind" fn open_snapshot(lua: *mut skynet_lua::LuaState) -> c_int {
    // SAFETY: contract of this function; what follows keeps the rules of `State`.
    let state = unsafe { State::new(lua.cast()) };
    libraries(state);
    for name in COMMON {
        if let Some(file) = embedded::find(name.as_bytes()) {
            embedded::compile_only(state, file);
        }
    }
    // Names that C code asks the registry and the globals for.
    for name in [
        c"skynet_context",
        c"callback_context",
        c"memlimit",
        c"LUA_PATH",
        c"LUA_CPATH",
        c"LUA_SERVICE",
        c"LUA_PRELOAD",
        c"skynet.core",
    ] {
        state.push_text(name);
        state.pop(1);
    }
    make_room(state);
    0
}

/// Room for what each service puts there as it starts: a copy has as much, and need not grow.
fn make_room(state: State<'_>) {
    let globals = [
        c"LUA_PATH",
        c"LUA_CPATH",
        c"LUA_SERVICE",
        c"LUA_PRELOAD",
        c"SERVICE_NAME",
        c"SERVICE_PATH",
    ];
    for is_there in [true, false] {
        let push = || match is_there {
            true => state.push_boolean(true),
            false => state.push_nil(),
        };
        for name in globals {
            push();
            state.set_global(name);
        }
        push();
        state.set_field(LUA_REGISTRYINDEX, c"skynet_context");
    }
}

/// Returns the loader and its argument.
fn load(state: State<'_>) -> c_int {
    let boot = boot(state);
    let path = loader();
    // The names that this makes are gone before anything raises.
    let inside = host::absent_loader(path).or_else(|| {
        let replaces = host::is_there(path) && is_inside_only(boot);
        replaces.then(|| embedded::find(host::LOADER.as_bytes()))?
    });
    match inside {
        Some(file) => embedded::push_function(state, file),
        None if state.load_file(path) != LUA_OK => state.raise(),
        None => {}
    }
    state.push_bytes(boot.args);
    2
}

/// Sets the limit of the VM's memory, from now on.
///
/// # Safety
/// The calling thread runs the service of the instance.
unsafe fn set_limit(this: *mut Snlua, bytes: lua_Integer) {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    // SAFETY: contract of this function: no other thread uses the limit.
    unsafe {
        let limit = megabytes(bytes);
        let service = (*this).service();
        service.log_fmt(format_args!("Set memory limit to {limit:.2} M"));
        (*this).memory.set_limit(bytes);
    }
}

/// `skynet_memlimit(bytes)` of the registry, for `skynet.memlimit`.
fn limit_now(state: State<'_>) -> c_int {
    let bytes = state.check_integer(1);
    // SAFETY: the VM runs, so this thread runs its service.
    unsafe { set_limit(Snlua::of(state), bytes) };
    0
}

/// Takes over the memory limit that the script has left in the registry, as other Lua layers do.
fn limit(state: State<'_>) -> c_int {
    let this = boot(state).this;
    if state.get_field(LUA_REGISTRYINDEX, c"memlimit") == LUA_TNUMBER {
        let bytes = state.to_integer(-1);
        state.push_nil();
        state.set_field(LUA_REGISTRYINDEX, c"memlimit");
        // SAFETY: as in `limit_now`.
        unsafe { set_limit(this, bytes) };
    }
    0
}

/// Adds a traceback to the error of a script.
fn traceback(state: State<'_>) -> c_int {
    match state.to_text(1) {
        Some(text) => state.push_traceback(Some(text), 1),
        None => state.push_text(c"(no error message)"),
    }
    1
}
