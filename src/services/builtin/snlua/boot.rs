//! From an empty VM to a running script.

use std::ffi::{CStr, CString};
use std::ptr;
use std::sync::Once;

use libc::{c_char, c_int};
use mlua_sys::{
    LUA_GCGEN, LUA_GCSTOP, LUA_OK, LUA_REGISTRYINDEX, LUA_TNUMBER, lua_CFunction, lua_Integer,
    lua_State, lua_call, lua_error, lua_gc, lua_getfield, lua_getglobal, lua_pcall, lua_pop,
    lua_pushboolean, lua_pushcfunction, lua_pushinteger, lua_pushlightuserdata, lua_pushlstring,
    lua_pushnil, lua_pushstring, lua_setfield, lua_setglobal, lua_settop, lua_tointegerx,
    lua_tolstring, lua_touserdata, luaL_checkinteger, luaL_loadfilex, luaL_makeseed_,
    luaL_openlibs, luaL_requiref, luaL_traceback,
};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use skynet_support::{State, lua_function};

use super::core::{Service, setting};
use super::memory::megabytes;
use super::{Snlua, profile};
use crate::scheduler::seeded;
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
    // SAFETY: as the caller promises. What can raise runs in protected calls; this function itself only calls what
    // cannot.
    unsafe {
        let state = (*this).state;
        (*this).context.store(service.as_ptr(), Relaxed);
        (*this).interrupt.switch(state);
        let boot = Boot {
            this,
            service,
            args,
        };
        // While there is next to nothing to mark.
        lua_gc(state, LUA_GCGEN, 0, 0);
        lua_gc(state, LUA_GCSTOP);
        lua_pushcfunction(state, traceback);
        if step(state, &boot, prepare, 0) != LUA_OK || step(state, &boot, load, 2) != LUA_OK {
            let loader = CStr::from_ptr(loader()).to_bytes();
            service.log(&[b"Can't load ", loader, b" : ", message(state)]);
            return Err(());
        }
        if lua_pcall(state, 1, 0, 1) != LUA_OK {
            service.log(&[b"lua loader error : ", message(state)]);
            return Err(());
        }
        lua_settop(state, 0);
        if step(state, &boot, limit, 0) != LUA_OK {
            service.log(&[b"lua loader error : ", message(state)]);
            return Err(());
        }
        if !service.receives() {
            // It may have done all that it was for. The service that started it is not told: it is no failure on the C core.
            let end = b" ended without skynet.start: its launch is not answered, and no message reaches it";
            service.log(&[script_name(args), end]);
            service.ended_without_callback();
        }
        skynet_lua::lua_gcsettle(state.cast());
    }
    Ok(())
}

/// The first word of the launch arguments.
fn script_name(args: &[u8]) -> &[u8] {
    let mut words = args.split(u8::is_ascii_whitespace);
    words.find(|word| !word.is_empty()).unwrap_or(b"?")
}

unsafe fn step(
    state: *mut lua_State,
    boot: &Boot,
    function: lua_CFunction,
    results: c_int,
) -> c_int {
    // SAFETY: neither push allocates; the stack of a new VM has room.
    unsafe {
        lua_pushcfunction(state, function);
        lua_pushlightuserdata(state, ptr::from_ref(boot).cast_mut().cast());
        lua_pcall(state, 1, results, 0)
    }
}

/// The error at the top, up to its first zero. It is there as long as it stays on the stack.
unsafe fn message<'a>(state: *mut lua_State) -> &'a [u8] {
    // SAFETY: errors of these steps are strings, so nothing is converted; Lua ends them with a zero.
    unsafe {
        let text = lua_tolstring(state, -1, ptr::null_mut());
        if text.is_null() {
            b"(no error message)"
        } else {
            CStr::from_ptr(text).to_bytes()
        }
    }
}

unsafe fn boot<'a>(state: *mut lua_State) -> &'a Boot<'a> {
    // SAFETY: `step` passes the address of a Boot that outlives the call.
    unsafe { &*lua_touserdata(state, 1).cast() }
}

fn or_default(key: &CStr, default: &'static CStr) -> *const c_char {
    let value = setting(key);
    if value.is_null() {
        default.as_ptr()
    } else {
        value
    }
}

fn loader() -> *const c_char {
    or_default(c"lualoader", c"./lualib/loader.lua")
}

