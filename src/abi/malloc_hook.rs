//! "malloc_hook.h": memory statistics and the controls of jemalloc. Without jemalloc the figures are 0, and the controls
//! say so in the error log.

use crate::alloc::memory::jemalloc;
use crate::base::log;
use crate::diag::crash::contain;
use crate::diag::memory::{self, lua};
use libc::{c_char, c_int};
use std::cell::RefCell;
use std::ffi::{CStr, c_void};

/// `lua_State` of "lua.h".
#[allow(non_camel_case_types)]
pub type lua_State = c_void;

thread_local! {
    static ROWS: RefCell<Vec<(u32, usize)>> = const { RefCell::new(Vec::new()) };
}

/// # Safety
/// `name` is a C string, `new` null or valid.
unsafe fn control<T: Copy + Default>(
    function: &str,
    name: *const c_char,
    new: *const T,
) -> (T, i32) {
    // SAFETY: contract of this function: a C string.
    let name = unsafe { CStr::from_ptr(name) };
    if !jemalloc::present() {
        log::error_fmt(
            0,
            format_args!("No jemalloc : {function} {}.", name.to_string_lossy()),
        );
        return (T::default(), -1);
    }
    let mut value = T::default();
    // SAFETY: null or valid for reading, by the contract of all callers.
    let error = jemalloc::exchange(name, &mut value, unsafe { new.as_ref() }.copied());
    (value, error)
}

/// Bytes in use in the whole process.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_used_memory() -> usize {
    contain("malloc_used_memory", 0, jemalloc::allocated)
}

/// Blocks in use in the whole process.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_memory_block() -> usize {
    contain("malloc_memory_block", 0, jemalloc::blocks)
}

/// Prints jemalloc's statistics to stderr. opts are those of malloc_stats_print, or NULL.
///
/// # Safety
/// `opts` is NULL or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memory_info_dump(opts: *const c_char) {
    contain("memory_info_dump", (), || {
        if jemalloc::present() {
            // SAFETY: contract of this function, when not null.
            jemalloc::print_stats((!opts.is_null()).then(|| unsafe { CStr::from_ptr(opts) }));
        } else {
            log::error(0, b"No jemalloc");
        }
    })
}

/// Reads a size of jemalloc's, and sets it if newval is not NULL. 0 if there is no such value.
///
/// # Safety
/// `name` is a C string, `newval` NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mallctl_int64(name: *const c_char, newval: *mut usize) -> usize {
    contain("mallctl_int64", 0, || {
        // SAFETY: contract of this function.
        unsafe { control("mallctl_int64", name, newval) }.0
    })
}

/// Reads an int of jemalloc's, and sets it if newval is not NULL; the error log says whether that worked.
///
/// # Safety
/// `name` is a C string, `newval` NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mallctl_opt(name: *const c_char, newval: *mut c_int) -> c_int {
    contain("mallctl_opt", 0, || {
        // SAFETY: contract of this function.
        let (value, error) = unsafe { control("mallctl_opt", name, newval) };
        // SAFETY: contract of this function NULL or valid.
        if let Some(new) = unsafe { newval.as_ref() }
            && jemalloc::present()
        {
            // SAFETY: contract of this function: a C string.
            let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
            let end = match error {
                0 => "succeed\n".to_string(),
                error => format!("failed: error -> {error}\n"),
            };
            log::error_fmt(0, format_args!("set new value({new}) for ({name}) {end}"));
        }
        value
    })
}

/// Reads a bool of jemalloc's, and sets it if newval is not NULL. false if there is no such value.
///
/// # Safety
/// `name` is a C string, `newval` NULL or valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mallctl_bool(name: *const c_char, newval: *mut bool) -> bool {
    contain("mallctl_bool", false, || {
        // SAFETY: contract of this function.
        unsafe { control("mallctl_bool", name, newval) }.0
    })
}

/// Runs a command of jemalloc's. Returns its error code, 0 without jemalloc.
///
/// # Safety
/// `name` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mallctl_cmd(name: *const c_char) -> c_int {
    contain("mallctl_cmd", 0, || {
        // SAFETY: contract of this function: a C string.
        let name = unsafe { CStr::from_ptr(name) };
        if jemalloc::present() {
            return jemalloc::command(name);
        }
        log::error_fmt(
            0,
            format_args!("No jemalloc : mallctl_cmd {}.", name.to_string_lossy()),
        );
        0
    })
}

/// Writes the memory of every service to the error log.
#[unsafe(no_mangle)]
pub extern "C" fn dump_c_mem() {
    contain("dump_c_mem", (), || {
        memory::dump();
    })
}

/// Pushes a table with the bytes of every service under its handle. A lua_CFunction; does nothing when the process has no
/// Lua.
///
/// # Safety
/// `L` is a Lua state with room on its stack.
#[unsafe(no_mangle)]
#[allow(non_snake_case)] // the name of "malloc_hook.h"
pub unsafe extern "C" fn dump_mem_lua(L: *mut lua_State) -> c_int {
    // An error of Lua's leaves by longjmp, so nothing in this frame may own memory: the rows belong to the thread. A finaliser
    // that calls this again replaces them, so no reference to them lives across a call into Lua.
    let rows = memory::rows();
    ROWS.with_borrow_mut(|kept| *kept = rows);
    let row = |index| ROWS.with_borrow(|rows: &Vec<_>| rows.get(index).copied());
    // SAFETY: the state is live by contract.
    c_int::from(unsafe { lua::push_rows(L, row) })
}

/// Bytes in use by the service on turn.
#[unsafe(no_mangle)]
pub extern "C" fn malloc_current_memory() -> usize {
    contain("malloc_current_memory", 0, memory::current)
}
