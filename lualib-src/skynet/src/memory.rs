//! The module `skynet.memory`: what the process and its services have allocated, and jemalloc's controls.

use std::ffi::CStr;
use std::ptr;

use libc::c_int;
use mlua_sys::lua_Integer;
use skynet_support::{State, lua_functions, lua_module};
use skynet_sys::{
    dump_c_mem, dump_mem_lua, mallctl_bool, mallctl_cmd, mallctl_int64, malloc_current_memory,
    malloc_memory_block, malloc_used_memory, memory_info_dump,
};

use crate::Entry;

const FUNCTIONS: &[Entry] = lua_functions!(unsafe {
    c"total" => total,
    c"block" => block,
    c"current" => current,
    c"info" => info,
    c"dump" => dump,
    c"dumpinfo" => dumpinfo,
    c"jestat" => jestat,
    c"mallctl" => mallctl,
    c"purge" => purge,
    c"dumpheap" => dumpheap,
    c"profactive" => profactive,
    c"ssexpand" => ssexpand,
});

lua_module!(unsafe luaopen_skynet_memory => FUNCTIONS);

/// `total()`: bytes in use in the process.
fn total(state: State<'_>) -> c_int {
    // SAFETY: no precondition.
    state.push_integer(unsafe { malloc_used_memory() } as lua_Integer);
    1
}

/// `block()`: blocks in use in the process.
fn block(state: State<'_>) -> c_int {
    // SAFETY: no precondition.
    state.push_integer(unsafe { malloc_memory_block() } as lua_Integer);
    1
}

/// `current()`: bytes that this service has allocated.
fn current(state: State<'_>) -> c_int {
    // SAFETY: no precondition.
    state.push_integer(unsafe { malloc_current_memory() } as lua_Integer);
    1
}

/// `info()`: a table of the bytes of each service, by handle.
fn info(state: State<'_>) -> c_int {
    // SAFETY: the state is the running one; the core pushes one table.
    unsafe { dump_mem_lua(state.raw().cast()) }
}

/// `dump()`: writes the bytes of each service to the error log.
fn dump(_: State<'_>) -> c_int {
    // SAFETY: no precondition.
    unsafe { dump_c_mem() };
    0
}

/// `ssexpand(size)`: layers up to v1.1.0 made room for the strings that VMs shared; here there is none to make.
fn ssexpand(_: State<'_>) -> c_int {
    0
}

/// `dumpinfo([options])`: prints jemalloc's statistics to stderr; the options are those of malloc_stats_print.
fn dumpinfo(state: State<'_>) -> c_int {
    let options = state.to_text(1).map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: null, or a C string.
    unsafe { memory_info_dump(options) };
    0
}

/// A number of jemalloc's, after it was set to the new value, if there is one.
fn control(name: &CStr, mut new: Option<usize>) -> lua_Integer {
    let place = new.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: a C string; null, or a number that is read.
    unsafe { mallctl_int64(name.as_ptr(), place) as lua_Integer }
}

/// Has jemalloc do what a name stands for. Whether it has.
fn act(name: &CStr) -> bool {
    // SAFETY: a C string.
    unsafe { mallctl_cmd(name.as_ptr()) == 0 }
}

/// `jestat()`: jemalloc's totals as of now, by name.
fn jestat(state: State<'_>) -> c_int {
    const TOTALS: [&CStr; 5] = [
        c"stats.allocated",
        c"stats.resident",
        c"stats.retained",
        c"stats.mapped",
        c"stats.active",
    ];
    // A new epoch makes jemalloc add its counters up again.
    control(c"epoch", Some(1));
    state.create_table(0, TOTALS.len() as c_int);
    for name in TOTALS {
        state.push_integer(control(name, None));
        state.set_field(-2, name);
    }
    1
}

/// `mallctl(name)`: a number of jemalloc's.
fn mallctl(state: State<'_>) -> c_int {
    let name = state.check_text(1);
    state.push_integer(control(name, None));
    1
}

/// `purge()`: gives pages that hold nothing any more back to the system, and what this thread keeps ready to the arenas.
/// Whether that was done: false without jemalloc.
fn purge(state: State<'_>) -> c_int {
    // SAFETY: no precondition.
    let present = unsafe { malloc_used_memory() } != 0;
    if present {
        act(c"thread.tcache.flush");
    }
    // For all arenas (MALLCTL_ARENAS_ALL).
    let done = present && act(c"arena.4096.purge");
    state.push_boolean(done);
    1
}

/// `dumpheap()`: writes a heap profile, if jemalloc was configured to take one.
fn dumpheap(_: State<'_>) -> c_int {
    act(c"prof.dump");
    0
}

/// `profactive([on])`: whether heap profiling is on; switches it with an argument.
fn profactive(state: State<'_>) -> c_int {
    let mut new = state.to_boolean(1);
    let place: *mut bool = if state.is_none(1) {
        ptr::null_mut()
    } else {
        &raw mut new
    };
    // SAFETY: a C string; null, or a value that is read.
    let active = unsafe { mallctl_bool(c"prof.active".as_ptr(), place) };
    state.push_boolean(active);
    1
}