fn service_paths() -> *const c_char {
    or_default(c"luaservice", c"./service/?.lua")
}

/// Whether the service that the arguments name is one of those in the executable, and no configured path has a file of
/// that name. Loaders that projects bring along know files only.
fn is_inside_only(boot: &Boot) -> bool {
    let mut words = boot.args.split(u8::is_ascii_whitespace);
    let Some(name) = words.find(|word| !word.is_empty()) else {
        return false;
    };
    if embedded::find(&[b"service/", name, b".lua"].concat()).is_none() {
        return false;
    }
    // SAFETY: values of settings are C strings that stay.
    let patterns = unsafe { CStr::from_ptr(service_paths()) };
    let mut patterns = patterns.to_bytes().split(|&byte| byte == b';');
    !patterns.any(|pattern| {
        let parts: Vec<&[u8]> = pattern.split(|&byte| byte == b'?').collect();
        // SAFETY: `access` gets a C string.
        CString::new(parts.join(name))
            .is_ok_and(|path| unsafe { libc::access(path.as_ptr(), libc::F_OK) } == 0)
    })
}

/// Libraries, globals and registry entries.
unsafe extern "C-unwind" fn prepare(state: *mut lua_State) -> c_int {
    // SAFETY: called by `step`; nothing has a destructor.
    unsafe {
        let service = boot(state).service;
        if skynet_lua::lua_copysnapshot(state.cast()) == 0 {
            libraries(state);
        } else {
            seed_random(state);
        }
        lua_pushlightuserdata(state, service.as_ptr().cast());
        lua_setfield(state, LUA_REGISTRYINDEX, c"skynet_context".as_ptr());

        let path = or_default(c"lua_path", c"./lualib/?.lua;./lualib/?/init.lua");
        let cpath = or_default(c"lua_cpath", c"./luaclib/?.so");
        for (name, value) in [
            (c"LUA_PATH", path),
            (c"LUA_CPATH", cpath),
            (c"LUA_SERVICE", service_paths()),
            (c"LUA_PRELOAD", setting(c"preload")),
        ] {
            // Null pushes nil.
            lua_pushstring(state, value);
            lua_setglobal(state, name.as_ptr());
        }
    }
    0
}

/// What every VM begins with, whatever its service is.
unsafe fn libraries(state: *mut lua_State) {
    // SAFETY: called where Lua may raise; nothing has a destructor.
    unsafe {
        lua_pushboolean(state, 1);
        lua_setfield(state, LUA_REGISTRYINDEX, c"LUA_NOENV".as_ptr());
        lua_pushcfunction(state, limit_now);
        lua_setfield(state, LUA_REGISTRYINDEX, c"skynet_memlimit".as_ptr());
        luaL_openlibs(state);
        luaL_requiref(
            state,
            c"skynet.profile".as_ptr(),
            lua_function!(unsafe profile::open),
            0,
        );
        lua_getglobal(state, c"coroutine".as_ptr());
        for name in [c"resume", c"wrap"] {
            lua_getfield(state, -2, name.as_ptr());
            lua_setfield(state, -2, name.as_ptr());
        }
        // Layers up to v1.4.0 yield by the profiler too.
        lua_getfield(state, -1, c"yield".as_ptr());
        lua_setfield(state, -3, c"yield".as_ptr());
        lua_pop(state, 2);
    }
}

