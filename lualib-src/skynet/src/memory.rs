//! The module `skynet.memory`: what the process and its services have allocated, and jemalloc's controls.

use std::ptr;

use libc::{c_char, c_int};
use mlua_sys::{
    lua_Integer, lua_State, lua_createtable, lua_isnone, lua_isstring, lua_pushboolean,
    lua_pushinteger, lua_setfield, lua_toboolean, lua_tolstring, luaL_checklstring,
};
use skynet_sys::{
    dump_c_mem, dump_mem_lua, mallctl_bool, mallctl_cmd, mallctl_int64, malloc_current_memory,
    malloc_memory_block, malloc_used_memory, memory_info_dump,
};

use crate::{Entry, check_version, register};

const FUNCTIONS: &[Entry] = &[
    (c"total", total),
    (c"block", block),
    (c"current", current),
    (c"info", info),
    (c"dump", dump),
    (c"dumpinfo", dumpinfo),
    (c"jestat", jestat),
    (c"mallctl", mallctl),
    (c"purge", purge),
    (c"dumpheap", dumpheap),
    (c"profactive", profactive),
    (c"ssexpand", ssexpand),
];

/// Opens the module: pushes its table.
///
/// # Safety
/// Called by Lua (`require`).
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn luaopen_skynet_memory(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua with room for LUA_MINSTACK values.
    unsafe {
        check_version(state);
        lua_createtable(state, 0, FUNCTIONS.len() as c_int);
        register(state, FUNCTIONS, 0);
    }
    1
}

/// `total()`: bytes in use in the process.
unsafe extern "C-unwind" fn total(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(state, malloc_used_memory() as lua_Integer) };
    1
}

/// `block()`: blocks in use in the process.
unsafe extern "C-unwind" fn block(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(state, malloc_memory_block() as lua_Integer) };
    1
}

/// `current()`: bytes that this service has allocated.
unsafe extern "C-unwind" fn current(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { lua_pushinteger(state, malloc_current_memory() as lua_Integer) };
    1
}

/// `info()`: a table of the bytes of each service, by handle.
unsafe extern "C-unwind" fn info(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the core pushes one table.
    unsafe { dump_mem_lua(state.cast()) }
}

/// `dump()`: writes the bytes of each service to the error log.
unsafe extern "C-unwind" fn dump(_: *mut lua_State) -> c_int {
    // SAFETY: no precondition.
    unsafe { dump_c_mem() };
    0
}

/// `ssexpand(size)`: layers up to v1.1.0 made room for the strings that VMs shared; here there is none to make.
unsafe extern "C-unwind" fn ssexpand(_: *mut lua_State) -> c_int {
    0
}

/// `dumpinfo([options])`: prints jemalloc's statistics to stderr; the options are those of malloc_stats_print.
unsafe extern "C-unwind" fn dumpinfo(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the string is an argument, so it outlives the call.
    unsafe {
        let mut options: *const c_char = ptr::null();
        if lua_isstring(state, 1) != 0 {
            options = lua_tolstring(state, 1, ptr::null_mut());
        }
        memory_info_dump(options);
    }
    0
}

/// `jestat()`: jemalloc's totals as of now, by name.
unsafe extern "C-unwind" fn jestat(state: *mut lua_State) -> c_int {
    const TOTALS: [&std::ffi::CStr; 5] = [
        c"stats.allocated",
        c"stats.resident",
        c"stats.retained",
        c"stats.mapped",
        c"stats.active",
    ];
    // SAFETY: called by Lua; the names are C strings.
    unsafe {
        // A new epoch makes jemalloc add its counters up again.
        let mut epoch = 1;
        mallctl_int64(c"epoch".as_ptr(), &mut epoch);
        lua_createtable(state, 0, TOTALS.len() as c_int);
        for name in TOTALS {
            let value = mallctl_int64(name.as_ptr(), ptr::null_mut());
            lua_pushinteger(state, value as lua_Integer);
            lua_setfield(state, -2, name.as_ptr());
        }
    }
    1
}

/// `mallctl(name)`: a number of jemalloc's.
unsafe extern "C-unwind" fn mallctl(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the name is an argument.
    unsafe {
        let name = luaL_checklstring(state, 1, ptr::null_mut());
        let value = mallctl_int64(name, ptr::null_mut());
        lua_pushinteger(state, value as lua_Integer);
    }
    1
}

/// `purge()`: gives pages that hold nothing any more back to the system, and what this thread keeps ready to the arenas.
/// Whether that was done: false without jemalloc.
unsafe extern "C-unwind" fn purge(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the names are C strings. 4096 stands for all arenas (MALLCTL_ARENAS_ALL).
    unsafe {
        let present = malloc_used_memory() != 0;
        if present {
            mallctl_cmd(c"thread.tcache.flush".as_ptr());
        }
        let done = present && mallctl_cmd(c"arena.4096.purge".as_ptr()) == 0;
        lua_pushboolean(state, done.into());
    }
    1
}

/// `dumpheap()`: writes a heap profile, if jemalloc was configured to take one.
unsafe extern "C-unwind" fn dumpheap(_: *mut lua_State) -> c_int {
    // SAFETY: the name is a C string.
    unsafe { mallctl_cmd(c"prof.dump".as_ptr()) };
    0
}

/// `profactive([on])`: whether heap profiling is on; switches it with an argument.
unsafe extern "C-unwind" fn profactive(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the new value is a local.
    unsafe {
        let mut new = lua_toboolean(state, 1) != 0;
        let place: *mut bool = if lua_isnone(state, 1) != 0 {
            ptr::null_mut()
        } else {
            &raw mut new
        };
        let active = mallctl_bool(c"prof.active".as_ptr(), place);
        lua_pushboolean(state, active.into());
    }
    1
}