/// The generator of `math.random` is a copy too; each VM has to have numbers of its own.
unsafe fn seed_random(state: *mut lua_State) {
    static COPIES: AtomicI64 = AtomicI64::new(0);
    // SAFETY: as in `libraries`.
    unsafe {
        lua_getglobal(state, c"math".as_ptr());
        lua_getfield(state, -1, c"randomseed".as_ptr());
        let seed = match seeded::seed() {
            Some(seed) => seed as i64,
            None => luaL_makeseed_(state).into(),
        };
        lua_pushinteger(state, seed);
        // The other seed hardly differs between VMs that start in the same second.
        lua_pushinteger(state, COPIES.fetch_add(1, Relaxed));
        lua_call(state, 2, 0);
        lua_pop(state, 1);
    }
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
pub(in crate::services::builtin) unsafe extern "C-unwind" fn open_modules(
    state: *mut skynet_lua::LuaState,
) -> c_int {
    static NO_SERVICE: u8 = 0;
    let lua = state;
    let state: *mut lua_State = state.cast();
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md). The functions of the core are only looked at, so they can be bound to
    // an address where no service is.
    unsafe {
        if skynet_lua::lua_copysnapshot(lua) == 0 {
            libraries(state);
        }
        let no_service = (&raw const NO_SERVICE).cast_mut().cast();
        lua_pushlightuserdata(state, no_service);
        lua_setfield(state, LUA_REGISTRYINDEX, c"skynet_context".as_ptr());
        luaL_requiref(state, c"skynet.core".as_ptr(), core, 0);
        lua_pop(state, 1);
        if let Some(file) = embedded::find_module(b"skynet.require") {
            lua_getfield(state, LUA_REGISTRYINDEX, c"_LOADED".as_ptr());
            embedded::push_function(State::new(state), file);
            lua_call(state, 0, 1);
            lua_setfield(state, -2, c"skynet.require".as_ptr());
        }
    }
    0
}

unsafe extern "C-unwind" fn core(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe { skynet_luaclib::core::luaopen_skynet_core(state) }
}

unsafe extern "C-unwind" fn open_snapshot(state: *mut skynet_lua::LuaState) -> c_int {
    let state: *mut lua_State = state.cast();
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        libraries(state);
        for name in COMMON {
            if let Some(file) = embedded::find(name.as_bytes()) {
                embedded::compile_only(State::new(state), file);
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
            lua_pushstring(state, name.as_ptr());
            lua_pop(state, 1);
        }
    }
    0
}

/// Returns the loader and its argument.
unsafe extern "C-unwind" fn load(state: *mut lua_State) -> c_int {
    // SAFETY: called by `step`; nothing has a destructor when something raises.
    unsafe {
        let boot = boot(state);
        let path = loader();
        let inside = host::absent_loader(path).or_else(|| {
            let replaces = libc::access(path, libc::F_OK) == 0 && is_inside_only(boot);
            replaces.then(|| embedded::find(host::LOADER.as_bytes()))?
        });
        match inside {
            Some(file) => embedded::push_function(State::new(state), file),
            None => {
                if luaL_loadfilex(state, path, ptr::null()) != LUA_OK {
                    lua_error(state);
                }
            }
        }
        lua_pushlstring(state, boot.args.as_ptr().cast(), boot.args.len());
    }
    2
}

/// Sets the limit of the VM's memory, from now on.
unsafe fn set_limit(this: *mut Snlua, bytes: lua_Integer) {
    let bytes = usize::try_from(bytes).unwrap_or(0);
    // SAFETY: the caller runs the service, so no other thread uses the limit.
    unsafe {
        let limit = megabytes(bytes);
        let service = (*this).service();
        service.log_fmt(format_args!("Set memory limit to {limit:.2} M"));
        (*this).memory.set_limit(bytes);
    }
}

/// `skynet_memlimit(bytes)` of the registry, for `skynet.memlimit`.
unsafe extern "C-unwind" fn limit_now(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        let bytes = luaL_checkinteger(state, 1);
        set_limit(Snlua::of(state), bytes);
    }
    0
}

/// Takes over the memory limit that the script has left in the registry, as other Lua layers do.
unsafe extern "C-unwind" fn limit(state: *mut lua_State) -> c_int {
    // SAFETY: called by `step`.
    unsafe {
        let boot = boot(state);
        if lua_getfield(state, LUA_REGISTRYINDEX, c"memlimit".as_ptr()) == LUA_TNUMBER {
            let bytes = lua_tointegerx(state, -1, ptr::null_mut());
            lua_pushnil(state);
            lua_setfield(state, LUA_REGISTRYINDEX, c"memlimit".as_ptr());
            set_limit(boot.this, bytes);
        }
    }
    0
}

/// Adds a traceback to the error of a script.
unsafe extern "C-unwind" fn traceback(state: *mut lua_State) -> c_int {
    // SAFETY: by the rules of a Lua function (CONTRIBUTING.md).
    unsafe {
        let text = lua_tolstring(state, 1, ptr::null_mut());
        if text.is_null() {
            lua_pushstring(state, c"(no error message)".as_ptr());
        } else {
            luaL_traceback(state, state, text, 1);
        }
    }
    1
}
